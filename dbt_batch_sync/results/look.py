"""What the verbs that only read answer: plan, audit, status, rejects, profile, report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from dbt_batch_sync.ledger.audits import Audited
from dbt_batch_sync.ledger.erasures import Erasure, ErasureCounts
from dbt_batch_sync.ledger.records import RejectCount, RejectedKey, Rejection, Run
from dbt_batch_sync.ledger.requests import Request
from dbt_batch_sync.results import Result


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
    """An attribute that changes again for `again` of the `sent` profiles that the last push sent."""

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
    """What a push would do. Counts cover what is not settled; `attributes` counts the rows that send each,
    `resubscriptions` the rows whose consent `never_resubscribe` holds back.

    `seconds` is the time at Batch's rates; `mapping` is its hash; `stops` is what would stop a push, `guards`
    what would stop one without `--force`; `steps` are what a push would do before it sends rows; `flapping`
    are the attributes that seem to change with every build.
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
class PlanResult(Result):
    """The plans of the selected syncs."""

    syncs: tuple[SyncPlanned, ...]


@dataclass(frozen=True)
class Difference:
    """How many profiles differ in one way: by a `missing_value`, an `other_value` or an `unexpected_value` of
    an attribute, or, without one, by a `missing_profile`.
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
    """What an audit of a sync found.

    Attributes:
        skipped: Why nothing of it can be compared.
        compared: Rows that Batch should hold.
        drifted: Those in which it differs, though it should not. Of an audience or a catalog nothing but the
            size (`in_batch`) can be read: how many there are too many or too few.
        unknown_profiles: Profiles in Batch that the sync does not have, with a value of a mapped attribute.
            They are no drift.
        expected: Differences that are no drift, by reason.
        repairs: What differs is in the next delta.
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
        """Of the rows that were compared."""
        return self.drifted / self.compared if self.compared else 0.0


@dataclass(frozen=True)
class AuditResult(Result):
    """An audit of one or more syncs; `next` are the commands that send again what differs."""

    tolerance: float
    syncs: tuple[SyncAudited, ...]
    next: tuple[str, ...] = ()

    @property
    def status(self) -> Literal["succeeded", "drift", "failed"]:
        """`drift`: more differs than the tolerance allows."""
        if any(sync.error is not None for sync in self.syncs):
            return "failed"
        return "drift" if any(sync.share > self.tolerance for sync in self.syncs) else "succeeded"

    def to_json(self) -> dict[str, Any]:
        """See Result."""
        document = {"status": self.status, **super().to_json()}
        for told, sync in zip(document["syncs"], self.syncs, strict=True):
            told["share"] = sync.share
        return document


@dataclass(frozen=True)
class SyncStatus:
    """The last runs of a sync, the newest first, its parked rows, and the requests that no `dbt run` has
    answered.

    Of an audience or a catalog, `expected` is how many members or items Batch should have, `in_batch` how
    many it says it has, and `note` why that is not known, or differs.
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
class StatusResult(Result):
    """The histories of the selected syncs."""

    syncs: tuple[SyncStatus, ...]


@dataclass(frozen=True)
class SyncRejects:
    """The open rejections of a sync; `table` is where the rows are. `invalid` counts rows of the delta that
    can't be sent, by reason; `profiles` are the first open rejections, where they were asked for.
    """

    sync: str
    table: str
    rejects: tuple[RejectCount, ...]
    kind: str = "profiles"
    invalid: dict[str, int] = field(default_factory=dict)
    profiles: tuple[RejectedKey, ...] = ()


@dataclass(frozen=True)
class RejectsResult(Result):
    """The open rejections of the selected syncs."""

    syncs: tuple[SyncRejects, ...]


@dataclass(frozen=True)
class SyncReport:
    """What a report shows of a sync: its last runs, the newest first; the rows of its delta that are not
    settled, by change, and how many of them send each attribute; parked rows; and the open rejections in
    `table`, the most frequent first.
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
        """Rows of the delta that wait for the next push; invalid ones don't."""
        return self.inserts + self.updates + self.exits


@dataclass(frozen=True)
class ReportResult:
    """The selected syncs as they are at a time, in UTC."""

    made_at: datetime
    target: str
    syncs: tuple[SyncReport, ...]
    project: str = "dbt-batch-sync"


@dataclass(frozen=True)
class Change:
    """An attribute that goes with the next push. Values are masked."""

    attribute: str
    old: str
    new: str


@dataclass(frozen=True)
class Pending:
    """What the delta says of a profile that is not settled. `reason`: why it can't be sent (`parked`: Batch
    rejected the row), or which consents are held back (`never_resubscribe:…`).
    """

    change: str
    reason: str | None
    attributes: tuple[Change, ...]


@dataclass(frozen=True)
class Occurrence:
    """An event of a person, and its `state`: `sent`, `queued`, `unsure` or why it is invalid."""

    name: str | None
    time: datetime | None
    state: str
    sent_at: datetime | None


@dataclass(frozen=True)
class SyncProfile:
    """What a sync knows of one profile. `sent_at` is None when Batch never accepted anything of it.

    `attributes` are what Batch holds as far as we know, masked, without nulls and without what is rejected;
    `rejects` has the last rejection of each attribute, open or resolved. Of a sync of events there are only
    the last `events` of the person, the newest first.
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
class ProfileResult(Result):
    """One key in the selected syncs: of a profile, a member or an item."""

    key: str
    syncs: tuple[SyncProfile, ...]

    @property
    def is_known(self) -> bool:
        """Whether any sync knows the profile."""
        return any(each.sent_at or each.pending or each.rejects for each in self.syncs)
