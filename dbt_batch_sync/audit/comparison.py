"""Compares what was sent with an export from Batch, in an in-process DuckDB with tables in a temporary
directory, so that memory does not grow with the number of profiles.

Each profile of either side gets a mark, a hash of its values. Marks are joined by parts of the keys, and the
values themselves are compared only where the marks differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from dbt_batch_sync.audit.equality import difference, mark
from dbt_batch_sync.batch_api.exports import no_room
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.attributes import KEY, TypedAttribute
from dbt_batch_sync.mapping.mapping import OnExit
from dbt_batch_sync.payload.expressions import choose, column, text
from dbt_batch_sync.payload.values import REJECTED, sent_values

MEMORY_LIMIT = "200MB"
"""DuckDB's limit; beyond it, it spills to the temporary directory."""

PART_ROWS = 1_000_000
"""The most profiles that are joined at once."""

MAX_LINE_BYTES = 4_000_000
"""The limit for one profile of an export; fifty attributes of the longest type need much less."""

CONSENTS = ("batch__email_marketing", "batch__sms_marketing")


@dataclass(frozen=True)
class Found:
    """One difference. `attribute` is None for a whole profile. Values are JSON texts."""

    key: str
    attribute: str | None
    difference: str
    ours: str | None
    theirs: str | None


@contextmanager
def room() -> Iterator[None]:
    """Raises DeliveryError if the disk or the memory does not suffice."""
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        why = str(error).partition("\n")[0] if isinstance(error, duckdb.Error) else error.strerror or error
        raise no_room(why) from None


def _unexpected(what: str) -> DeliveryError:
    return DeliveryError(
        f"the export is not what was expected: {what}. Run the audit again; if it persists, the format has "
        "changed"
    )


