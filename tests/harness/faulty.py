"""A warehouse and a client in which things go wrong as a test says: at the n-th call of a kind, before or after it
took effect.

What can be named: `columns`, `fetch`, `append`, `send`, and appends by what they append: `append:intent` for a row of
the journal with that event, `append:rejects` for the table of rejects.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any, Literal

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.errors import WarehouseError
from dbt_batch_sync.warehouse import Column, Statement, Warehouse

VARIABLE = "TROUBLES"
"""What `cli_with_faults` reads its troubles from."""

EVENTS = ("claimed", "intent", "rejects", "checkpoint", "ended")
"""What a push appends, in order."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong at the `nth` passing of a point.

    - `kill`: this process, at once. `fail`: a lost connection; `lose`: for good, on the bench. `delay`: so many `seconds`. `pause`: the process stops,
      until it is sent SIGCONT.
    """

    point: str
    nth: int = 1
    when: Literal["before", "after"] = "before"
    act: Literal["kill", "fail", "lose", "delay", "pause"] = "kill"
    seconds: float = 0.0


def to_text(troubles: Sequence[Trouble]) -> str:
    """For the variable."""
    return json.dumps([asdict(each) for each in troubles])


def from_text(text: str) -> list[Trouble]:
    return [Trouble(**each) for each in json.loads(text)]


def do(trouble: Trouble) -> None:
    """Does it to this process. Raises WarehouseError."""
    if trouble.act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif trouble.act in ("fail", "lose"):
        raise WarehouseError("the connection was lost")
    elif trouble.act == "pause":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        time.sleep(trouble.seconds)


class Points:
    """Counts what is passed, and lets happen what is to happen there. For several threads."""

    def __init__(self, troubles: Sequence[Trouble], act: Callable[[Trouble], None] = do) -> None:
        self._troubles = troubles
        self._act = act
        self._passed: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def passing(self, *points: str) -> Iterator[None]:
        """Around something that has all of these names."""
        with self._lock:
            self._passed.update(points)
            due = [
                each
                for each in self._troubles
                if each.point in points and self._passed[each.point] == each.nth
            ]
        for each in due:
            if each.when == "before":
                self._act(each)
        yield
        for each in due:
            if each.when == "after":
                self._act(each)


class FaultyWarehouse:
    """A warehouse whose calls pass points."""

    def __init__(self, inner: Warehouse, points: Points) -> None:
        self._inner = inner
        self._points = points
        self.dialect = inner.dialect
        self.checkpoint_seconds = inner.checkpoint_seconds

    def columns(self, table: exp.Table) -> tuple[Column, ...]:
        with self._points.passing("columns"):
            return self._inner.columns(table)

    def fetch(self, query: Statement) -> pa.Table:
        with self._points.passing("fetch"):
            return self._inner.fetch(query)

    def append(self, table: exp.Table, rows: pa.Table) -> None:
        with self._points.passing("append", *sorted(_named(table, rows))):
            self._inner.append(table, rows)

    def close(self) -> None:
        self._inner.close()


def _named(table: exp.Table, rows: pa.Table) -> set[str]:
    events = rows.column("event").to_pylist() if "event" in rows.column_names else ["rejects"]
    return {f"append:{event}" for event in events}


def faulty_send(send: Callable[..., Any], points: Points) -> Callable[..., Any]:
    """A client's `send` that passes a point."""

    def passing(*arguments: Any, **named: Any) -> Any:
        with points.passing("send"):
            return send(*arguments, **named)

    return passing
