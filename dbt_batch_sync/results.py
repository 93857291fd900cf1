"""The results of verbs, for display and `--json`. They contain no customer data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from dbt_batch_sync.ledger.audits import Audited
from dbt_batch_sync.ledger.erasures import Erasure, ErasureCounts
from dbt_batch_sync.ledger.records import RejectCount, RejectedKey, Rejection, Run
from dbt_batch_sync.ledger.requests import Request, Scope

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin

Status = Literal["succeeded", "partial", "interrupted", "failed"]

EXIT_CODES: dict[str, int] = {"succeeded": 0, "failed": 1, "partial": 3, "interrupted": 130}
"""The command line's exit codes. After SIGTERM, it is 143."""


@dataclass(frozen=True)
class SyncPushed:
    """The result of one sync's push. `status` is as for a whole push, or `skipped` if it was not started.

    Counts of changes cover what was not settled before; `invalid` and `parked` cover the whole delta. `sent`
    counts profiles, `settled` rows that are not sent again until they change. `unsure` counts events that
    Batch may have received twice (`on_doubt: resend`) or not at all (`skip`).
    """

    sync: str
    kind: str
    status: str
    delta_id: str | None = None
    endpoint: str | None = None
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    sent: int = 0
    accepted: int = 0
    rejected_rows: int = 0
    rejected_attributes: int = 0
    parked: int = 0
    unsure: int = 0
    requests: int = 0
    retries: int = 0
    settled: int = 0
    seconds: float = 0.0
    error: str | None = None

    @staticmethod
    def of(run: Run, kind: str) -> SyncPushed:
        """The same for a run."""
        names = [name for name in SyncPushed.__dataclass_fields__ if name != "kind"]
        return SyncPushed(kind=kind, **{name: getattr(run, name) for name in names})


@dataclass(frozen=True)
class PushResult:
    """A push of one or more syncs. Times are in UTC."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    syncs: tuple[SyncPushed, ...]

    @property
    def status(self) -> Status:
        """The worst status of its syncs: failed, interrupted (or one was skipped), partial, succeeded."""
        found = {sync.status for sync in self.syncs}
        if "failed" in found:
            return "failed"
        if found & {"interrupted", "skipped"}:
            return "interrupted"
        return "partial" if "partial" in found else "succeeded"

    def to_json(self) -> dict[str, object]:
        """The document of `push --json`. `unsure` is there for events only."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "syncs": [
                {key: cell for key, cell in asdict(sync).items() if key != "unsure" or sync.kind == "events"}
                for sync in self.syncs
            ],
        }


@dataclass(frozen=True)
class Sample:
    """One changed attribute of one row, masked."""

    key: str
    change: str
    attribute: str
    old: str
    new: str


@dataclass(frozen=True)
class Flapping:
    """An attribute that changes again for `again` of the last push's `sent` profiles."""

    attribute: str
    again: int
    sent: int

    def __str__(self) -> str:
        return (
            f"`{self.attribute}` flaps: it changes again for {self.again:,} of the {self.sent:,} rows "
            "of the last push. Does its column change with every build?"
        )


@dataclass(frozen=True)
class SyncPlanned:
    """What a push would do. Counts cover what is not settled. `attributes` counts the rows that send each
    attribute, `resubscriptions` the rows whose consent `never_resubscribe` holds back.

    `seconds` is the time at Batch's rate limit. `mapping` is its hash. `stops` would stop any push, `guards`
    a push without `--force`. `steps` are what a push would do before it sends rows. `flapping` are attributes
    that seem to change with every build.
    """

    sync: str
    delta_id: str | None
    output: str = ""
    endpoint: str | None = None
    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0
    parked: int = 0
    invalid_reasons: dict[str, int] = field(default_factory=dict)
    resubscriptions: int = 0
    attributes: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0
    samples: tuple[Sample, ...] = ()
    mapping: str = ""
    stops: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    flapping: tuple[Flapping, ...] = ()
    kind: str = "profiles"
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanResult:
    """The plans of the selected syncs."""

    syncs: tuple[SyncPlanned, ...]

    def to_json(self) -> dict[str, object]:
        """The document of `plan --json`."""
        return {"syncs": [asdict(sync) for sync in self.syncs]}


@dataclass(frozen=True)
class Difference:
    """How many profiles differ in one way: `missing_value`, `other_value` or `unexpected_value` of an
    attribute; `missing_profile` without one.
    """

    attribute: str | None
    difference: str
    count: int


@dataclass(frozen=True)
class DriftSample:
    """One difference, masked."""

    profile: str
    attribute: str | None
    difference: str
    ours: str
    batch: str


