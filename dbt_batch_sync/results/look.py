"""What the verbs that only read answer: plan, audit, status, rejects, profile, report, validate, lineage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from dbt_batch_sync.errors import Problem
from dbt_batch_sync.ledger.audits import Audited
from dbt_batch_sync.ledger.erasures import Erasure, ErasureCounts
from dbt_batch_sync.ledger.records import RejectCount, RejectedKey, Rejection, Run
from dbt_batch_sync.ledger.requests import Request
from dbt_batch_sync.results import Result, shown_name

if TYPE_CHECKING:
    from dbt_batch_sync.artifacts.compiled import Origin


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
            f"`{shown_name(self.attribute)}` flaps: it changes again for {self.again:,} of the "
            f"{self.sent:,} rows of the last push. Does its column change with every build?"
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
class PlanResult(Result):
    """The plans of the selected syncs."""

    syncs: tuple[SyncPlanned, ...]


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
        """The share of the compared rows that differ, at most 1."""
        return min(1.0, self.drifted / max(1, self.compared))


@dataclass(frozen=True)
class AuditResult(Result):
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

    def to_json(self) -> dict[str, Any]:
        """See Result."""
        document = {"status": self.status, **super().to_json()}
        for told, sync in zip(document["syncs"], self.syncs, strict=True):
            told["share"] = sync.share
        return document


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
class StatusResult(Result):
    """The histories of the selected syncs."""

    syncs: tuple[SyncStatus, ...]


@dataclass(frozen=True)
class SyncRejects:
    """The open rejections of a sync. `table` contains the rows. `invalid` counts rows of the delta that can't
    be sent, by reason. `profiles` are the first of both, if requested.
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

    @property
    def is_known(self) -> bool:
        return bool(self.sent_at or self.pending or self.rejects or self.erasures or self.events)


@dataclass(frozen=True)
class ProfileResult(Result):
    """One key in the selected syncs: a profile, a member or an item."""

    key: str
    syncs: tuple[SyncProfile, ...]

    @property
    def is_known(self) -> bool:
        return any(each.is_known for each in self.syncs)


@dataclass(frozen=True)
class ValidateResult(Result):
    """Every sync that is fine, or, if not `valid`, what is wrong. The columns of `unchecked` ones are not
    known: dbt has not compiled their models, or the SQL does not tell. `steps` are what the next push creates
    or changes in Batch before it sends rows. `notes` are about versions and names of
    models, and about mappings that dbt may not have read.
    """

    valid: bool
    syncs: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    online: bool = False
    steps: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """See Result. Without notes, their key is left out."""
        document = super().to_json()
        if not self.notes:
            del document["notes"]
        return document


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
class LineageResult(Result):
    """The lineages of the selected syncs. `not_compiled` names upstream models whose SQL is unknown."""

    syncs: tuple[SyncLineage, ...]
    not_compiled: tuple[str, ...]
