"""Speeds up dbt by caching values that it recomputes for every macro lookup. Needed by tests with thousands
of `dbt run`s.

Only functions with a known result are replaced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from unittest import mock


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
