"""A warehouse and a client with faults before or after the n-th call of a kind.

Points: `columns`, `fetch`, `append` and `send`. Appends are also named by their content: `append:intent` for
a journal row with that event, `append:rejects` for the table of rejects.
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
"""The variable that `cli_with_faults` reads."""

EVENTS = ("claimed", "intent", "rejects", "checkpoint", "ended")
"""What a push appends, in order."""


@dataclass(frozen=True)
class Trouble:
    """A fault at the `nth` passing of a point.

    - `kill`: kill this process. `fail`: drop the connection. `lose`: on the bench, drop it for good. `delay`:
      wait `seconds`. `pause`: stop the process until SIGCONT.
    """

    point: str
    nth: int = 1
    when: Literal["before", "after"] = "before"
    act: Literal["kill", "fail", "lose", "delay", "pause"] = "kill"
    seconds: float = 0.0


def to_text(troubles: Sequence[Trouble]) -> str:
    """Serialize for the environment variable."""
    return json.dumps([asdict(each) for each in troubles])


def from_text(text: str) -> list[Trouble]:
    return [Trouble(**each) for each in json.loads(text)]


def do(trouble: Trouble) -> None:
    """Carry out the fault in this process. Raises WarehouseError."""
    if trouble.act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif trouble.act in ("fail", "lose"):
        raise WarehouseError("the connection was lost")
    elif trouble.act == "pause":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        time.sleep(trouble.seconds)


class Points:
    """Counts passings and triggers faults. Thread-safe."""

    def __init__(self, troubles: Sequence[Trouble], act: Callable[[Trouble], None] = do) -> None:
        self._troubles = troubles
        self._act = act
        self._passed: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def passing(self, *points: str) -> Iterator[None]:
        """Wrap a call that has all of these names."""
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
    """A warehouse with fault points around its calls."""

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
    """Wrap a client's `send` in a fault point."""

    def passing(*arguments: Any, **named: Any) -> Any:
        with points.passing("send"):
            return send(*arguments, **named)

    return passing
