"""`generate`: the two one-line models of each sync, and the sources and exposures, as files of the user's
project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dbt_batch_sync.connections.documents import read_yaml
from dbt_batch_sync.errors import BatchSyncError
from dbt_batch_sync.ledger.records import REJECTS, RUNS

FOLDER = "batch_sync"
MARK = "Written by `dbt-batch-sync generate`"
YAML_FILE = "_batch_sync.yml"
SUFFIXES = ("_sent_snapshot", "_delta")


@dataclass(frozen=True)
class Change:
    """A file that differs from what it should be."""

    kind: Literal["create", "update", "remove"]
    path: Path


def generated_files(syncs: Sequence[str], directory: Path) -> dict[Path, str]:
    """What `models/batch_sync` should hold for these syncs, by path."""
    files = {}
    for sync in sorted(syncs):
        for macro in ("sent_snapshot", "delta"):
            call = f"{{{{ dbt_batch_sync.{macro}('{sync}') }}}}"
            text = f"-- {MARK}. Yours to configure: it is written once.\n{call}\n"
            files[directory / f"{sync}_{macro}.sql"] = text
    files[directory / YAML_FILE] = _yaml(sorted(syncs))
    return files


def changes(syncs: Sequence[str], directory: Path) -> list[Change]:
    """What has to be written. A model that exists is the user's and stays as it is; the YAML is renewed if
    we wrote it.
    """
    found: list[Change] = []
    for path, text in generated_files(syncs, directory).items():
        if not path.exists():
            found.append(Change("create", path))
        elif path.name == YAML_FILE and path.read_text(encoding="utf-8") != text and _is_ours(path):
            found.append(Change("update", path))
    return found


def generate(syncs: Sequence[str], directory: Path) -> list[Change]:
    """Writes what is missing or outdated, and says what it was."""
    found, files = changes(syncs, directory), generated_files(syncs, directory)
    for change in found:
        change.path.parent.mkdir(parents=True, exist_ok=True)
        change.path.write_text(files[change.path], encoding="utf-8")
    return found


def obsolete(directory: Path, model_paths: Sequence[Path]) -> list[Change]:
    """The models that we wrote for syncs which no file maps any more. Needs no manifest: with a sync's
    model gone, dbt can't make one."""
    mapped = set(mapped_models(model_paths))
    found = []
    for path in sorted(directory.glob("*.sql")):
        suffix = next((each for each in SUFFIXES if path.stem.endswith(each)), None)
        if suffix and _is_ours(path) and path.stem.removesuffix(suffix) not in mapped:
            found.append(Change("remove", path))
    return found


def prune(directory: Path, model_paths: Sequence[Path]) -> list[Change]:
    """Removes the obsolete models, and renews the YAML without them."""
    found = obsolete(directory, model_paths)
    for change in found:
        change.path.unlink()
    if found:
        left = {path.stem.removesuffix("_delta") for path in directory.glob("*_delta.sql") if _is_ours(path)}
        found += [change for change in generate(sorted(left), directory) if change.path.name == YAML_FILE]
    return found


def mapped_models(model_paths: Sequence[Path]) -> Iterator[str]:
    """The models with a mapping, as far as the files tell: in a YAML's meta, or by the word in the model's
    own config.
    """
    models = [
        path for root in model_paths for path in sorted(root.rglob("*")) if path.suffix in (".sql", ".py")
    ]
    present = {path.stem for path in models}
    for path in models:
        if "batch_sync" in path.read_text(encoding="utf-8", errors="replace") and not _is_ours(path):
            yield path.stem
    for root in model_paths:
        for path in sorted([*root.rglob("*.yml"), *root.rglob("*.yaml")]):
            yield from (name for name in _mapped_in(path) if name in present)


def _mapped_in(path: Path) -> Iterator[str]:
    try:
        raw = read_yaml(path)
    except BatchSyncError:
        return
    models = raw.get("models") if isinstance(raw, dict) else None
    for model in models if isinstance(models, list) else ():
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            continue
        config = model.get("config")
        metas = [model.get("meta"), config.get("meta") if isinstance(config, dict) else None]
        if any(isinstance(meta, dict) and "batch_sync" in meta for meta in metas):
            yield model["name"]


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.readline()


def _yaml(syncs: Sequence[str]) -> str:
    """Sources for the ledger, so that tests can be put on it, and an exposure per sync."""
    lines = [
        f"# {MARK}, and renewed by it.",
        "version: 2",
        "",
        "sources:",
        "  - name: batch_sync",
        "    description: What dbt-batch-sync writes down beside the snapshots.",
        "    schema: \"{{ var('batch_sync_schema', target.schema) }}\"",
        "    tables:",
        f"      - name: {RUNS}",
        "        description: One row per push and sync.",
        f"      - name: {REJECTS}",
        "        description: One row per row or attribute that was refused; never its value.",
        "",
        "exposures:",
    ]
    for sync in syncs:
        lines += [
            f"  - name: batch_{sync}",
            f"    label: Batch profiles of {sync}",
            "    type: application",
            "    url: https://dashboard.batch.com",
            "    owner: {name: Batch}",
            f"    description: The profiles that dbt-batch-sync keeps equal to {sync}.",
            "    depends_on:",
            f"      - ref('{sync}_delta')",
        ]
    return "\n".join(lines if syncs else lines[:-1]) + "\n"
