"""OpenTelemetry spans and metrics of a push: names and counts, no values of rows.

They go to whatever the process has configured; on the command line, `opentelemetry-instrument` does. If
nothing has loaded OpenTelemetry, nothing is imported or recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from typing import Any

from dbt_batch_sync import __version__
from dbt_batch_sync.results.sync import PushResult, SyncPushed

NAME = "dbt_batch_sync"
"""The name of the tracer and the meter, and the prefix of all attributes."""

_COUNTED = ("sent", "accepted", "rejected_rows", "rejected_attributes", "invalid", "requests", "retries")


Describe = Callable[[Mapping[str, object]], None]
"""Adds attributes to a span. None is left out; `error` marks the span as failed."""


@contextmanager
def span(name: str, **known: object) -> Iterator[Describe]:
    """A span `dbt_batch_sync.<name>` inside the current one."""
    trace = _loaded("trace")
    if trace is None:
        yield lambda _: None
        return
    with trace.get_tracer(NAME, __version__).start_as_current_span(f"{NAME}.{name}") as current:

        def describe(found: Mapping[str, object]) -> None:
            for key, value in found.items():
                if isinstance(value, (str, int, float)):
                    current.set_attribute(f"{NAME}.{key}", value)
            if found.get("error"):
                current.set_status(trace.StatusCode.ERROR, str(found["error"]))

        describe(known)
        yield describe


def record_sync(pushed: SyncPushed, describe: Describe, *, count: bool) -> None:
    """The counts of a sync's push: on its span and, with `count`, as counters: `dbt_batch_sync.sent`, …"""
    describe(asdict(pushed))
    if count and (metrics := _loaded("metrics")):
        meter = metrics.get_meter(NAME, __version__)
        for each in _COUNTED:
            meter.create_counter(f"{NAME}.{each}").add(getattr(pushed, each), {"sync": pushed.sync})


def record_push(result: PushResult, describe: Describe) -> None:
    """The status of the whole push on its span, and its duration: `dbt_batch_sync.duration`."""
    error = next((each.error for each in result.syncs if each.error), None)
    describe({"run_id": result.run_id, "status": result.status, "error": error})
    if metrics := _loaded("metrics"):
        seconds = (result.finished_at - result.started_at).total_seconds()
        duration = metrics.get_meter(NAME, __version__).create_histogram(f"{NAME}.duration", unit="s")
        duration.record(seconds, {"status": result.status})


def describe_current(known: Mapping[str, str | int | float]) -> None:
    """Adds attributes to the current span, if there is one."""
    if trace := _loaded("trace"):
        trace.get_current_span().set_attributes({f"{NAME}.{key}": value for key, value in known.items()})


def _loaded(module: str) -> Any:
    """A module of OpenTelemetry; None if nothing has loaded that."""
    return import_module(f"opentelemetry.{module}") if "opentelemetry" in sys.modules else None
