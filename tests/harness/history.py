"""A project with a history: two syncs, pushes with every outcome, rejections, a parked row, and a pending
delta.
"""

from __future__ import annotations

from threading import Event

from harness.databases import Row
from harness.faults import Fault, FaultKind
from harness.project import Project

from dbt_batch_sync.ledger.records import Run
from dbt_batch_sync.push.source import Work

COLUMNS = {"id": "varchar", "email": "varchar", "nick": "varchar", "points": "bigint"}
MAPPING: dict[str, object] = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["nick", "points"],
}
SECRETS = ("C-00", "Nickname", "@example.com")
"""Parts of every custom_id and value. No page may show them."""


def _person(number: int, **changes: object) -> Row:
    known = {"email": f"someone{number}@example.com", "nick": f"Nickname {number}", "points": number}
    return {"id": f"C-{number:04}", **known, **changes}


class _Stopping:
    """An observer that stops a push when its sync starts."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def started(self, work: Work) -> None:
        self._stop.set()

    def progressed(self, run: Run) -> None: ...

    def troubled(self, sync: str, message: str) -> None: ...


def make_history(project: Project) -> None:
    """Push `people` and `vips` with the outcomes partial, succeeded, failed and interrupted. Then change two
    rows and build.
    """
    project.outputs(sandbox={"max_attempts": 1})
    project.map(MAPPING)
    project.map(MAPPING, "vips")
    project.set_rows(COLUMNS, [_person(number) for number in range(40)])
    project.set_rows(COLUMNS, [_person(1)], "vips")
    project.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("C-0007",))])
    project.build()
    project.push()  # one row is parked

    project.sandbox.faults.set([])
    project.execute("update raw.people set points = points + 100 where points < 5")
    project.execute("update raw.people set email = 'none at all' where points in (20, 21)")
    project.execute("delete from raw.people where points in (30, 31, 32)")
    project.build()
    project.push()  # two addresses are rejected
    project.push(select=["vips"])

    project.execute("update raw.people set points = points + 1000 where points between 10 and 19")
    project.build()
    stop = Event()
    project.push(stop=stop, observer=_Stopping(stop))
    project.sandbox.faults.set([Fault(FaultKind.STATUS, status=500)])
    project.push()
    project.sandbox.faults.set([])
    project.push()

    project.execute("update raw.people set nick = 'Nickname of late' where points in (33, 34)")
    project.execute("insert into raw.people values (null, 'nobody@example.com', 'Nickname', 1)")
    project.build()
