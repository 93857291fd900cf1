"""What dbt works out anew for every macro it looks for, and a test of thousands of `dbt run`s can't afford.

Each of these is a known answer: it is given at once, and nothing else of dbt is replaced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from unittest import mock


@contextlib.contextmanager
def answered_at_once() -> Iterator[None]:
    """Until the end: no secret is in the environment, a flag says nothing of who declared it, events go nowhere."""
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.clients import agate_helper
    from dbt_common.events.event_manager import EventManager
    from dbt_common.exceptions import base

    with (
        # A macro that a package lacks is an exception, and each looks through the environment.
        mock.patch.object(base, "env_secrets", list),
        mock.patch("dbt.exceptions.env_secrets", list),
        # Every adapter walks the stack with its sources for it.
        mock.patch.object(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "tests")),
        mock.patch.object(EventManager, "fire_event", return_value=None),
        # What types a result may have is the same for every result, and takes as long as the query.
        mock.patch.object(agate_helper, "build_type_tester", _tester(agate_helper.build_type_tester)),
    ):
        yield


def remembered(generate: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A generator of macros' contexts that makes one for each macro: they differ in nothing else."""
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
