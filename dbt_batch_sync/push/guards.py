"""What must hold before anything is sent. A guard that stops a push says so with its figures."""

from __future__ import annotations

from dataclasses import dataclass

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.push.work import Work
from dbt_batch_sync.sql.counts import known_counts
from dbt_batch_sync.warehouse import Statement, Warehouse


@dataclass(frozen=True)
class Figures:
    """What guards look at. `known` profiles are in the snapshot and have not left; `rows` were in the
    sync when its delta was built, which the other figures tell: reading the sync now could tell of
    another one."""

    known: int
    returning: int
    inserts: int
    updates: int
    exits: int
    invalid: int

    @property
    def rows(self) -> int:
        """Rows of the sync as the delta saw it."""
        return max(0, self.known - self.exits + self.inserts + self.returning + self.invalid)


def check_target(target_name: str, output: Output) -> None:
    """Raises Stopped when the output may not be pushed to from this dbt target. No `--force` changes that."""
    if output.only_from is not None and target_name not in output.only_from:
        raise Stopped(
            f"output `{output.name}` takes pushes only from the dbt targets {', '.join(output.only_from)} "
            "(`only_from`), "
            f"and this is target `{target_name}`; nothing was sent"
        )


def read_figures(warehouse: Warehouse, work: Work) -> Figures:
    """Counts in the warehouse what the guards need."""
    known, returning = warehouse.fetch(Statement(known_counts(work.delta, work.snapshot)))[0]
    counts = work.counts
    return Figures(
        int(str(known or 0)),
        int(str(returning or 0)),
        counts.inserts,
        counts.updates,
        counts.exits,
        counts.invalid,
    )


def tripped(figures: Figures, work: Work) -> list[str]:
    """What the sync's guards have to say against this push; nothing when it may go."""
    guards = work.sync.mapping.guards
    changes = figures.inserts + figures.updates + figures.exits
    found = []
    if changes and figures.rows < guards.min_rows:
        found.append(
            f"the sync had {figures.rows:,} rows when its delta was built, and `min_rows` is "
            f"{guards.min_rows:,}"
        )
    if figures.exits and figures.exits >= figures.known and not figures.inserts + figures.returning:
        found.append(
            f"all {figures.known:,} known profiles would leave: the sync was empty when its delta was built"
        )
    for name, limit, count in (
        ("max_change_ratio", guards.max_change_ratio, changes),
        ("max_exit_ratio", guards.max_exit_ratio, figures.exits),
    ):
        if limit is not None and figures.known and count > limit * figures.known:
            what = "profiles would leave" if name == "max_exit_ratio" else "profiles would change"
            ratio = count / figures.known
            found.append(
                f"{count:,} {what}, {ratio:.1%} of the {figures.known:,} known ones, and `{name}` is "
                f"{limit:.1%}"
            )
    return found


def check_guards(warehouse: Warehouse, work: Work) -> None:
    """Raises Stopped with everything that speaks against this push. `--force` leaves this out for one run."""
    if not work.counts.sendable or _is_plainly_right(work):
        return
    found = tripped(read_figures(warehouse, work), work)
    if found:
        raise Stopped(
            f"a guard of `{work.name}` stopped the push; nothing was sent: {'; '.join(found)}. "
            "If that is right, push once with --force"
        )


def _is_plainly_right(work: Work) -> bool:
    """Whether the delta alone shows that no guard can trip: counting the snapshot can cost more than a push.

    Each insert and update is a row of the sync: with `min_rows` of them it had enough, and not all left.
    """
    guards, counts = work.sync.mapping.guards, work.counts
    limited = guards.max_change_ratio is not None or guards.max_exit_ratio is not None
    return not limited and counts.inserts + counts.updates >= max(1, guards.min_rows)