class Comparison:
    """An export of profiles with `attributes`, by their plain names."""

    def __init__(self, directory: Path, plain_names: Sequence[str]) -> None:
        self._names = tuple(plain_names)
        self._lines = self._given = 0
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "threads": 2,
            "temp_directory": str(directory / "spilled"),
            "preserve_insertion_order": False,
        }
        with room():
            self.connection = duckdb.connect(str(directory / "audit.duckdb"), config=config)
            self.run("set timezone = 'UTC'")
            self.run(
                "create macro names(listed) as list_filter(string_split(listed, ','), lambda x: x <> '')"
            )
            columns = ", ".join(f"{column(name)} varchar" for name in self._names)
            self.run(f"create table exported ({KEY} varchar, {columns})")

    def close(self) -> None:
        self.connection.close()

    def add_exported(self, path: Path) -> None:
        """Loads a file. Raises DeliveryError."""
        members = {form for name in self._names for form in _written(name)}
        struct = ", ".join(f"{column(name)} json" for name in sorted(members))
        values = ", ".join(_first_given(name) for name in self._names)
        columns = f"{{identifiers: 'struct(custom_id json)', attributes: {text(f'struct({struct})')}}}"
        source = (
            f"read_json({text(str(path))}, format = 'newline_delimited', columns = {columns}, "
            f"maximum_object_size = {MAX_LINE_BYTES}, compression = 'none')"
        )
        with room():
            try:
                self.run(
                    "create or replace temp table loaded as select "
                    f"json_extract_string(identifiers.custom_id, '$') as {KEY}, {values}, "
                    "json_type(identifiers.custom_id) as _batch_type, attributes is not null as _batch_given "
                    f"from {source}"
                )
            except duckdb.InvalidInputException:
                # Its message contains the line.
                raise _unexpected("not one JSON object a line, in UTF-8") from None
            if self.count("count(*) from loaded where _batch_type not in ('VARCHAR', 'NULL')"):
                raise _unexpected("a custom_id is not a text")
            self.run(
                f"insert into exported select * exclude (_batch_type, _batch_given) from loaded "
                f"where {KEY} is not null"
            )
            self._lines += self.count("count(*) from loaded")
            self._given += self.count(f"count(*) from loaded where _batch_given and {KEY} is not null")
            self.run("drop table loaded")

    def check(self) -> None:
        """Raises DeliveryError if the files have nothing to compare, which would make everything differ."""
        if self._lines and not self.count("count(*) from exported"):
            raise _unexpected("no profile has a custom_id in `identifiers`")
        if self._lines and not self._given:
            raise _unexpected("no profile has `attributes`")

    @contextmanager
    def of_sync(self, attributes: Sequence[TypedAttribute]) -> Iterator[Believed]:
        """The believed state of one sync, filled by the caller."""
        with room():
            believed = Believed(self, attributes)
            try:
                yield believed
            finally:
                for table in (*_TABLES, "believed", "noted", "ours", "theirs", "differing", "found"):
                    self.run(f"drop table if exists {table}")

    def run(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.connection.execute(statement, dict(parameters or {}))

    def count(self, of: str) -> int:
        """The first cell of a select."""
        (row,) = self.connection.execute(f"select {of}").fetchall()
        return int(row[0])


_TABLES = {
    "held": "_batch_run_id varchar, _batch_gone boolean, _batch_doubt varchar",
    "queued": "_batch_change varchar, _batch_changed varchar, _batch_reason varchar, _batch_page bigint, "
    "_batch_settled boolean",
    "rejected": "_batch_attribute varchar",
}
"""Columns beside the key and the attributes, whose names don't begin with `_batch_`."""

_SETTLED = "_batch_settled and _batch_change <> 'invalid'"


class Believed:
    """What Batch should hold for one sync: `held`, the rows of its snapshot, `queued`, those of its delta,
    and its rejections. Add all rows, then settle, then compare.
    """

    def __init__(self, comparison: Comparison, attributes: Sequence[TypedAttribute]) -> None:
        self.attributes = tuple(attributes)
        self._db = comparison
        self._values = ", ".join(column(each.name) for each in self.attributes)
        values = [f"{column(each.name)} varchar" for each in self.attributes]
        for table, own in _TABLES.items():
            columns = ", ".join((f"{KEY} varchar", own, f"{REJECTED} varchar", *values))
            self._db.run(f"create table {table} ({columns})")

    def add(self, table: Literal["held", "queued", "rejected"], rows: pa.Table) -> None:
        """Adds rows as the warehouse has them: `KEY`, the table's columns, the attributes."""
        own = [each for each in self.attributes if each.name in rows.column_names]
        self._db.connection.register("batch_rows", rows)
        self._db.run(f"insert into {table} by name {sent_values(own, rows.schema, 'batch_rows')}")
        self._db.connection.unregister("batch_rows")

    def settle(self, before: int, runs: Sequence[str | None], on_exit: OnExit) -> None:
        """Lays what was settled of the delta over the snapshot, and notes what may differ.

        Rows sent after the export began may have changed: those after the page `before`, those of the `runs`.
        """
        left = "_batch_gone" if on_exit is not OnExit.CLEAR else "false"
        self._db.run(
            f"""
            create table believed as
            with sent as (
                select {KEY}, _batch_page > $before as _batch_late, _batch_change = 'exit' as _batch_gone,
                    {REJECTED}, {self._values}
                from queued where {_SETTLED}
                union all
                select {KEY}, list_contains($runs, _batch_run_id), _batch_gone, {REJECTED}, {self._values}
                from held anti join (select {KEY} from queued where {_SETTLED}) using ({KEY})
            )
            select *, case when {left} then 'exited' when _batch_late then 'changed' end as _batch_note
            from sent
            """,
            {"before": before, "runs": list(runs)},
        )
        self._db.run(
            f"""
            create table noted as
            select {KEY} as key, null as attribute,
                if(_batch_reason = 'parked', 'parked', 'invalid') as reason
            from queued where _batch_change = 'invalid'
            union all
            select {KEY}, unnest(if(_batch_change = 'insert', [null], names(_batch_changed))), 'pending'
            from queued where not _batch_settled and _batch_change <> 'invalid'
            union all
            select {KEY}, unnest(names({REJECTED})), 'rejected' from believed
            union all
            select {KEY}, _batch_attribute, 'rejected' from rejected
            union all
            select h.{KEY}, h.name, 'in_doubt'
            from (select {KEY}, unnest(names(_batch_doubt)) as name from held) as h
            left join (select {KEY}, _batch_changed from queued where {_SETTLED}) as q using ({KEY})
            where q._batch_changed is null or not list_contains(names(q._batch_changed), h.name)
            """
        )
        for table in _TABLES:
            self._db.run(f"drop table {table}")

    @property
    def rows(self) -> int:
        """The number of rows, of the sync and those that have left it."""
        return self._db.count("count(*) from believed")

    def compare(self, keeps: Sequence[str], membership: str | None) -> None:
        """Finds the differences. `keeps`: the attributes whose nulls are not sent."""
        ours = {each.name: f"b.{column(each.name)}" for each in self.attributes}
        theirs = {each.name: f"e.{column(each.plain_name)}" for each in self.attributes}
        self._find_differing(mark(self.attributes, ours), mark(self.attributes, theirs))
        cases = ", ".join(_packed(each, ours[each.name], theirs[each.name]) for each in self.attributes)
        self._db.run(
            "create table found as select key, null::varchar as note, false as gone, "
            "null::varchar as attribute, 'unknown_profile' as difference, null::varchar as ours, "
            "null::varchar as theirs "
            "from differing where only_theirs"
        )
        for first in range(0, self._db.count("count(*) from differing"), PART_ROWS):
            self._db.run(
                f"""
                insert into found
                with part as (
                    select key as {KEY} from differing
                    where not only_theirs and rowid >= $first and rowid < $first + {PART_ROWS}
                ),
                joined as (
                    select b.{KEY} as key, b._batch_note as note, b._batch_gone as gone,
                        case
                            when e.{KEY} is null then [{_packed(None)}]
                            else list_filter([{cases}], lambda x: x.difference is not null)
                        end as differences
                    from (from believed semi join part using ({KEY})) as b
                    left join (from exported semi join part using ({KEY})) as e using ({KEY})
                )
                select key, note, gone, unnest(differences, recursive := true) from joined
                """,
                {"first": first},
            )
        kept = ", ".join(map(text, keeps)) or "''"
        consents, flag = ", ".join(map(text, CONSENTS)), text(membership or "")
        self._db.run(
            f"""
            create or replace table found as
            select distinct f.key, f.attribute, f.difference, f.ours, f.theirs,
                case
                    when f.note <> 'exited' or (f.note is not null and f.attribute is distinct from {flag})
                        then f.note
                    when f.attribute in ({consents}) and f.theirs = '"unsubscribed"' then 'opted_out'
                    when n.reason is not null then n.reason
                    when f.ours is null and f.attribute in ({kept}) and not f.gone then 'keep'
                end as expected
            from found as f
            left join (
                select key, attribute, min(reason) as reason from noted group by key, attribute
            ) as n on n.key = f.key and (n.attribute is null or n.attribute = f.attribute)
            """
        )

    def _find_differing(self, mine: str, other: str) -> None:
        """Creates `differing`: the keys with unequal marks, by parts of the keys of at most `PART_ROWS`."""
        self._db.run(f"create table ours as select {KEY} as key, {mine} as mark from believed as b")
        self._db.run(f"create table theirs as select {KEY} as key, {other} as mark from exported as e")
        self._db.run("create table differing (key varchar, only_theirs boolean)")
        rows = self._db.count("greatest((select count(*) from ours), (select count(*) from theirs))")
        parts = rows // PART_ROWS + 1
        for part in range(parts):
            self._db.run(
                f"""
                insert into differing
                select coalesce(b.key, e.key), b.key is null
                from (from ours where hash(key) % {parts} = $part) as b
                full join (from theirs where hash(key) % {parts} = $part) as e on b.key = e.key
                where b.mark is distinct from e.mark
                """,
                {"part": part},
            )

    def counts(self) -> list[tuple[str | None, str, str | None, int]]:
        """Counts by attribute and difference, or by the reason that it is not drift."""
        return self._db.connection.execute(
            "select attribute, difference, expected, count(*) from found group by all order by 4 desc, 1, 2"
        ).fetchall()

    def drifted(self) -> int:
        """The number of profiles that differ, without those that are not in the sync."""
        drift = "expected is null and difference <> 'unknown_profile'"
        return self._db.count(f"count(distinct key) from found where {drift}")

    def is_repairable(self, adopts: bool) -> bool:
        """Whether dbt will send some of the drift. A repair never subscribes, an adoption never clears."""
        consents = ", ".join(map(text, CONSENTS))
        subscribes = f"attribute in ({consents}) and ours = '\"subscribed\"'"
        left = "difference = 'unexpected_value'" if adopts else f"coalesce({subscribes}, false)"
        drift = "expected is null and difference <> 'unknown_profile'"
        return self._db.count(f"count(*) from found where {drift} and not ({left})") > 0

    def drift(self, rows: int, unknown: int) -> Iterator[pa.Table]:
        """The drift, and the first `unknown` profiles that are not in the sync, in chunks."""
        for condition, most in (
            ("difference <> 'unknown_profile'", None),
            ("difference = 'unknown_profile'", unknown),
        ):
            query = f"select key, attribute, difference from found where expected is null and {condition}"
            relation = self._db.connection.sql(f"{query} limit {most}" if most is not None else query)
            read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
            for batch in read(rows):
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])

    def samples(self, count: int) -> list[Found]:
        """A few differences of each attribute and kind."""
        found = self._db.connection.execute(
            "select key, attribute, difference, ours, theirs from found where expected is null "
            "qualify row_number() over (partition by attribute, difference order by key) = 1 "
            f"order by difference, attribute limit {count}"
        ).fetchall()
        return [Found(*row) for row in found]


def _written(name: str) -> tuple[str, ...]:
    """The names that a value may have in the export: plain, or wrapped as it is sent."""
    return (name,) if name.startswith("$") else (name, f"date({name})", f"url({name})")


_NOTHING = ("null", '""', "[]")


def _first_given(name: str) -> str:
    cells = (f"attributes.{column(each)}::varchar" for each in _written(name))
    given = (choose([(f"{cell} not in ({', '.join(map(text, _NOTHING))})", cell)]) for cell in cells)
    return f"coalesce({', '.join(given)}) as {column(name)}"


def _packed(attribute: TypedAttribute | None, ours: str = "null", theirs: str = "null") -> str:
    kind = difference(attribute, ours, theirs) if attribute else "'missing_profile'"
    name = text(attribute.name) if attribute else "null"
    cells = {"attribute": name, "difference": kind, "ours": ours, "theirs": theirs}
    return f"struct_pack({', '.join(f'{each} := cast({cell} as varchar)' for each, cell in cells.items())})"
