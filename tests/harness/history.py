"""A project with a past: two syncs, pushes that ended in every way, refusals, a parked row, a delta that waits."""

from __future__ import annotations

from threading import Event

from harness.databases import Row
from harness.faults import Fault, FaultKind
from harness.project import Project

COLUMNS = {"id": "varchar", "email": "varchar", "nick": "varchar", "points": "bigint"}
MAPPING: dict[str, object] = {
    "identifier": "id",
    "standard": {"email_address": "email"},
    "custom": ["nick", "points"],
}
SECRETS = ("C-00", "Nickname", "@example.com")
"""Of every custom_id and value of the project: what no page of it may have."""


def _person(number: int, **changes: object) -> Row:
    known = {"email": f"someone{number}@example.com", "nick": f"Nickname {number}", "points": number}
    return {"id": f"C-{number:04}", **known, **changes}


def make_history(project: Project) -> None:
    """Pushes `people` and `vips`: partial, succeeded, failed, interrupted; then changes two rows and builds."""
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
    project.push()  # two addresses are withheld
    project.push(select=["vips"])

    project.execute("update raw.people set points = points + 1000 where points between 10 and 19")
    project.build()
    stop = Event()
    stop.set()
    project.push(stop=stop)
    project.sandbox.faults.set([Fault(FaultKind.STATUS, status=500)])
    project.push()
    project.sandbox.faults.set([])
    project.push()

    project.execute("update raw.people set nick = 'Nickname of late' where points in (33, 34)")
    project.execute("insert into raw.people values (null, 'nobody@example.com', 'Nickname', 1)")
    project.build()
