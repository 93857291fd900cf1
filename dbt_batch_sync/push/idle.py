"""Segments with nothing to do, which are most of those that a push of many finds.

They are asked about and written down all at once, without a lease: nothing is sent for them, and nothing is
committed. Whatever is not plain, an error included, is left to the push of each segment by itself.
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
from dbt_batch_sync.errors import Stopped, WarehouseError
from dbt_batch_sync.ledger.records import REJECTS, RUNS, Run, run_rows
from dbt_batch_sync.project.outputs import Output
from dbt_batch_sync.project.segments import Segment
from dbt_batch_sync.push.guards import check_target
from dbt_batch_sync.results import SegmentPushed
from dbt_batch_sync.sql.counts import any_rows, ledger_states, reject_states
from dbt_batch_sync.sql.relations import beside, parse_table
from dbt_batch_sync.warehouse import Load, Statement, Warehouse

TOGETHER = 50
"""Deltas that one statement looks at."""


@dataclass(frozen=True)
class _Candidate:
    """A segment, its output, its delta, and where its ledger is."""

    segment: Segment
    output: Output
    delta: exp.Table
    snapshot: exp.Table

    @property
    def name(self) -> str:
        return self.segment.mapping.segment

    def run(self, run_id: str, now: datetime) -> Run:
        return Run(
            run_id=run_id,
            segment=self.name,
            status="succeeded",
            started_at=now,
            finished_at=now,
            heartbeat_at=now,
            output=self.output.name,
            project_hash=self.output.project_hash,
            mapping_hash=self.segment.mapping.hash,
            tool_version=__version__,
            host=socket.gethostname(),
            process=os.getpid(),
        )


def push_idle(
    warehouse: Warehouse,
    segments: Sequence[Segment],
    outputs: Mapping[str | None, Output],
    target_name: str,
    run_id: str,
    now: datetime,
) -> dict[str, SegmentPushed]:
    """Records a run for each segment whose delta is empty and whose ledger has nothing open; by name."""
    candidates = list(_candidates(warehouse, segments, outputs, target_name))
    try:
        queued = _with_rows(warehouse, candidates)
        by_ledger: dict[str, list[_Candidate]] = {}
        for each in candidates:
            if each.name in queued:
                continue
            by_ledger.setdefault(beside(each.snapshot, RUNS).sql(warehouse.dialect), []).append(each)
        done: dict[str, SegmentPushed] = {}
        for together in by_ledger.values():
            idle = list(_settled(warehouse, together, now))
            runs = [each.run(run_id, now) for each in idle]
            if runs:
                warehouse.execute([Load(beside(idle[0].snapshot, RUNS), run_rows(runs))])
            done |= {run.segment: SegmentPushed.of(run) for run in runs}
    except WarehouseError:
        return {}
    return done


def _candidates(
    warehouse: Warehouse,
    segments: Iterable[Segment],
    outputs: Mapping[str | None, Output],
    target_name: str,
) -> Iterator[_Candidate]:
    for segment in segments:
        names = [model.relation_name if model else None for model in (segment.delta, segment.snapshot)]
        output = outputs[segment.mapping.output]
        try:
            check_target(target_name, output)
        except Stopped:
            continue
        if names[0] is not None and names[1] is not None:
            delta, snapshot = (parse_table(str(name), warehouse.dialect) for name in names)
            yield _Candidate(segment, output, delta, snapshot)


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
    for segment, project, running, sent_at in warehouse.fetch(
        Statement(ledger_states(beside(snapshot, RUNS)))
    ):
        if int(str(running)):
            busy.add(str(segment))
        if sent_at is not None:
            last = (cast("datetime", sent_at), str(project))
            projects[str(segment)] = max(last, projects.get(str(segment), last))
    rejects = warehouse.fetch(Statement(reject_states(beside(snapshot, REJECTS))))
    parked = {str(segment) for segment, waiting, _ in rejects if int(str(waiting))}
    resolved = {
        str(segment): cast("datetime", oldest) for segment, _, oldest in rejects if oldest is not None
    }
    for each in candidates:
        kept_from = now - timedelta(days=each.output.retention_days)
        _, project = projects.get(each.name, (now, each.output.project_hash))
        open_ = each.name in busy or each.name in parked or resolved.get(each.name, now) < kept_from
        if not open_ and project == each.output.project_hash:
            yield each
