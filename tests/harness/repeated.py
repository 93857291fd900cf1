"""Speeds up dbt by caching what it computes again in every invocation. Needed by tests with thousands of
`dbt run`s.

Only functions with a known result are replaced.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

_MACROS: dict[str, bytes] = {}
"""The serialized manifest of a project without models, by adapter."""


@contextlib.contextmanager
def answered_at_once() -> Iterator[None]:
    """Until exit: no secrets in the environment, flags without a source, events discarded."""
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.clients import agate_helper
    from dbt_common.events.event_manager import EventManager
    from dbt_common.exceptions import base

    with (
        # Each missing macro raises an exception, which searches the environment for secrets.
        mock.patch.object(base, "env_secrets", list),
        mock.patch("dbt.exceptions.env_secrets", list),
        # For this value, every adapter walks the stack, reading source files.
        mock.patch.object(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "tests")),
        mock.patch.object(EventManager, "fire_event", return_value=None),
        # The possible types of a result never change, and building the tester takes as long as the query.
        mock.patch.object(agate_helper, "build_type_tester", _tester(agate_helper.build_type_tester)),
    ):
        yield


@contextlib.contextmanager
def parsed_once() -> Iterator[None]:
    """Until exit, where dbt would parse everything, it takes the macros of dbt, the adapter and the package from an
    earlier project. The manifest is written by json's faster encoder.
    """
    from dbt.artifacts.schemas import base
    from dbt.parser.manifest import ManifestLoader

    read, load = ManifestLoader.read_manifest_for_partial_parse, ManifestLoader.load_and_parse_macros
    parse, skip = ManifestLoader.parse_project, ManifestLoader.skip_partial_parsing_because_of_macros
    begun: list[Any] = []

    def read_or_begin(loader: Any) -> Any:
        found = read(loader)
        known = _MACROS.get(loader.root_project.credentials.type)
        if found or not known:
            return found
        begun.append(loader)
        return _read_macros(known, loader.manifest)

    def load_macros(loader: Any, files: Any) -> None:
        load(loader, files)
        project, manifest = loader.root_project, loader.manifest
        own = [each for each in manifest.macros.values() if each.package_name == project.project_name]
        if not loader.partially_parsing and not own:
            _MACROS.setdefault(project.credentials.type, _written(manifest))

    def parse_project(loader: Any, *arguments: Any) -> None:
        """Parse the package's hooks, too: dbt skips them in a partial parse."""
        partially = loader.partially_parsing
        loader.partially_parsing = partially and loader not in begun
        try:
            parse(loader, *arguments)
        finally:
            loader.partially_parsing = partially

    def skip_because_of_macros(loader: Any) -> Any:
        """Override macros change how models are parsed, and no model has been parsed yet."""
        return False if loader in begun else skip(loader)

    with (
        mock.patch.object(ManifestLoader, "skip_partial_parsing_because_of_macros", skip_because_of_macros),
        mock.patch.object(ManifestLoader, "read_manifest_for_partial_parse", read_or_begin),
        mock.patch.object(ManifestLoader, "load_and_parse_macros", load_macros),
        mock.patch.object(ManifestLoader, "parse_project", parse_project),
        mock.patch.object(base, "write_json", _write_json),
    ):
        yield


def _written(manifest: Any) -> bytes:
    from dbt.parser.manifest import extended_mashumaro_encoder

    return bytes(manifest.to_msgpack(extended_mashumaro_encoder))


def _read_macros(written: bytes, new: Any) -> Any:
    """A manifest that contains nothing but macros, for the project of the manifest `new`."""
    from dbt.contracts.files import ParseFileType
    from dbt.parser.manifest import extended_mashumuro_decoder

    kept = (ParseFileType.Macro, ParseFileType.GenericTest)
    manifest = type(new).from_msgpack(written, decoder=extended_mashumuro_decoder)
    manifest.files = {name: each for name, each in manifest.files.items() if each.parse_file_type in kept}
    manifest.metadata, manifest.state_check = new.metadata, new.state_check
    return manifest


def _write_json(path: str, document: dict[str, Any]) -> bool:
    from dbt_common.utils.encoding import JSONEncoder

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(document, cls=JSONEncoder), encoding="utf-8")
    return True


def remembered(generate: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Cache macro contexts, one per macro and package: nothing else in them varies."""
    known: dict[tuple[str, str | None], dict[str, Any]] = {}

    def context(macro: Any, config: Any, manifest: Any, package: str | None) -> dict[str, Any]:
        key = (macro.unique_id, package)
        if key not in known:
            known[key] = generate(macro, config, manifest, package)
        return known[key]

    return context


def _tester(build: Callable[..., Any]) -> Callable[..., Any]:
    known = cache(build)

    def answer(text_columns: Iterable[str], string_null_values: Iterable[str] = ("null", "")) -> Any:
        return known(tuple(text_columns), tuple(string_null_values))

    return answer
