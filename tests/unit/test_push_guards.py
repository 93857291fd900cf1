"""What a push asks the warehouse before it sends: no more than it has to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest
from dbt_batch_sync.ledger.ledger import Ledger
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.artifacts.manifest import Model
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.attributes import parse_types
from dbt_batch_sync.ledger.records import Resume
from dbt_batch_sync.mapping.mapping import Location
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.guards import Figures, check_guards, tripped
from dbt_batch_sync.push.work import Counts, Work
from dbt_batch_sync.warehouse import Column, Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, parse_table


@dataclass
class Answering:
    """A warehouse that answers with one row, or with none, and keeps what it was asked."""

    row: tuple[Value, ...] | None
    asked: list[str] = field(default_factory=list)

    def fetch(self, query: Statement) -> list[tuple[Value, ...]]:
        self.asked.append(query.tree.sql("duckdb"))
        return [] if self.row is None else [self.row]


def work(warehouse: Answering, counts: Counts, guards: dict[str, object]) -> Work:
    meta = {"identifier": "id", "standard": {"email_marketing": "optin"}, "guards": guards}
    mapping = parse_mapping("people", meta, Location("people.yml", "people"))
    names = ("custom_id", "_batch_change", "_batch_changed", "_batch_exited_at")
    columns = (*(Column(name, "VARCHAR") for name in names), Column("batch__email_marketing", "BOOLEAN"))
    delta = Relation(parse_table('"main"."people_delta"', "duckdb"), columns)
    snapshot = Relation(parse_table('"main"."people_sent_snapshot"', "duckdb"), columns)
    port = cast(Warehouse, warehouse)
    sync = Sync(mapping, cast(Model, None), None, None)
    ledger = Ledger(port, "people", snapshot, delta)
    types = "batch__email_marketing:string"
    return Work(sync, delta, snapshot, ledger, False, "d1", types, parse_types(types), Resume(), counts)


some = st.integers(0, 3)


@given(same=some, changed=some, left=some, returning=some, new=some, invalid=some, min_rows=st.integers(0, 4))
def test_what_is_not_asked_would_not_have_stopped_the_push(
    same: int, changed: int, left: int, returning: int, new: int, invalid: int, min_rows: int
) -> None:
    known = same + changed + left
    counts = Counts(new, changed + returning, left, invalid)
    warehouse = Answering((known, returning))
    sync = work(warehouse, counts, {"min_rows": min_rows})
    figures = Figures(known, returning, new, changed + returning, left, invalid)
    if counts.sendable and tripped(figures, sync):
        with pytest.raises(Stopped):
            check_guards(cast(Warehouse, warehouse), sync)
    else:
        check_guards(cast(Warehouse, warehouse), sync)


@pytest.mark.parametrize(
    ("counts", "guards", "asks"),
    [
        (Counts(updates=1), {}, False),
        (Counts(inserts=5, exits=3), {"min_rows": 5}, False),
        (Counts(inserts=4, exits=3), {"min_rows": 5}, True),
        (Counts(exits=1), {"min_rows": 0}, True),
        (Counts(updates=1), {"max_change_ratio": 0.5}, True),
        (Counts(updates=1), {"max_exit_ratio": 0.5}, True),
    ],
)
def test_the_snapshot_is_only_counted_where_that_can_matter(
    counts: Counts, guards: dict[str, object], asks: bool
) -> None:
    warehouse = Answering((100, 0))
    check_guards(cast(Warehouse, warehouse), work(warehouse, counts, guards))
    assert bool(warehouse.asked) == asks


@pytest.mark.parametrize(("row", "joins"), [(None, False), ((1,), True)])
def test_consents_are_only_compared_where_one_is_given(row: tuple[Value, ...] | None, joins: bool) -> None:
    warehouse = Answering(row)
    work(warehouse, Counts(updates=1), {}).pending_rows(None)
    assert any("people_sent_snapshot" in asked for asked in warehouse.asked) == joins
