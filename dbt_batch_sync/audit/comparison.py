"""Compares what was sent with an export from Batch, in an in-process DuckDB with tables in a temporary
directory, so that memory does not grow with the number of profiles.

Both sides are JSON texts, compared by value:

integer, float   as numbers: 5 and 5.0 are the same
date             as instants, in any of the forms that Batch takes, in seconds or in milliseconds
string_array     as sets: neither order nor repetition counts
null             as absent, and so are an empty text and an empty array
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from dbt_batch_sync.batch_api.exports import no_room
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.attributes import KEY, AttributeType, TypedAttribute
from dbt_batch_sync.mapping.mapping import OnExit
from dbt_batch_sync.payload.expressions import ITEM, any_of, as_json, choose, column, matches, text
from dbt_batch_sync.payload.values import REJECTED, sent_values

MEMORY_LIMIT = "400MB"
"""DuckDB's limit; beyond it, it spills to the temporary directory."""

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
                for table in (*_TABLES, "believed", "noted", "found"):
                    self.run(f"drop table if exists {table}")

    def run(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Executes a statement."""
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

        Rows sent after the export began may have changed since: those of later pages than `before`, and those
        of the `runs`.
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
        ours_any = any_of(f"b.{column(each.name)} is not null" for each in self.attributes)
        theirs_any = any_of(f"e.{column(each.plain_name)} is not null" for each in self.attributes)
        cases = ",\n".join(_difference(each) for each in self.attributes)
        differs = any_of(map(_differs, self.attributes))
        self._db.run(
            f"""
            create table found as
            with joined as (
                select coalesce(b.{KEY}, e.{KEY}) as key, b._batch_note as note,
                    coalesce(b._batch_gone, false) as gone,
                    case
                        when b.{KEY} is null then [{_packed("'unknown_profile'")}]
                        when e.{KEY} is null then [{_packed("'missing_profile'")}]
                        else list_filter([{cases}], lambda x: x is not null)
                    end as differences
                from believed as b full join exported as e on b.{KEY} = e.{KEY}
                where (b.{KEY} is null and {theirs_any}) or (e.{KEY} is null and {ours_any})
                    or (b.{KEY} is not null and e.{KEY} is not null and {differs})
            )
            select key, note, gone, unnest(differences, recursive := true) from joined
            """
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

    def counts(self) -> list[tuple[str | None, str, str | None, int]]:
        """Counts by attribute and difference, or by the reason that it is not drift."""
        return self._db.connection.execute(
            "select attribute, difference, expected, count(*) from found group by all order by 4 desc, 1, 2"
        ).fetchall()

    def drifted(self) -> int:
        """The number of profiles that differ, without those that are not in the sync."""
        drift = "expected is null and difference <> 'unknown_profile'"
        return self._db.count(f"count(distinct key) from found where {drift}")

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


def _difference(attribute: TypedAttribute) -> str:
    ours, theirs = f"b.{column(attribute.name)}", f"e.{column(attribute.plain_name)}"
    mine, other = _canonical(attribute.type, ours), _canonical(attribute.type, theirs)
    kind = (
        f"case when {mine} is null then 'unexpected_value' when {other} is null then 'missing_value' "
        "else 'other_value' end"
    )
    packed = _packed(kind, text(attribute.name), ours, theirs)
    return f"case when {_differs(attribute)} then {packed} end"


def _packed(difference: str, attribute: str = "null", ours: str = "null", theirs: str = "null") -> str:
    cells = {"attribute": attribute, "ours": ours, "theirs": theirs, "difference": difference}
    members = (f"{name} := cast({cell} as varchar)" for name, cell in cells.items())
    return f"struct_pack({', '.join(members)})"


def _differs(attribute: TypedAttribute) -> str:
    """Equal texts need no parsing."""
    ours, theirs = f"b.{column(attribute.name)}", f"e.{column(attribute.plain_name)}"
    mine, other = _canonical(attribute.type, ours), _canonical(attribute.type, theirs)
    same = f"{mine} is not distinct from {other}"
    if attribute.type is AttributeType.DATE:
        # A number may be in seconds or in milliseconds.
        same = f"({same} or coalesce({other} in ('#' || {mine}, '#' || {mine} || '000'), false))"
    return f"({ours} is distinct from {theirs} and not {same})"


def _canonical(kind: AttributeType, json: str) -> str:
    """A text that is equal for equal values; null for none. Numbers and booleans may be texts."""
    value = f"json_extract_string({json}, '$')"
    if kind is AttributeType.INTEGER:
        digits = f"cast(try_cast(split_part({value}, '.', 1) as hugeint) as varchar)"
        power = (matches(value, _WITH_EXPONENT), f"coalesce({_whole(value)}, {value})")
        return choose([(matches(value, r"-?[0-9]+(\.0*)?"), f"coalesce({digits}, {value})"), power], value)
    if kind is AttributeType.FLOAT:
        return choose(
            [(matches(value, _NUMBER), f"cast(try_cast({value} as double) + 0.0 as varchar)")], value
        )
    if kind is AttributeType.BOOLEAN:
        return value
    if kind is AttributeType.DATE:
        moment = f"epoch_us(try_cast({value} as timestamptz))"
        whole = f"cast({moment} // 1000000 as varchar)"
        instant = f"case when {moment} % 1000000 = 0 then {whole} else {moment} || 'us' end"
        number = f"'#' || coalesce({_whole(value)}, {value})"
        return choose(
            [
                (matches(value, _NUMBER), number),
                (matches(value, "[0-9]{4}-.*"), f"coalesce({instant}, {value})"),
            ],
            value,
        )
    if kind is AttributeType.STRING_ARRAY:
        listed = choose([(f"json_valid({value}) and json_type({value}) = 'ARRAY'", value)])
        parts = f"list_transform(try_cast({listed} as json[]), lambda {ITEM}: {_marked(ITEM)})"
        items = f"list_sort(list_distinct({parts}))"
        return f"case when len({items}) > 0 then {as_json(items)} when {listed} is null then {value} end"
    return _marked(json)


_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_WITH_EXPONENT = r"-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+"


def _whole(value: str) -> str:
    """The digits of a number without a fraction; null for others."""
    number = f"try_cast({value} as double)"
    return choose([(f"{number} = trunc({number})", f"cast(try_cast({number} as hugeint) as varchar)")])


def _marked(json: str) -> str:
    """A text behind a quote, so that it differs from a number, a boolean or a list of the same text."""
    is_text = f"json_type({json}) = 'VARCHAR'"
    return choose([(is_text, f"'\"' || json_extract_string({json}, '$')")], f"cast({json} as varchar)")
