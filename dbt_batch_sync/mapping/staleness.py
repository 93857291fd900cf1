"""Finds mappings that changed in the project's YAML after dbt wrote the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dbt_batch_sync.artifacts.json_files import below
from dbt_batch_sync.artifacts.manifest import Manifest
from dbt_batch_sync.connections.documents import read_yaml
from dbt_batch_sync.errors import Problem, ProfileError
from dbt_batch_sync.mapping.misplaced import META_KEY
from dbt_batch_sync.mapping.syncs import Sync


def find_stale(syncs: Iterable[Sync], manifest: Manifest, project_dir: Path) -> Iterator[Problem]:
    """The mappings that dbt has not read in their current form. Only reads files newer than the manifest, and
    mappings without templates.
    """
    read_at = manifest.path.stat().st_mtime
    documents: dict[Path, object] = {}
    for sync in syncs:
        path = project_dir / sync.model.file
        own = sync.model.package == manifest.project_name and path.suffix in (".yml", ".yaml")
        if not own or not path.is_file() or path.stat().st_mtime <= read_at or sync.model.version is not None:
            continue
        if path not in documents:
            documents[path] = _document(path)
        written = _mapping(documents[path], sync.name)
        known = sync.model.raw_mapping
        if written is not None and "{{" not in str(written) and written != known:
            wrong = "was changed since dbt wrote the manifest. Run: dbt parse, and dbt run before a push"
            yield Problem(sync.model.file, sync.name, META_KEY, wrong)


def _document(path: Path) -> object:
    try:
        return read_yaml(path)
    except ProfileError:
        return None


def _mapping(document: object, name: str) -> object:
    models = document.get("models") if isinstance(document, dict) else None
    for each in models if isinstance(models, list) else ():
        if isinstance(each, dict) and each.get("name") == name:
            for meta in (below(each, "config", "meta"), below(each, "meta")):
                if META_KEY in meta:
                    return meta[META_KEY]
    return None
