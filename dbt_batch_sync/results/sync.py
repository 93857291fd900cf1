"""What the verbs that move data answer: push, adopt, resend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.ledger.requests import Request, Scope
from dbt_batch_sync.results import Result, counted, noun

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
        names = [name for name in SyncPushed.__dataclass_fields__ if name != "kind"]
        return SyncPushed(kind=kind, **{name: getattr(run, name) for name in names})

    @property
    def summary(self) -> str:
        """One line for a log: what was sent and accepted, and what to do about the rest."""
        if self.status == "skipped":
            return f"{self.sync}: skipped: the push was stopped before it"
        line = (
            f"{self.sync}: {self.status}: {counted(self.inserts, 'insert')}, "
            f"{counted(self.updates, 'update')}, {counted(self.exits, 'exit')}; {self.accepted:,} of "
            f"{counted(self.sent, noun(self.kind))} accepted, {counted(self.requests, 'request')}"
        )
        if self.status == "partial":
            line += (
                f"; {counted(self.rejected_rows, 'row')} and "
                f"{counted(self.rejected_attributes, 'attribute')} rejected, "
                f"{counted(self.invalid, 'row')} invalid, {self.parked:,} parked: "
                f"dbt-batch-sync rejects --select {self.sync}"
            )
        return f"{line}: {self.error}" if self.error else line


@dataclass(frozen=True)
class PushResult(Result):
    """A push of one or more syncs. Times are in UTC. `notes`: mappings that dbt may not have read."""

    run_id: str
    started_at: datetime
    finished_at: datetime
    syncs: tuple[SyncPushed, ...]
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst status of its syncs: failed, interrupted (or one was skipped), partial, succeeded."""
        found = {sync.status for sync in self.syncs}
        if "failed" in found:
            return "failed"
        if found & {"interrupted", "skipped"}:
            return "interrupted"
        return "partial" if "partial" in found else "succeeded"

    def to_json(self) -> dict[str, Any]:
        """See Result. `unsure` is a count of events alone. Without notes, their key is left out."""
        document = {"run_id": self.run_id, "status": self.status, **super().to_json()}
        if not self.notes:
            del document["notes"]
        for sync in document["syncs"]:
            if sync["kind"] != "events":
                del sync["unsure"]
        return document


@dataclass(frozen=True)
class ResendResult(Result):
    """What was requested, for each sync. Nothing was sent. `next` are the commands that send it, and `notes`
    what they don't do.
    """

    request: Scope
    syncs: tuple[Request, ...]
    next: tuple[str, ...]
    notes: tuple[str, ...] = ()
