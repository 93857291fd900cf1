"""Syncs with nothing to do, which are most of those that a push of many finds.

They are asked about and written down all at once, without a lease: nothing is sent for them, and nothing is
committed. Whatever is not plain, an error included, is left to the push of each sync by itself.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlglot import exp

from dbt_batch_sync import __version__
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import Stopped, WarehouseError
from dbt_batch_sync.ledger.records import REJECTS, RUNS, Run, run_rows
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.guards import check_target
from dbt_batch_sync.results import SyncPushed
from dbt_batch_sync.sql.counts import any_rows, ledger_states, reject_states
from dbt_batch_sync.sql.relations import beside, parse_table
from dbt_batch_sync.warehouse import Load, Statement, Warehouse

TOGETHER = 50
"""Deltas that one statement looks at."""


@dataclass(frozen=True)
class _Candidate:
    """A sync, its output, its delta, and where its ledger is."""

    sync: Sync
    output: Output
    delta: exp.Table
    snapshot: exp.Table

    @property
    def name(self) -> str:
        return self.sync.mapping.sync

    def run(self, run_id: str, now: datetime) -> Run:
        return Run(
            run_id=run_id,
            sync=self.name,
            status="succeeded",
            started_at=now,
            finished_at=now,
            heartbeat_at=now,
            output=self.output.name,
            project_hash=self.output.project_hash,
            mapping_hash=self.sync.mapping.hash,
            tool_version=__version__,
            host=socket.gethostname(),
            process=os.getpid(),
        )


def push_idle(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    outputs: Mapping[str | None, Output],
    target_name: str,
    run_id: str,
    now: datetime,
) -> dict[str, SyncPushed]:
    """Records a run for each sync whose delta is empty and whose ledger has nothing open; by name."""
    candidates = list(_candidates(warehouse, syncs, outputs, target_name))
    try:
        queued = _with_rows(warehouse, candidates)
        by_ledger: dict[str, list[_Candidate]] = {}
        for each in candidates:
            if each.name in queued:
                continue
            by_ledger.setdefault(beside(each.snapshot, RUNS).sql(warehouse.dialect), []).append(each)
        done: dict[str, SyncPushed] = {}
        for together in by_ledger.values():
            idle = list(_settled(warehouse, together, now))
            runs = [each.run(run_id, now) for each in idle]
            if runs:
                warehouse.execute([Load(beside(idle[0].snapshot, RUNS), run_rows(runs))])
            done |= {run.sync: SyncPushed.of(run) for run in runs}
    except WarehouseError:
        return {}
    return done


def _candidates(
    warehouse: Warehouse,
    syncs: Iterable[Sync],
    outputs: Mapping[str | None, Output],
    target_name: str,
) -> Iterator[_Candidate]:
    for sync in syncs:
        names = [model.relation_name if model else None for model in (sync.delta, sync.snapshot)]
        output = outputs[sync.mapping.output]
        try:
            check_target(target_name, output)
        except Stopped:
            continue
        if names[0] is not None and names[1] is not None:
            delta, snapshot = (parse_table(str(name), warehouse.dialect) for name in names)
            yield _Candidate(sync, output, delta, snapshot)


def _with_rows(warehouse: Warehouse, candidates: Sequence[_Candidate]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(candidates), TOGETHER):
        some = candidates[start : start + TOGETHER]
        rows = warehouse.fetch(Statement(any_rows([each.delta for each in some])))
        found |= {some[int(str(place))].name for (place,) in rows}
    return found


def _settled(warehouse: Warehouse, candidates: Sequence[_Candidate], now: datetime) -> Iterator[_Candidate]:
    """Those of one ledger that nobody pushes, that have no row parked, whose snapshot describes the output's
    project, and of which nothing has to be forgotten.
    """
    snapshot = candidates[0].snapshot
    busy: set[str] = set()
    projects: dict[str, tuple[datetime, str]] = {}
    for sync, project, running, sent_at in warehouse.fetch(Statement(ledger_states(beside(snapshot, RUNS)))):
        if int(str(running)):
            busy.add(str(sync))
        if sent_at is not None:
            last = (cast("datetime", sent_at), str(project))
            projects[str(sync)] = max(last, projects.get(str(sync), last))
    rejects = warehouse.fetch(Statement(reject_states(beside(snapshot, REJECTS))))
    parked = {str(sync) for sync, waiting, _ in rejects if int(str(waiting))}
    resolved = {str(sync): cast("datetime", oldest) for sync, _, oldest in rejects if oldest is not None}
    for each in candidates:
        kept_from = now - timedelta(days=each.output.retention_days)
        _, project = projects.get(each.name, (now, each.output.project_hash))
        open_ = each.name in busy or each.name in parked or resolved.get(each.name, now) < kept_from
        if not open_ and project == each.output.project_hash:
            yield each
