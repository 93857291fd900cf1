"""What Batch should hold for a sync: its snapshot, and what was settled of its delta since then.

Read page by page. Rows sent after the export began, and those in doubt, are marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dbt_batch_sync.audit.comparison import Believed
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.attributes import KEY, TypedAttribute
from dbt_batch_sync.mapping.mapping import OnExit, OnNull
from dbt_batch_sync.push.counts import Pending
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.push.pages import neighbours
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, select

PAGE_ROWS = 20_000
PAGE_CELLS = 400_000
"""The most rows of a page."""

CHANGE, CHANGED, REASON, PAGE, SETTLED = (
    f"_batch_{name}" for name in ("change", "changed", "reason", "page", "settled")
)


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
        self._names = [each.name for each in self.attributes]
        self._page_rows = max(1, min(PAGE_ROWS, PAGE_CELLS // (len(self._names) + 6)))

    def read(self, into: Believed) -> None:
        """Raises Stopped if the delta was rebuilt meanwhile."""
        self._read_snapshot(into)
        self._read_delta(into)
        self._read_rejects(into)
        journal, built = self.known.journal, self.known.state.built
        after = journal.state(self.known.sync.name)
        if after.is_building or built is None or not after.built or after.built.delta_id != built.delta_id:
            raise Stopped(
                f"dbt has built the delta of `{self.known.sync.name}` while it was read. Run the audit again"
            )

    def _read_snapshot(self, into: Believed) -> None:
        held = relation_of(self.warehouse, self.known.sync, "snapshot")
        sent_since = pa.array(self._runs_since(), pa.string())
        cells = {name: name for name in ("_batch_run_id", "_batch_exited_at", "_batch_doubt")}
        cells |= {name: f'"{name}"' for name in self._names}
        for rows in self._by_key("held", KEY, cells, {}, held):
            changed = pc.is_in(_plain(rows.column("_batch_run_id")), sent_since)
            self._add(into, rows, changed, rows.column("_batch_exited_at").is_valid())
            doubted = rows.filter(rows.column("_batch_doubt").is_valid())
            into.note(_notes(doubted.column(KEY), doubted.column("_batch_doubt")), "in_doubt")

    def _read_delta(self, into: Believed) -> None:
        built = self.known.state.built
        if built is None or built.page is None:
            return
        before = self._settled_before()
        for rows in self._delta_pages(built.delta_id):
            change, key = _plain(rows.column(CHANGE)), rows.column(KEY)
            invalid = pc.equal(change, "invalid")
            parked = pc.equal(_plain(rows.column(REASON)), "parked")
            why = pc.if_else(pc.fill_null(parked, False), "parked", "invalid")
            into.note(_notes(key, None, why).filter(invalid))
            settled = pc.and_(rows.column(SETTLED).cast(pa.bool_()), pc.invert(invalid))
            waiting = pc.and_(pc.invert(settled), pc.invert(invalid))
            is_new = pc.equal(change, "insert")
            names_sent = pc.if_else(is_new, pa.scalar(None, pa.string()), _plain(rows.column(CHANGED)))
            into.note(_notes(key, names_sent).filter(waiting), "pending")
            taken = rows.filter(settled)
            if not taken.num_rows:
                continue
            into.replace(
                pa.table({"key": _plain(taken.column(KEY)), "changed": _plain(taken.column(CHANGED))})
            )
            late = pc.greater(taken.column(PAGE).cast(pa.int64()), before)
            self._add(into, taken, late, pc.equal(_plain(taken.column(CHANGE)), "exit"))

    def _add(self, into: Believed, rows: pa.Table, changed: pa.ChunkedArray, gone: pa.ChunkedArray) -> None:
        note = pc.if_else(changed, "changed", pa.scalar(None, pa.string()))
        if self.known.sync.mapping.on_exit is not OnExit.CLEAR:
            note = pc.if_else(gone, "exited", note)
        rows = rows.select([KEY, *self._names])
        into.add(rows.append_column("_batch_note", note).append_column("_batch_gone", gone))

    def _read_rejects(self, into: Believed) -> None:
        source = "held where sync = :sync and resolved_at is null"
        values: dict[str, Value] = {"sync": self.known.sync.name}
        rejects = self.known.journal.rejects_table
        for rows in self._by_key(source, "key", {"attribute": "attribute"}, values, rejects):
            into.note(_notes(rows.column(KEY), rows.column("attribute")), "rejected")

    def _by_key(
        self,
        source: str,
        key: str,
        cells: Mapping[str, str],
        values: Mapping[str, Value],
        held: Relation | exp.Table,
    ) -> Iterator[pa.Table]:
        """The rows of a source by ranges of their key, whose borders are asked for first: each range is read
        by itself, and nothing stays open.
        """
        borders = select(
            f"""
            select _batch_border from (
                select {key} as _batch_border, row_number() over (order by {key}) as _batch_nth from {source}
            ) as numbered
            where mod(_batch_nth, {self._page_rows}) = 0 order by _batch_nth
            """,
            held=held,
        )
        found = _plain(self.warehouse.fetch(Statement(borders, values)).column(0)).to_pylist()
        after: str | None = None
        for upto in [*dict.fromkeys(found), None]:
            limits = {name: cell for name, cell in (("after", after), ("upto", upto)) if cell is not None}
            where = [f"{key} {'>' if name == 'after' else '<='} :{name}" for name in limits]
            query = select(f"select from {source}", cells={KEY: key, **cells}, where=where, held=held)
            found_rows = self.warehouse.fetch(Statement(query, {**values, **limits}))
            yield found_rows.rename_columns([KEY, *cells])
            after = upto

    def _delta_pages(self, delta_id: str) -> Iterator[pa.Table]:
        at = self.known.state.checkpoint
        delta = relation_of(self.warehouse, self.known.sync, "delta")
        pending = Pending(delta, delta_id, at.page, at.key)
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
        cells = {name: name for name in (KEY, CHANGE, CHANGED, REASON, PAGE)} | {SETTLED: settled}
        cells |= {name: f'"{name}"' for name in self._names}
        query = select(
            "select from delta where _batch_delta_id = :delta_id and _batch_page between :first and :last",
            delta=delta,
            cells=cells,
        )
        for start, stop in neighbours([rows for _, rows in sizes], self._page_rows):
            given = {**values, "first": sizes[start][0], "last": sizes[stop - 1][0]}
            yield self.warehouse.fetch(Statement(query, given)).rename_columns(list(cells))

    def _settled_before(self) -> int:
        """The last page of the delta that was settled when the export began."""
        if self.settles_all:
            return 2**62
        built = self.known.state.built
        query = self._checkpoints("max(page)", "recorded_at < :began and delta_id = :delta_id")
        values = {**self._values, "delta_id": built.delta_id if built else None}
        cell = self.warehouse.fetch(Statement(query, values)).column(0)[0].as_py()
        return -1 if cell is None else int(cell)

    def _runs_since(self) -> list[str]:
        """The pushes that settled rows after the export began."""
        query = self._checkpoints("run_id", "recorded_at >= :began").distinct()
        found: list[str] = _plain(self.warehouse.fetch(Statement(query, self._values)).column(0)).to_pylist()
        return found

    def _checkpoints(self, cell: str, when: str) -> exp.Select:
        query = "select from journal where event = 'checkpoint' and sync = :sync"
        return select(query, cells={"found": cell}, where=[when], journal=self.known.journal.table)

    @property
    def _values(self) -> dict[str, Value]:
        return {"sync": self.known.sync.name, "began": self.began}


def kept(known: Known, attributes: Sequence[TypedAttribute]) -> list[str]:
    """The attributes whose nulls are not sent."""
    mapping = known.sync.mapping
    written = {each.name: each.on_null for each in mapping.attributes}
    return [each.name for each in attributes if written.get(each.name, mapping.on_null) is OnNull.KEEP]


def _notes(keys: pa.ChunkedArray, names: pa.ChunkedArray | None, why: pa.Array | None = None) -> pa.Table:
    cells = pa.nulls(len(keys), pa.string()) if names is None else _plain(names)
    columns = {"key": _plain(keys), "names": cells}
    return pa.table(columns if why is None else {**columns, "reason": why})


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return cells if pa.types.is_string(cells.type) else cells.cast(pa.string())
