"""What the last dbt command built and tested: `run_results.json`, read as plain JSON like the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from dbt_batch_sync.artifacts.json_objects import load_json
from dbt_batch_sync.errors import ManifestError


@dataclass(frozen=True)
class BuildResults:
    """dbt's word for how each node ended, by `unique_id`. `generated_at` is UTC without a zone."""

    path: Path
    generated_at: datetime
    statuses: Mapping[str, str]


def read_build_results(path: Path) -> BuildResults:
    """Reads the file.

    Raises:
        ManifestError: it is not one; it names the key that is wrong.
    """
    document = load_json(path)
    results = document.members("results")
    statuses = {each.required("unique_id"): each.required("status").lower() for each in results}
    return BuildResults(path, _instant(document.below("metadata").required("generated_at"), path), statuses)


def _instant(value: str, path: Path) -> datetime:
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        wrong = f"{path}: metadata: generated_at: must be a time, such as 2026-04-01T06:00:00Z"
        raise ManifestError(wrong) from None
    return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment
