"""Spans and metrics of a push for OpenTelemetry: names and counts, never a value of a row.

They go to whatever the process has set up: `opentelemetry-instrument` does it for the command line. Where
nothing has loaded OpenTelemetry nothing is imported, and nothing is done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from dbt_batch_sync import __version__
from dbt_batch_sync.results.sync import PushResult, SyncPushed

NAME = "dbt_batch_sync"
"""Of the tracer and the meter, and what every attribute begins with."""

_COUNTED = ("sent", "accepted", "rejected_rows", "rejected_attributes", "invalid", "requests", "retries")


Describe = Callable[[Mapping[str, object]], None]
"""Adds attributes to a span; those that are None are left out, and `error` makes it a failed one."""


@contextmanager
def span(name: str, **known: object) -> Iterator[Describe]:
    """A span `dbt_batch_sync.<name>` within the current one."""
    if "opentelemetry" not in sys.modules:
        yield lambda _: None
        return
    from opentelemetry import trace

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
    if not count or "opentelemetry" not in sys.modules:
        return
    from opentelemetry import metrics

    meter = metrics.get_meter(NAME, __version__)
    for each in _COUNTED:
        meter.create_counter(f"{NAME}.{each}").add(getattr(pushed, each), {"sync": pushed.sync})


def describe_current(known: Mapping[str, str | int | float]) -> None:
    """Adds attributes to the span that one is in, if any."""
    if "opentelemetry" not in sys.modules:
        return
    from opentelemetry import trace

    trace.get_current_span().set_attributes({f"{NAME}.{key}": value for key, value in known.items()})


def record_push(result: PushResult, describe: Describe) -> None:
    """The status of the whole push on its span, and how long it took: `dbt_batch_sync.duration`."""
    error = next((each.error for each in result.syncs if each.error), None)
    describe({"run_id": result.run_id, "status": result.status, "error": error})
    if "opentelemetry" not in sys.modules:
        return
    from opentelemetry import metrics

    seconds = (result.finished_at - result.started_at).total_seconds()
    duration = metrics.get_meter(NAME, __version__).create_histogram(f"{NAME}.duration", unit="s")
    duration.record(seconds, {"status": result.status})
