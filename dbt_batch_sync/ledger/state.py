"""The state of a sync according to the journal: its last delta, how far it is settled, and who pushes it."""

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
"""After this time without a sign of life, a push is dead and must not send any more."""

LEASE = timedelta(seconds=LEASE_SECONDS)


@dataclass(frozen=True)
class Built:
    """The delta that `dbt run` built last. `page` is its last page, None if it has no rows. `model_rows` are
    in the model, `known_rows` in the snapshot, without exited ones. `invalid` doesn't include `parked`.
    `unsure` events may have been sent before; they are sent again or invalid. `request` is `all` if it sends
    everything again, and `first` if it is unknown which events were sent.
    """

    delta_id: str
    built_at: datetime
    target: str = ""
    mapping_hash: str = ""
    attribute_types: str = ""
    mode: str | None = None
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
        """The rows that a push sends."""
        return self.inserts + self.updates + self.exits

    @property
    def rows(self) -> int:
        """All rows of the delta."""
        return self.changes + self.invalid + self.parked


@dataclass(frozen=True)
class Checkpoint:
    """All rows up to `page` are settled, and in the next page those up to `key`."""

    page: int = -1
    key: str | None = None


@dataclass(frozen=True)
class Claim:
    """A push that works on a sync, or did so until it was last heard."""

    run_id: str
    host: str
    process: int | None
    claimed_at: datetime
    heard_at: datetime

    def is_live(self, now: datetime) -> bool:
        """Whether it was heard recently and its process, if that is on this host, still exists."""
        if now - self.heard_at >= LEASE:
            return False
        return self.process is None or self.host != this_host() or process_exists(self.process)


@dataclass(frozen=True)
class SyncState:
    """The state of one sync at `now`, the warehouse's time. All but the claims is about the last built delta.

    Attributes:
        is_building: dbt has started to build a newer delta, and has not recorded that it is built.
        rejected_rows: Rows that finished pushes had rejected.
        has_ended: Whether a push has ended.
        unreported: Rows that may have been sent more than once, or never, settled by pushes that were killed
            before they reported them.
        sent_page: The last page that a push may have sent; None if there is none.
        claims: Live claims that are not released.
        project_hash: The Batch project of the last push; None before the first one, and once a later delta
            sends everything again.
    """

    sync: str
    now: datetime
    built: Built | None = None
    is_building: bool = False
    checkpoint: Checkpoint = Checkpoint()
    rejected_rows: int = 0
    has_ended: bool = False
    unreported: int = 0
    sent_page: int | None = None
    claims: tuple[Claim, ...] = ()
    project_hash: str | None = None

    @property
    def parked(self) -> int:
        """Rows that are not sent until they change: those parked in the delta, and those rejected since."""
        return self.rejected_rows + (self.built.parked if self.built else 0)

    @property
    def is_settled(self) -> bool:
        """Whether everything in the last delta is settled."""
        if self.built is None:
            return False
        page = self.built.page
        return not self.built.changes or page is None or page <= self.checkpoint.page

    def others(self, run_id: str) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.run_id != run_id)


def state_of(sync: str, events: Iterable[Event], now: datetime) -> SyncState:
    """Derives the state from a sync's events; the last event of each run, delta and kind is enough.

    Pure, except that it checks whether the process of a claim on this host exists.
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
        _unreported(of_delta),
        _sent_page(of_delta),
        tuple(claim for claim in _claims(ordered) if claim.is_live(now)),
        _project(ordered),
    )


def _unreported(of_delta: Iterable[Event]) -> int:
    """What was settled since the last push ended."""
    runs: dict[str | None, int] = {}
    for each in of_delta:
        if each.event == "ended":
            runs.clear()
        elif each.event == "checkpoint":
            runs[each.run_id] = each.unsure or 0
    return sum(runs.values())


def _sent_page(of_delta: Iterable[Event]) -> int | None:
    """The last intent of a push that has not ended. One that has ended recorded what it really sent."""
    pages: dict[str | None, int | None] = {}
    for each in sorted(of_delta, key=lambda each: each.event == "ended"):
        if each.event in ("intent", "ended"):
            pages[each.run_id] = each.page
    return max((page for page in pages.values() if page is not None), default=None)


def _reach(checkpoint: Event) -> tuple[int, datetime]:
    """The order of keys is the warehouse's and not known here, so the later key of a page counts."""
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
    """The claims of runs that have not released the sync since. A run may claim it again."""
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
    """The host's name and, on Linux, its process namespace and boot id. Process numbers are only comparable
    within all three, and two hosts may share a name.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid").removeprefix("pid:")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        namespace, boot = f"[{uuid.getnode():x}]", ""
    return socket.gethostname() + namespace + boot


def process_exists(process: int) -> bool:
    if Path("/proc/self/stat").exists():
        try:
            # The state follows the name in parentheses. Z is a dead process whose parent hasn't noticed.
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
