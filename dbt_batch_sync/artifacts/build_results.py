"""What the last dbt command built and tested: `run_results.json`, read as plain JSON like the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from dbt_batch_sync.artifacts.json_files import load_json
from dbt_batch_sync.errors import ManifestError


@dataclass(frozen=True)
class BuildResults:
    """dbt's word for how each node ended, by `unique_id`. `generated_at` is UTC without a zone."""

    path: Path
    generated_at: datetime
    statuses: Mapping[str, str]


def read_build_results(path: Path) -> BuildResults:
    """Reads the file. Raises ManifestError: it is not one."""
    document = load_json(path)
    try:
        statuses = {each["unique_id"]: each["status"].lower() for each in document.get("results") or ()}
        moment = datetime.fromisoformat(document["metadata"]["generated_at"].replace("Z", "+00:00"))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ManifestError(f"{path}: is not what dbt writes: run `dbt build` again") from None
    naive = moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment
    return BuildResults(path, naive, statuses)