@dataclass(frozen=True)
class SyncAudited:
    """The result of an audit of a sync.

    Attributes:
        skipped: Why nothing can be compared.
        compared: Rows that Batch should hold.
        drifted: Rows that differ but should not. For an audience or a catalog, of which only the size
            (`in_batch`) can be read, the difference in size.
        unknown_profiles: Profiles in Batch that are not in the sync and have a value of a mapped attribute.
            They are not drift.
        expected: Differences that are not drift, by reason.
        repairs: Whether the next delta will contain the differences.
    """

    sync: str
    kind: str
    audit_id: str | None = None
    export: str | None = None
    delta_id: str | None = None
    mapping: str = ""
    began_at: datetime | None = None
    compared: int = 0
    drifted: int = 0
    unknown_profiles: int = 0
    in_batch: int | None = None
    differences: tuple[Difference, ...] = ()
    expected: dict[str, int] = field(default_factory=dict)
    samples: tuple[DriftSample, ...] = ()
    repairs: bool = False
    skipped: str | None = None
    error: str | None = None

    @property
    def share(self) -> float:
        """The share of the compared rows that differ."""
        return self.drifted / self.compared if self.compared else 0.0


@dataclass(frozen=True)
class AuditResult:
    """An audit of one or more syncs. `next` are the commands that send the differences again."""

    tolerance: float
    syncs: tuple[SyncAudited, ...]
    next: tuple[str, ...] = ()

    @property
    def status(self) -> Literal["succeeded", "drift", "failed"]:
        """`drift` if more differs than the tolerance allows."""
        if any(sync.error is not None for sync in self.syncs):
            return "failed"
        return "drift" if any(sync.share > self.tolerance for sync in self.syncs) else "succeeded"

    def to_json(self) -> dict[str, object]:
        """The document of `audit --json`."""
        return {
            "status": self.status,
            "tolerance": self.tolerance,
            "syncs": [{**_object(asdict(sync)), "share": sync.share} for sync in self.syncs],
            "next": list(self.next),
        }


@dataclass(frozen=True)
class SyncStatus:
    """The last runs of a sync, newest first, its parked rows, and the requests that no `dbt run` has
    answered.

    For an audience or a catalog, `expected` is how many members or items Batch should have, `in_batch` how
    many it reports, and `note` why that is unknown or differs.
    """

    sync: str
    runs: tuple[Run, ...]
    parked: int = 0
    requests: tuple[Request, ...] = ()
    kind: str = "profiles"
    expected: int | None = None
    in_batch: int | None = None
    note: str | None = None
    audit: Audited | None = None
    erasures: ErasureCounts = field(default_factory=ErasureCounts)


@dataclass(frozen=True)
class StatusResult:
    """The histories of the selected syncs."""

    syncs: tuple[SyncStatus, ...]

    def to_json(self) -> dict[str, object]:
        """The document of `status --json`."""
        return {
            "syncs": [
                {
                    "sync": each.sync,
                    "kind": each.kind,
                    "expected": each.expected,
                    "in_batch": each.in_batch,
                    "note": each.note,
                    "parked": each.parked,
                    "erasures": asdict(each.erasures),
                    "requests": [_request_json(request) for request in each.requests],
                    "runs": [_timed(asdict(run)) for run in each.runs],
                    "audit": None if each.audit is None else _timed(asdict(each.audit)),
                }
                for each in self.syncs
            ]
        }


@dataclass(frozen=True)
class SyncRejects:
    """The open rejections of a sync. `table` contains the rows. `invalid` counts rows of the delta that can't
    be sent, by reason. `profiles` are the first open rejections, if requested.
    """

    sync: str
    table: str
    rejects: tuple[RejectCount, ...]
    kind: str = "profiles"
    invalid: dict[str, int] = field(default_factory=dict)
    profiles: tuple[RejectedKey, ...] = ()


@dataclass(frozen=True)
class RejectsResult:
    """The open rejections of the selected syncs."""

    syncs: tuple[SyncRejects, ...]

    def to_json(self) -> dict[str, object]:
        """The document of `rejects --json`."""
        return {
            "syncs": [
                {
                    "sync": each.sync,
                    "kind": each.kind,
                    "table": each.table,
                    "rejects": [_reject_json(count) for count in each.rejects],
                    "invalid": each.invalid,
                    "profiles": [asdict(profile) for profile in each.profiles],
                }
                for each in self.syncs
            ]
        }


@dataclass(frozen=True)
class SyncReport:
    """What a report shows of a sync: its last runs, newest first; the unsettled rows of its delta by change,
    and how many send each attribute; parked rows; and the open rejections in `table`, most frequent first.
    """

    sync: str
    runs: tuple[Run, ...]
    inserts: int
    updates: int
    exits: int
    invalid: int
    parked: int
    attributes: dict[str, int]
    rejects: tuple[RejectCount, ...]
    table: str
    kind: str = "profiles"
    audit: Audited | None = None

    @property
    def pending(self) -> int:
        """Rows of the delta that the next push sends; invalid ones are not among them."""
        return self.inserts + self.updates + self.exits


