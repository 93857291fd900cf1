"""What the verbs that move data answer: push, adopt, resend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.ledger.requests import Request, Scope
from dbt_batch_sync.results import Result

Status = Literal["succeeded", "partial", "interrupted", "failed"]

EXIT_CODES: dict[str, int] = {"succeeded": 0, "failed": 1, "partial": 3, "interrupted": 130}
"""The command line's; an interruption by SIGTERM is 143."""


@dataclass(frozen=True)
class SyncPushed:
    """How the push of one sync ended: like a push as a whole, or `skipped` when it was not begun.

    Counts of changes cover what was not settled before; `invalid` and `parked` are all that the delta has.
    `sent` counts profiles, and `settled` the rows that no push sends again until they change. Nobody knows
    of `unsure` events whether Batch took them twice (`on_doubt: resend`) or at all (`skip`).
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
        """The same, of a run."""
        names = [name for name in SyncPushed.__dataclass_fields__ if name != "kind"]
        return SyncPushed(kind=kind, **{name: getattr(run, name) for name in names})


@dataclass(frozen=True)
class PushResult(Result):
    """A push of one or more syncs. Times are UTC."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    syncs: tuple[SyncPushed, ...]

    @property
    def status(self) -> Status:
        """The worst of the syncs': failed, interrupted (or one was skipped), partial, succeeded."""
        found = {sync.status for sync in self.syncs}
        if "failed" in found:
            return "failed"
        if found & {"interrupted", "skipped"}:
            return "interrupted"
        return "partial" if "partial" in found else "succeeded"

    def to_json(self) -> dict[str, Any]:
        """See Result. `unsure` is a count of events alone."""
        document = {"run_id": self.run_id, "status": self.status, **super().to_json()}
        for sync in document["syncs"]:
            if sync["kind"] != "events":
                del sync["unsure"]
        return document


@dataclass(frozen=True)
class ResendResult(Result):
    """What was asked for, a request for each sync. Nothing was sent; `next` are the commands that do it, and
    `notes` say what it does not do.
    """

    request: Scope
    syncs: tuple[Request, ...]
    next: tuple[str, ...]
    notes: tuple[str, ...] = ()
