"""What the last dbt command built and tested: `run_results.json`, read as plain JSON like the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbt_batch_sync.artifacts.json_files import below, load_json
from dbt_batch_sync.errors import ManifestError


@dataclass(frozen=True)
class BuildResults:
    """How each node ended, by `unique_id`. `command` is dbt's, such as `build`."""

    command: str
    invocation_id: str
    statuses: Mapping[str, str]


def read_build_results(path: Path) -> BuildResults:
    """Reads the file. Raises ManifestError if it is invalid."""
    document = load_json(path)
    try:
        statuses = {each["unique_id"]: each["status"].lower() for each in document.get("results") or ()}
        invocation_id = str(document["metadata"]["invocation_id"])
    except (KeyError, TypeError, AttributeError):
        raise ManifestError(f"{path}: is not what dbt writes: run `dbt build` again") from None
    return BuildResults(str(below(document, "args").get("which") or "?"), invocation_id, statuses)