@dataclass(frozen=True)
class ReportResult:
    """The selected syncs at a time, in UTC."""

    made_at: datetime
    target: str
    syncs: tuple[SyncReport, ...]
    project: str = "dbt-batch-sync"


@dataclass(frozen=True)
class Change:
    """An attribute in the next push, with masked values."""

    attribute: str
    old: str
    new: str


@dataclass(frozen=True)
class Pending:
    """What the delta has of an unsettled profile. `reason`: why it can't be sent (`parked`: Batch rejected
    the row), or which consents are held back (`never_resubscribe:…`).
    """

    change: str
    reason: str | None
    attributes: tuple[Change, ...]


@dataclass(frozen=True)
class Occurrence:
    """An event of a person and its `state`: `sent`, `queued`, `unsure`, or why it is invalid."""

    name: str | None
    time: datetime | None
    state: str
    sent_at: datetime | None


@dataclass(frozen=True)
class SyncProfile:
    """What a sync knows about one profile. `sent_at` is None if Batch has accepted nothing of it.

    `attributes` are the values that Batch holds as far as known, masked, without nulls and rejected values.
    `rejects` has the last rejection of each attribute, open or resolved. A sync of events only has the
    person's last `events`, newest first.
    """

    sync: str
    sent_at: datetime | None
    run_id: str | None
    exited_at: datetime | None
    attributes: dict[str, str]
    in_doubt: tuple[str, ...]
    pending: Pending | None
    rejects: tuple[Rejection, ...]
    kind: str = "profiles"
    erasures: tuple[Erasure, ...] = ()
    events: tuple[Occurrence, ...] = ()


@dataclass(frozen=True)
class ProfileResult:
    """One key in the selected syncs: a profile, a member or an item."""

    key: str
    syncs: tuple[SyncProfile, ...]

    @property
    def is_known(self) -> bool:
        """Whether any sync knows the key."""
        return any(each.sent_at or each.pending or each.rejects for each in self.syncs)

    def to_json(self) -> dict[str, object]:
        """The document of `profile --json`."""
        return {"key": self.key, "syncs": [_timed(asdict(each)) for each in self.syncs]}


@dataclass(frozen=True)
class ValidateResult:
    """The valid syncs; errors are raised as one MappingError. The columns of `unchecked` ones are unknown,
    because dbt has not compiled their models or the SQL does not tell. `steps` are what the next push creates
    or changes in Batch before it sends rows.
    """

    syncs: tuple[str, ...]
    checked_online: bool
    unchecked: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The document of `validate --json`."""
        return {
            "valid": True,
            "syncs": list(self.syncs),
            "unchecked": list(self.unchecked),
            "online": self.checked_online,
            "steps": list(self.steps),
            "problems": [],
        }


@dataclass(frozen=True)
class ResendResult:
    """What was requested, for each sync. Nothing was sent. `next` are the commands that send it, and `notes`
    what they don't do.
    """

    request: Scope
    syncs: tuple[Request, ...]
    next: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The document of `resend --json`."""
        return {
            "request": self.request,
            "syncs": [{"sync": each.sync, **_request_json(each)} for each in self.syncs],
            "next": list(self.next),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class AttributeLineage:
    """The columns outside dbt's models from which an attribute is computed. `column` is the sync's; None for
    a membership. Without origins, it is a constant or a row count.
    """

    attribute: str
    column: str | None
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class SyncLineage:
    """The key and the attributes of a sync."""

    sync: str
    attributes: tuple[AttributeLineage, ...]
    kind: str = "profiles"


@dataclass(frozen=True)
class LineageResult:
    """The lineages of the selected syncs. `not_compiled` names upstream models whose SQL is unknown."""

    syncs: tuple[SyncLineage, ...]
    not_compiled: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The document of `lineage --json`."""
        return {"syncs": [asdict(sync) for sync in self.syncs], "not_compiled": list(self.not_compiled)}


def noun(kind: str) -> str:
    """The noun for a row of a kind, such as `profile`."""
    from dbt_batch_sync.mapping.mapping_reader import KINDS

    return KINDS[kind].noun


def iso(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, whole seconds."""
    return None if moment is None else moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _object(cells: dict[str, object]) -> dict[str, object]:
    return {name: _timed(cell) for name, cell in cells.items()}


def _timed(cell: object) -> object:
    """The same with its times as text, at any depth."""
    if isinstance(cell, datetime):
        return iso(cell)
    if isinstance(cell, dict):
        return {key: _timed(each) for key, each in cell.items()}
    return [_timed(each) for each in cell] if isinstance(cell, (list, tuple)) else cell


def _request_json(request: Request) -> dict[str, object]:
    return {"id": request.id, "request": request.request, "recorded_at": iso(request.recorded_at)}


def _reject_json(count: RejectCount) -> dict[str, object]:
    cells = {name: cell for name, cell in asdict(count).items() if name != "sync"}
    return {name: _timed(cell) for name, cell in cells.items()}
