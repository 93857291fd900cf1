"""Allows one push per sync. A claim is appended and read back, and is valid only if no other live one is
seen.

If two pushes append at the same time, at least one sees the other and retreats. Both may retreat, but never
do both continue. A claim lives for `LEASE_SECONDS` after the last event of its push. An event renews it only
if it was appended before the claim expired, because after that, another push may have read the journal
without it. So a push that was paused or cut off for too long stops, and its late appends have no effect.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event as Signal
from threading import RLock, Thread
from typing import Any, Literal

from dbt_batch_sync import __version__
from dbt_batch_sync.errors import BatchSyncError, Stopped
from dbt_batch_sync.ledger.journal import ROWS_AT_ONCE, Journal, awake
from dbt_batch_sync.ledger.records import Event, EventName, Reject
from dbt_batch_sync.ledger.state import LEASE_SECONDS, Claim, SyncState, this_host

BEAT_SECONDS = 20.0
"""The longest silence before a push appends a beat."""

TRIES = 5
"""How often a push retries a claim that another push made at the same moment."""

SAME_MOMENT = timedelta(seconds=10)


@dataclass(frozen=True)
class Timing:
    """Clock and chance (from 0 up to 1) of a claim. `seconds` also counts while the machine sleeps."""

    seconds: Callable[[], float] = awake
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


Step = Literal["claimed", "read", "released"] | float
"""A claimant's next step: append one of two events, read the state, or wait."""


def contend(sync: str, run_id: str, chance: Callable[[], float]) -> Generator[Step, Any, SyncState]:
    """The steps of claiming a sync. Send the state to a "read" step. Returns the state in which the claim is
    valid, or raises Stopped, with the claim released, if another push holds it.
    """
    for tries in range(TRIES):
        yield "claimed"
        state: SyncState = yield "read"
        others = state.others(run_id)
        if not others:
            return state
        yield "released"
        if any(state.now - other.claimed_at > SAME_MOMENT for other in others):
            break
        yield (chance() + 0.1) * 2**tries / 4
    raise Stopped(_held(sync, others[0]))


class Hold:
    """This push's claim on one sync, for several threads.

    `append` and `check` raise Stopped once the claim has expired, permanently.
    """

    def __init__(self, journal: Journal, sync: str, run_id: str, timing: Timing = Timing()) -> None:
        self.journal = journal
        self._sync = sync
        self._run_id = run_id
        self._timing = timing
        self._lock = RLock()
        self._heard_at = timing.seconds()
        self._finished = False

    @property
    def seconds_left(self) -> float:
        """The time until another push may take over."""
        return self._heard_at + LEASE_SECONDS - self._timing.seconds()

    def take(self, **cells: Any) -> SyncState:
        """Claims the sync, with the fields of the event, and returns its state. Raises Stopped."""
        steps = contend(self._sync, self._run_id, self._timing.chance)
        answer: SyncState | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as ended:
                self.check()
                state: SyncState = ended.value
                return state
            answer = None
            if step == "claimed":
                self._heard_at = self._timing.seconds()
                self.append([self.event("claimed", **identity(), **cells)])
            elif step == "released":
                self.append([self.event("released")])
            elif step == "read":
                answer = self.journal.state(self._sync)
            else:
                self._timing.sleep(float(step))

    def event(self, name: EventName, **cells: Any) -> Event:
        """An event of this push, now."""
        return Event(self.journal.stamp(), self._sync, name, run_id=self._run_id, **cells)

    def append(self, events: Sequence[Event]) -> None:
        """Appends events. They renew the claim if they are in the journal before it expires."""
        with self._lock:
            self.check()
            began = self._timing.seconds()
            # Others see the time of the append, not how long it waited for a beat.
            self.journal.append([replace(each, recorded_at=self.journal.stamp()) for each in events])
            self.check()
            self._heard_at = began

    def finish(self, events: Sequence[Event]) -> None:
        """Appends the last events, including the release, even if the claim has expired. No beat follows."""
        with self._lock:
            self._finished = True
            self.journal.append(events)

    def append_rejects(self, delta_id: str, rejects: Sequence[Reject]) -> None:
        """Appends rejects, a few thousand at a time, so that a beat can be appended in between."""
        for start in range(0, len(rejects), ROWS_AT_ONCE):
            self.check()
            some = rejects[start : start + ROWS_AT_ONCE]
            self.journal.append_rejects(self._sync, self._run_id, delta_id, some)

    def is_lost(self, state: SyncState) -> bool:
        """Whether another push has taken over. While this claim is alive, a later one retreats."""
        return any(
            self.seconds_left <= 0 or state.now - other.claimed_at > SAME_MOMENT
            for other in state.others(self._run_id)
        )

    def check(self) -> None:
        """Raises Stopped if another push may have taken over and sent newer values. Reads nothing."""
        if self.seconds_left <= 0:
            raise Stopped(
                f"this push of `{self._sync}` was silent for {LEASE_SECONDS:.0f} s, so another one may have "
                "taken over. It sent nothing more; what was settled is recorded. Run: dbt-batch-sync push"
            )

    @contextmanager
    def beating(self) -> Iterator[None]:
        """While active, a thread appends a beat whenever nothing else was appended for `BEAT_SECONDS`."""
        ended = Signal()
        thread = Thread(target=self._beat, args=(ended,), name="batch-beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, ended: Signal) -> None:
        while not ended.wait(max(1.0, self.seconds_left - LEASE_SECONDS + BEAT_SECONDS)):
            with self._lock:
                if self._finished or self.seconds_left > LEASE_SECONDS - BEAT_SECONDS:
                    continue
                # A beat may fail. After too many failures, no request is sent any more.
                with suppress(BatchSyncError):
                    self.append([self.event("beat")])


def identity() -> dict[str, Any]:
    """The host, process and version of this push."""
    return {"host": this_host(), "process": os.getpid(), "version": __version__}


def _held(sync: str, holder: Claim) -> str:
    host = holder.host.split("[", maxsplit=1)[0]
    return (
        f"`{sync}` is already being pushed: by process {holder.process} on {host}, since "
        f"{holder.claimed_at:%Y-%m-%d %H:%M:%S} UTC (run {holder.run_id}). Wait for it, or end it; "
        f"if it was killed, try again in {LEASE_SECONDS:.0f} s"
    )
