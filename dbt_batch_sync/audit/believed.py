"""What Batch should hold for a sync: its snapshot, and what was settled of its delta since, in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from sqlglot import exp

from dbt_batch_sync.audit.comparison import Believed
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.attributes import KEY, TypedAttribute
from dbt_batch_sync.mapping.mapping import OnNull
from dbt_batch_sync.push.known import Known, Pending, relation_of
from dbt_batch_sync.push.pages import RANGE_CELLS, RANGE_ROWS, neighbours
from dbt_batch_sync.warehouse import Statement, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, select


@dataclass
class Reader:
    """Reads what one sync believes, once. The export began at `began`, by the warehouse's clock.

    `settles_all`: the delta counts as settled whatever was sent, for an adoption.
    """

    warehouse: Warehouse
    known: Known
    attributes: Sequence[TypedAttribute]
    began: datetime
    settles_all: bool = False

    def __post_init__(self) -> None:
        self._cells = {each.name: f'"{each.name}"' for each in self.attributes}
        self._page_rows = max(1, min(RANGE_ROWS, RANGE_CELLS // (len(self._cells) + 6)))

    def read(self, into: Believed) -> None:
        """Raises Stopped if the delta was rebuilt meanwhile."""
        self._read_snapshot(into)
        built = self.known.state.built
        if built is not None and built.page is not None:
            for rows in self._delta_pages(built.delta_id):
                into.add("queued", rows)
        self._read_rejects(into)
        after = self.known.journal.state(self.known.sync.name)
        if after.is_building or built is None or not after.built or after.built.delta_id != built.delta_id:
            raise Stopped(
                f"dbt has built the delta of `{self.known.sync.name}` while it was read. Run the audit again"
            )
        checkpoints = self.known.journal.events(
            "event = 'checkpoint' and sync = :sync and (delta_id = :delta_id or recorded_at >= :began)",
            sync=self.known.sync.name,
            delta_id=built.delta_id,
            began=self.began,
        )
        before = [each for each in checkpoints if each.recorded_at < self.began]
        settled = max((each.page or 0 for each in before), default=-1)
        since = [each.run_id for each in checkpoints if each.recorded_at >= self.began]
        into.settle(2**62 if self.settles_all else settled, since, self.known.sync.mapping.on_exit)

    def _read_snapshot(self, into: Believed) -> None:
        cells = {name: name for name in ("_batch_run_id", "_batch_doubt")}
        cells["_batch_gone"] = "case when _batch_exited_at is null then 0 else 1 end"
        held = relation_of(self.warehouse, self.known.sync, "snapshot")
        for rows in self._by_key("held", KEY, {**cells, **self._cells}, {}, held):
            into.add("held", rows)

    def _read_rejects(self, into: Believed) -> None:
        source, values = "held where sync = :sync and resolved_at is null", {"sync": self.known.sync.name}
        rejects = self.known.journal.rejects_table
        for rows in self._by_key(source, "key", {"_batch_attribute": "attribute"}, values, rejects):
            into.add("rejected", rows)

    def _by_key(
        self,
        source: str,
        key: str,
        cells: Mapping[str, str],
        values: Mapping[str, str],
        held: Relation | exp.Table,
    ) -> Iterator[pa.Table]:
        """The rows of a source by ranges of their key, each read by itself: nothing stays open."""
        borders = select(
            f"""
            select _batch_border from (
                select {key} as _batch_border, row_number() over (order by {key}) as _batch_nth from {source}
            ) as numbered
            where mod(_batch_nth, {self._page_rows}) = 0 order by _batch_nth
            """,
            held=held,
        )
        found = map(str, self.warehouse.fetch(Statement(borders, values)).column(0).to_pylist())
        after: str | None = None
        for upto in [*dict.fromkeys(found), None]:
            limits = {name: cell for name, cell in (("after", after), ("upto", upto)) if cell is not None}
            where = [f"{key} {'>' if name == 'after' else '<='} :{name}" for name in limits]
            query = select(f"select from {source}", cells={KEY: key, **cells}, where=where, held=held)
            found_rows = self.warehouse.fetch(Statement(query, {**values, **limits}))
            yield found_rows.rename_columns([KEY, *cells])
            after = upto

    def _delta_pages(self, delta_id: str) -> Iterator[pa.Table]:
        delta = relation_of(self.warehouse, self.known.sync, "delta")
        pending = Pending(delta, delta_id, self.known.state.checkpoint)
        settled = "1" if self.settles_all else f"case when {pending.settled} then 1 else 0 end"
        values = {"delta_id": delta_id} if self.settles_all else pending.values
        counted = select(
            """
            select _batch_page as page, count(*) as rows_of_page from delta
            where _batch_delta_id = :delta_id group by _batch_page
            """,
            delta=delta,
        )
        listed = self.warehouse.fetch(Statement(counted, {"delta_id": delta_id})).to_pylist()
        sizes = sorted((int(row["page"]), int(row["rows_of_page"])) for row in listed)
        own = (KEY, "_batch_change", "_batch_changed", "_batch_reason", "_batch_page")
        cells = {**{name: name for name in own}, "_batch_settled": settled, **self._cells}
        query = select(
            "select from delta where _batch_delta_id = :delta_id and _batch_page between :first and :last",
            delta=delta,
            cells=cells,
        )
        for start, stop in neighbours([rows for _, rows in sizes], self._page_rows):
            given = {**values, "first": sizes[start][0], "last": sizes[stop - 1][0]}
            yield self.warehouse.fetch(Statement(query, given)).rename_columns(list(cells))


def kept(known: Known, attributes: Sequence[TypedAttribute]) -> list[str]:
    """The attributes whose nulls are not sent."""
    mapping = known.sync.mapping
    written = {each.name: each.on_null for each in mapping.attributes}
    return [each.name for each in attributes if written.get(each.name, mapping.on_null) is OnNull.KEEP]
