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
from dbt_batch_sync.kinds.attributes import TypedAttribute
from dbt_batch_sync.kinds.kind import KEY
from dbt_batch_sync.ledger.state import Checkpoint
from dbt_batch_sync.mapping.mapping import OnExit, OnNull
from dbt_batch_sync.push.known import Known, relation_of
from dbt_batch_sync.warehouse import Statement, Value, Warehouse
from dbt_batch_sync.warehouse.relations import Relation, equals, is_in, is_null, literal, value

PAGE_ROWS = 20_000
PAGE_CELLS = 400_000
"""The most rows of a page."""

CHANGE, CHANGED, REASON, PAGE, SETTLED = (
    f"_batch_{name}" for name in ("change", "changed", "reason", "page", "settled")
)


@dataclass(frozen=True)
class Moment:
    """When an export began, by the warehouse's clock. `settles_all`: for an adoption, the whole delta counts
    as settled.
    """

    began: datetime
    settles_all: bool = False


@dataclass
class Reader:
    """Reads the believed state of one sync, once."""

    warehouse: Warehouse
    known: Known
    attributes: Sequence[TypedAttribute]
    moment: Moment

    @property
    def page_rows(self) -> int:
        return max(1, min(PAGE_ROWS, PAGE_CELLS // (len(self.attributes) + 6)))

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
        sent_since = self._runs_since()
        on_exit = self.known.sync.mapping.on_exit
        names = [each.name for each in self.attributes]
        own = ("_batch_run_id", "_batch_exited_at", "_batch_doubt")
        cells = {KEY: held.column(held.key), **{name: held.column(name) for name in (*own, *names)}}
        for rows in self._pages(held.table, held.column(held.key), cells, ()):
            gone = rows.column("_batch_exited_at").is_valid()
            changed = pc.is_in(_plain(rows.column("_batch_run_id")), pa.array(sent_since, pa.string()))
            note = pc.if_else(changed, "changed", pa.scalar(None, pa.string()))
            if on_exit is not OnExit.CLEAR:
                note = pc.if_else(gone, "exited", note)
            into.add(
                rows.select([KEY, *names])
                .append_column("_batch_note", note)
                .append_column("_batch_gone", gone)
            )
            doubted = rows.filter(rows.column("_batch_doubt").is_valid())
            into.note(_notes(doubted.column(KEY), doubted.column("_batch_doubt")), "in_doubt")

    def _read_delta(self, into: Believed) -> None:
        built = self.known.state.built
        if built is None or built.page is None:
            return
        delta = relation_of(self.warehouse, self.known.sync, "delta")
        names = [each.name for each in self.attributes]
        before = self._settled_before()
        for rows in self._delta_pages(delta, built.delta_id, names):
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
            gone = pc.equal(_plain(taken.column(CHANGE)), "exit")
            note = pc.if_else(late, "changed", pa.scalar(None, pa.string()))
            if self.known.sync.mapping.on_exit is not OnExit.CLEAR:
                note = pc.if_else(gone, "exited", note)
            into.add(
                taken.select([KEY, *names])
                .append_column("_batch_note", note)
                .append_column("_batch_gone", gone)
            )

    def _read_rejects(self, into: Believed) -> None:
        rejects, key = self.known.rejects.table, exp.column("key")
        is_open = (
            equals(exp.column("sync"), exp.Literal.string(self.known.sync.name)),
            is_null(exp.column("resolved_at")),
        )
        cells: dict[str, exp.Expr] = {KEY: key, "attribute": exp.column("attribute")}
        for rows in self._pages(rejects, key, cells, is_open):
            into.note(_notes(rows.column(KEY), rows.column("attribute")), "rejected")

    def _pages(
        self, table: exp.Table, key: exp.Expr, cells: Mapping[str, exp.Expr], conditions: Sequence[exp.Expr]
    ) -> Iterator[pa.Table]:
        """The rows of a table by ranges of their key. The borders are queried first; each range is one query,
        so no cursor stays open.
        """
        order = exp.Order(expressions=[exp.Ordered(this=key.copy())])
        nth = exp.Window(this=exp.RowNumber(), order=order)
        numbered = exp.select(exp.alias_(key.copy(), "border"), exp.alias_(nth, "nth")).from_(table.copy())
        for condition in conditions:
            numbered = numbered.where(condition.copy())
        # As a function: beside values, `%` is the drivers'.
        last = exp.Anonymous(this="mod", expressions=[exp.column("nth"), literal(self.page_rows)])
        borders = exp.select(exp.column("border")).from_(numbered.subquery("numbered"))
        borders = borders.where(equals(last, literal(0))).order_by("nth")
        found = [str(cell) for cell in _plain(self.warehouse.fetch(Statement(borders)).column(0)).to_pylist()]
        uppers: list[str | None] = [*dict.fromkeys(found), None]
        query = exp.select(*(exp.alias_(cell.copy(), name, quoted=True) for name, cell in cells.items()))
        query = query.from_(table.copy())
        for condition in conditions:
            query = query.where(condition.copy())
        after: str | None = None
        for upto in uppers:
            page, values = query, dict[str, Value]()
            if after is not None:
                page, values["after"] = page.where(exp.GT(this=key.copy(), expression=value("after"))), after
            if upto is not None:
                page, values["upto"] = page.where(exp.LTE(this=key.copy(), expression=value("upto"))), upto
            yield self.warehouse.fetch(Statement(page, values)).rename_columns(list(cells))
            after = upto

    def _delta_pages(self, delta: Relation, delta_id: str, names: Sequence[str]) -> Iterator[pa.Table]:
        page, of_build = (
            delta.column("_batch_page"),
            equals(delta.column("_batch_delta_id"), value("delta_id")),
        )
        counted = exp.select(exp.alias_(page, "page"), exp.alias_(exp.Count(this=exp.Star()), "rows_of_page"))
        counted = counted.from_(delta.table.copy()).where(of_build).group_by(page.copy())
        values: dict[str, Value] = {"delta_id": delta_id}
        listed = self.warehouse.fetch(Statement(counted, values)).to_pylist()
        sizes = sorted((int(str(row["page"])), int(str(row["rows_of_page"]))) for row in listed)
        own = {
            CHANGE: "_batch_change",
            CHANGED: "_batch_changed",
            REASON: "_batch_reason",
            PAGE: "_batch_page",
        }
        cells: dict[str, exp.Expr] = {KEY: delta.column(delta.key)}
        cells |= {name: delta.column(column) for name, column in own.items()}
        cells[SETTLED], more = self._settled(delta)
        cells |= {name: delta.column(name) for name in names}
        query = exp.select(*(exp.alias_(cell.copy(), name, quoted=True) for name, cell in cells.items()))
        between = exp.Between(this=page.copy(), low=value("first"), high=value("last"))
        query = query.from_(delta.table.copy()).where(of_build.copy(), between)
        for first, last in _ranges(sizes, self.page_rows):
            given = {**values, **more, "first": first, "last": last}
            yield self.warehouse.fetch(Statement(query, given)).rename_columns(list(cells))

    def _settled(self, delta: Relation) -> tuple[exp.Expr, dict[str, Value]]:
        """Whether a row is settled, as 0 or 1. The warehouse compares keys, in its own order."""
        if self.moment.settles_all:
            return literal(1), {}
        at: Checkpoint = self.known.state.checkpoint
        page, values = delta.column("_batch_page"), dict[str, Value](page=at.page)
        reached: exp.Expr = exp.LTE(this=page, expression=value("page"))
        if at.key is not None:
            begun = equals(page.copy(), literal(at.page + 1))
            by_key = exp.LTE(this=delta.column(delta.key), expression=value("key"))
            reached, values["key"] = exp.or_(reached, exp.and_(begun, by_key)), at.key
        return exp.Case().when(reached, literal(1)).else_(literal(0)), values

    def _settled_before(self) -> int:
        """The last page of the delta that was settled when the export began."""
        if self.moment.settles_all:
            return 2**62
        page = exp.alias_(exp.Max(this=exp.column("page")), "page")
        built = self.known.state.built
        query = self._checkpoints(page, exp.LT(this=exp.column("recorded_at"), expression=value("began")))
        query = query.where(equals(exp.column("delta_id"), value("delta_id")))
        values = {**self._values, "delta_id": built.delta_id if built else None}
        cell = self.warehouse.fetch(Statement(query, values)).column(0)[0].as_py()
        return -1 if cell is None else int(str(cell))

    def _runs_since(self) -> list[str]:
        """The pushes that settled rows after the export began."""
        late = exp.GTE(this=exp.column("recorded_at"), expression=value("began"))
        query = self._checkpoints(exp.column("run_id"), late).distinct()
        return [
            str(cell)
            for cell in _plain(self.warehouse.fetch(Statement(query, self._values)).column(0)).to_pylist()
        ]

    def _checkpoints(self, cell: exp.Expr, when: exp.Expr) -> exp.Select:
        query = exp.select(cell).from_(self.known.journal.table.copy())
        is_checkpoint = is_in(exp.column("event"), ["checkpoint"])
        return query.where(is_checkpoint, equals(exp.column("sync"), value("sync")), when)

    @property
    def _values(self) -> dict[str, Value]:
        return {"sync": self.known.sync.name, "began": self.moment.began}


def kept(known: Known, attributes: Sequence[TypedAttribute]) -> list[str]:
    """The attributes whose nulls are not sent."""
    mapping = known.sync.mapping
    written = {each.name: each.on_null for each in mapping.attributes}
    return [each.name for each in attributes if written.get(each.name, mapping.on_null) is OnNull.KEEP]


def _ranges(sizes: Sequence[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
    """Neighboring pages with at most this many rows in total; a single page may have more."""
    place = 0
    while place < len(sizes):
        start, rows = place, sizes[place][1]
        place += 1
        while place < len(sizes) and rows + sizes[place][1] <= most:
            rows += sizes[place][1]
            place += 1
        yield sizes[start][0], sizes[place - 1][0]


def _notes(keys: pa.ChunkedArray, names: pa.ChunkedArray | None, why: pa.Array | None = None) -> pa.Table:
    cells = pa.nulls(len(keys), pa.string()) if names is None else _plain(names)
    columns = {"key": _plain(keys), "names": cells}
    return pa.table(columns if why is None else {**columns, "reason": why})


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return cells if pa.types.is_string(cells.type) else cells.cast(pa.string())
