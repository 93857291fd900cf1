"""The sandbox server with faults.

`python tests/harness/faulty_sandbox.py PORT` runs it in its own process, without rate limits. There `POST
/_sandbox/faults` sets faults: a list of objects with the fields of `Fault`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from harness.fault_plan import Decision, FaultPlan
from harness.faults import Fault, FaultKind, When
from harness.faulty_replies import faulty, respond, with_transport
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from dbt_batch_sync.sandbox.app import build_app
from dbt_batch_sync.sandbox.gate import RefusedCallError, refuse
from dbt_batch_sync.sandbox.profiles import Operations, Refusals
from dbt_batch_sync.sandbox.record import Tally
from dbt_batch_sync.sandbox.replies import Reply
from dbt_batch_sync.sandbox.routes import Call
from dbt_batch_sync.sandbox.server import SandboxServer
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings


@dataclass
class FaultyCall(Call):
    """A call and its faults."""

    decision: Decision = field(default_factory=Decision)


class FaultySandbox(Sandbox):
    """The sandbox, with faults applied to its calls."""

    def __init__(self, settings: SandboxSettings, *, faults: Sequence[Fault] = (), **options: Any) -> None:
        super().__init__(settings, **options)
        self.faults = FaultPlan(faults, self.clock)
        self.struck: Counter[str] = Counter()
        """How often each kind of fault occurred since the last reset."""
        self.stopping = threading.Event()

    def reset(self, *, profiles: bool = True, stats: bool = True) -> None:
        super().reset(profiles=profiles, stats=stats)
        self.faults.clear()
        self.struck.clear()

    def admit(self, name: str, source: bytes | Mapping[str, str], tally: Tally) -> FaultyCall:
        era = self.store.era
        route = self.routes[name]
        read = self.read(route, source, tally)
        decision = self.faults.decide(name, lambda: ids_in(source))
        self.struck.update(decision.names)
        if decision.ending and not decision.ending.applies_first:
            raise RefusedCallError(faulty(decision.ending, None, self.now()))
        if decision.rejecting:
            fault = decision.rejecting
            raise refuse(fault.status or 400, fault.category, fault.reason)
        self.pace(route, read, tally)
        self._wait(decision.seconds(applied=False))
        return FaultyCall(route, read, tally, era, decision=decision)

    def settle(self, call: Call) -> Reply:
        assert isinstance(call, FaultyCall)
        reply = super().settle(call)
        self._wait(call.decision.seconds(applied=True))
        ending = call.decision.ending
        return faulty(ending, reply, self.now()) if ending else reply

    def reject(self, read: Operations, refusals: Refusals, call: Call) -> Operations:
        assert isinstance(call, FaultyCall)
        left = []
        for index, operation in super().reject(read, refusals, call):
            whole, attributes = call.decision.refusals(operation)
            refusals += [(index, refusal) for refusal in ([whole] if whole else attributes)]
            if whole is None:
                left.append((index, operation))
        return left

    def _wait(self, seconds: float) -> None:
        # This blocks one worker thread; the server keeps running.
        if seconds > 0:
            self.stopping.wait(seconds)


def ids_in(source: bytes | Mapping[str, str]) -> set[str]:
    """The custom ids or item ids of an unparsed call."""
    document: Any = json.loads(source) if isinstance(source, bytes) else None
    if isinstance(document, list):
        operations = [each.get("identifiers") for each in document if isinstance(each, dict)]
        found = [each.get("custom_id") for each in operations if isinstance(each, dict)]
    else:
        entries = (document or {}).get("ids") or (document or {}).get("items") or []
        found = [each.get("id") for each in entries]
    return {each for each in found if isinstance(each, str)}


class FaultyServer(SandboxServer):
    """The sandbox's server with faults."""

    _sandbox: FaultySandbox

    def _open(self, settings: SandboxSettings, clock: Callable[[], float]) -> FaultySandbox:
        return FaultySandbox(settings, clock=clock)

    def _app(self, stopping: asyncio.Event) -> ASGIApp:
        app = build_app(self._sandbox, stopping, partial(respond, stopping=stopping))
        app.router.add_route("/_sandbox/faults", self._set_faults, methods=["POST"])
        app.router.routes.insert(0, app.router.routes.pop())
        return with_transport(app)

    @contextmanager
    def changed(self, **settings: object) -> Iterator[None]:
        """Other settings until exit."""
        before = {name: getattr(self.settings, name) for name in settings}
        self.change(**settings)
        try:
            yield
        finally:
            self.change(**before)

    async def _set_faults(self, request: Request) -> Response:
        self.faults.set([read_fault(each) for each in await request.json()])
        return JSONResponse(None)

    @property
    def faults(self) -> FaultPlan:
        """The active faults; changes apply from the next call."""
        return self._sandbox.faults

    @property
    def struck(self) -> Counter[str]:
        """How often each kind of fault occurred."""
        return Counter(self._sandbox.struck)

    def start(self) -> None:
        self._sandbox.stopping.clear()
        super().start()

    def stop(self) -> None:
        self._sandbox.stopping.set()
        super().stop()


def read_fault(document: Mapping[str, Any]) -> Fault:
    """Parse a fault."""
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
    when = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.pop("when", {}).items()
    }
    return Fault(**{**fields, "kind": FaultKind(fields["kind"]), "when": When(**when)})


if __name__ == "__main__":
    with FaultyServer(SandboxSettings(rate_limits=False), port=int(sys.argv[1])):
        while True:
            time.sleep(3600)
