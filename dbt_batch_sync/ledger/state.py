"""What the journal says of a sync: the delta that was built last, how far it is, and who pushes it."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path

from dbt_batch_sync.ledger.records import Event

LEASE_SECONDS = 60.0
"""Without a sign of life for so long, a push is dead, and must not send any more."""

LEASE = timedelta(seconds=LEASE_SECONDS)


@dataclass(frozen=True)
class Built:
    """The delta that `dbt run` built last. `page` is its last one, None when it has no row; `model_rows` were
    in the model, and `known_rows` in the snapshot, without those that left. `invalid` is without `parked`.
    `unsure` events may have been sent before: they are sent again, or invalid. `request`: `all` when it sends
    everything again, `first` when nothing is known of events that were sent.
    """

    delta_id: str
    built_at: datetime
    target: str = ""
    mapping_hash: str = ""
    attribute_types: str = ""
    mode: str | None = None
    version: str | None = None
    model_rows: int = 0
    known_rows: int = 0
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    parked: int = 0
    page: int | None = None
    unsure: int = 0
    request: str | None = None

    @property
    def changes(self) -> int:
        """Rows that a push sends."""
        return self.inserts + self.updates + self.exits

    @property
    def rows(self) -> int:
        """All rows of the delta."""
        return self.changes + self.invalid + self.parked


@dataclass(frozen=True)
class Checkpoint:
    """All rows up to and with `page` are settled, and of the page after it those up to `key`."""

    page: int = -1
    key: str | None = None


@dataclass(frozen=True)
class Claim:
    """A push that is at work on a sync, or was until it was heard of last."""

    run_id: str
    host: str
    process: int | None
    claimed_at: datetime
    heard_at: datetime

    def is_live(self, now: datetime) -> bool:
        """Whether it was heard of lately, and its process is not known to be gone."""
        return now - self.heard_at < LEASE and not self._is_gone

    @property
    def _is_gone(self) -> bool:
        """Whether it was a process of this host that does not exist any more."""
        return self.host == this_host() and self.process is not None and not _exists(self.process)


@dataclass(frozen=True)
class SyncState:
    """What the journal says of one sync at `now`, the warehouse's time.

    Attributes:
        built: None before the first `dbt run`.
        is_building: dbt has begun to build a newer delta and has not said that it is built.
        checkpoint: Of the delta that was built last.
        rejected_rows: Rows of that delta that pushes which have ended had rejected.
        has_ended: Whether there is a push of that delta which has ended.
        sent_page: Up to which of its pages a push may have sent it; None: none.
        claims: The pushes that have not released the sync and are alive.
        project_hash: Of the Batch project that the last push wrote to; None before the first, and when a
            delta was built since then that sends everything again.
    """

    sync: str
    now: datetime
    built: Built | None = None
    is_building: bool = False
    checkpoint: Checkpoint = Checkpoint()
    rejected_rows: int = 0
    has_ended: bool = False
    sent_page: int | None = None
    claims: tuple[Claim, ...] = ()
    project_hash: str | None = None

    @property
    def parked(self) -> int:
        """Rows that wait for a change: those that the delta has parked, and those rejected since."""
        return self.rejected_rows + (self.built.parked if self.built else 0)

    @property
    def is_settled(self) -> bool:
        """Whether nothing of the last delta is left to send."""
        if self.built is None:
            return False
        page = self.built.page
        return not self.built.changes or page is None or page <= self.checkpoint.page

    def others(self, run_id: str) -> tuple[Claim, ...]:
        """The live claims that are not this run's."""
        return tuple(claim for claim in self.claims if claim.run_id != run_id)


def state_of(sync: str, events: Iterable[Event], now: datetime) -> SyncState:
    """The state that a sync's events make; of each run, event and delta the last one is enough.

    Pure but for the check whether a claim of this host still has a process.
    """
    ordered = sorted(events, key=lambda each: (each.recorded_at, each.page or 0))
    last: dict[str, Event] = {each.event: each for each in ordered}
    built = _built(last["built"]) if "built" in last else None
    delta_id = built.delta_id if built else None
    of_delta = [each for each in ordered if built and each.delta_id == delta_id]
    building = last.get("building")
    is_building = bool(
        building and built and building.recorded_at > built.built_at and building.delta_id != delta_id
    )
    settled = max((each for each in of_delta if each.event == "checkpoint"), key=_reach, default=None)
    return SyncState(
        sync,
        now,
        built,
        is_building,
        Checkpoint() if settled is None or settled.page is None else Checkpoint(settled.page, settled.key),
        sum(each.rejected_rows or 0 for each in of_delta if each.event == "ended"),
        any(each.event == "ended" for each in of_delta),
        _sent_page(of_delta),
        tuple(claim for claim in _claims(ordered) if claim.is_live(now)),
        _project(ordered),
    )


def _sent_page(of_delta: Iterable[Event]) -> int | None:
    """The last intent of a push that has not ended; one that has says what it really sent."""
    pages: dict[str | None, int | None] = {}
    for each in sorted(of_delta, key=lambda each: each.event == "ended"):
        if each.event in ("intent", "ended"):
            pages[each.run_id] = each.page
    return max((page for page in pages.values() if page is not None), default=None)


def _reach(checkpoint: Event) -> tuple[int, datetime]:
    """Keys are in the warehouse's order, which is not known here: the later one of a page reaches farther."""
    return -1 if checkpoint.page is None else checkpoint.page, checkpoint.recorded_at


def _project(ordered: Sequence[Event]) -> str | None:
    project = None
    for each in ordered:
        if each.event == "intent":
            project = each.project_hash
        elif each.event == "built" and each.request == "all":
            project = None
    return project


def _claims(ordered: Iterable[Event]) -> Iterable[Claim]:
    """Of each run that has not released the sync since it claimed it. A run may claim it again."""
    runs: dict[str, list[Event]] = {}
    for each in ordered:
        if each.run_id is None or each.event in ("resend", "doubt"):
            continue
        own = runs.setdefault(each.run_id, [])
        if each.event in ("claimed", "released", "ended"):
            own.clear()
        if each.event not in ("released", "ended"):
            own.append(each)
    for run_id, events in runs.items():
        if events and events[0].event == "claimed":
            first, heard_at = events[0], events[-1].recorded_at
            yield Claim(run_id, first.host or "", first.process, first.recorded_at, heard_at)


def _built(event: Event) -> Built:
    own = {each.name: getattr(event, each.name) for each in fields(Built) if each.name != "built_at"}
    return Built(built_at=event.recorded_at, **{name: cell for name, cell in own.items() if cell is not None})


def this_host() -> str:
    """The host's name and, on Linux, its process namespace and boot: process numbers mean something only
    within all of them, and two hosts may have the same name.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid").removeprefix("pid:")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        namespace, boot = f"[{uuid.getnode():x}]", ""
    return socket.gethostname() + namespace + boot


def _exists(process: int) -> bool:
    if Path("/proc/self/stat").exists():
        try:
            # What follows the name in parentheses is the state; a Z is dead, and only waits for its parent
            # to notice.
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
