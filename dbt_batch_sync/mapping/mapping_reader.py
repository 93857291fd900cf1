"""Reads a model's `batch_sync` meta into a `Mapping` and finds every error in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import Any

from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.kinds.audience import AUDIENCE
from dbt_batch_sync.kinds.catalog import CATALOG
from dbt_batch_sync.kinds.deletions import DELETIONS
from dbt_batch_sync.kinds.events import EVENTS
from dbt_batch_sync.kinds.kind import Kind
from dbt_batch_sync.kinds.profiles import PROFILES
from dbt_batch_sync.mapping.mapping import Mapping
from dbt_batch_sync.mapping.validation import Spot, not_one_of, read_form

KINDS = {each.name: each for each in (PROFILES, AUDIENCE, CATALOG, EVENTS, DELETIONS)}

NOT_HASHED = ("guards", "endpoint", "output", "shared", "display_name")
"""Keys that don't change what is sent."""


def parse_mapping(sync: str, raw: object, file: str) -> Mapping:
    """Reads the meta of one sync, which `file` declares. Raises MappingError with every error in it."""
    spot = Spot("batch_sync")
    mapping, chosen = None, _read_kind(raw, spot)
    if chosen is not None:  # the other keys are those of a kind
        written: Any = read_form(chosen.form, raw, spot)
        if isinstance(raw, dict):
            own = {"sync": sync, "kind": chosen, "file": file}
            keys = [each.name for each in fields(Mapping) if hasattr(written, each.name)]
            given = {name: getattr(written, name) for name in keys} | own
            mapping = chosen.mapping(written, spot, Mapping(**{"attributes": (), **given}))
    if mapping is None or spot.found:
        raise MappingError(Problem(file, sync, each.key, each.message) for each in spot.found)
    return replace(mapping, hash=_hash(raw))


def kind_of(raw: object) -> Kind:
    """The kind of a mapping; profiles if it is invalid."""
    return _read_kind(raw, Spot("batch_sync")) or PROFILES


def _read_kind(raw: object, spot: Spot) -> Kind | None:
    name = raw.get("kind", PROFILES.name) if isinstance(raw, dict) else PROFILES.name
    if isinstance(name, str) and name in KINDS:
        return KINDS[name]
    spot.at("kind").refuse(not_one_of(name, KINDS))
    return None


def _hash(raw: object) -> str:
    """The hash that the macros compute from the manifest: `local_md5(tojson(meta, sort_keys=true))`."""
    meta = (
        {key: value for key, value in raw.items() if key not in NOT_HASHED} if isinstance(raw, dict) else {}
    )
    return hashlib.md5(json.dumps(meta, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
