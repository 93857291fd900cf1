"""Compares what was sent with an export from Batch, in an in-process DuckDB with tables in a temporary
directory, so that memory does not grow with the number of profiles.

Both sides are JSON texts, compared by value:

integer, float   as numbers: 5 and 5.0 are the same
date             as instants, in any of the forms that Batch takes, in seconds or in milliseconds
string_array     as sets: neither order nor repetition counts
null             as absent, and so are an empty text and an empty array
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.attributes import KEY, AttributeType, TypedAttribute
from dbt_batch_sync.payload.values import REJECTED, sent_values

MEMORY_LIMIT = "200MB"
"""DuckDB's limit; beyond it, it spills to the temporary directory."""

MAX_LINE_BYTES = 4_000_000
"""The limit for one profile of an export; fifty attributes of the longest type need much less."""

Expectation = Literal[
    "rejected", "parked", "invalid", "pending", "in_doubt", "changed", "exited", "keep", "opted_out"
]
"""Why a difference is not drift."""

CONSENTS = ("batch__email_marketing", "batch__sms_marketing")


@dataclass(frozen=True)
class Found:
    """One difference. `attribute` is None for a whole profile. Values are JSON texts."""

    key: str
    attribute: str | None
    difference: str
    ours: str | None
    theirs: str | None


class Comparison:
    """An export of profiles with `attributes`, by their plain names."""

    def __init__(self, directory: Path, plain_names: Sequence[str]) -> None:
        self._names = tuple(plain_names)
        self.connection = duckdb.connect(
            str(directory / "audit.duckdb"),
            config={
                "memory_limit": MEMORY_LIMIT,
                "threads": 2,
                "temp_directory": str(directory / "spilled"),
                "preserve_insertion_order": False,
            },
        )
        self.connection.execute("set timezone = 'UTC'")
        columns = ", ".join(f"{_quoted(name)} varchar" for name in self._names)
        self._run(f"create table exported (key varchar, {columns})")

    def close(self) -> None:
        self.connection.close()

    def add_exported(self, path: Path) -> int:
        """Loads a file with one profile per line. Returns the number of profiles without a custom_id. Raises
        DeliveryError: it has another format.
        """
        members = {form for name in self._names for form in _written(name)}
        struct = ", ".join(f"{_quoted(name)} json" for name in sorted(members))
        values = ", ".join(_first_given(name) for name in self._names)
        columns = f"{{identifiers: 'struct(custom_id varchar)', attributes: {_text(f'struct({struct})')}}}"
        source = (
            f"read_json({_text(str(path))}, format = 'newline_delimited', columns = {columns}, "
            f"maximum_object_size = {MAX_LINE_BYTES}, compression = 'none')"
        )
        try:
            self._run(
                "create or replace temp table loaded as "
                f"select identifiers.custom_id as key, {values} from {source}"
            )
        except duckdb.Error:
            # Its message contains the line.
            raise DeliveryError(
                "a file of the export is not what was expected: one JSON object a line, in UTF-8, with "
                "`identifiers` and `attributes`. Run the audit again; if it persists, the format has changed"
            ) from None
        self._run("insert into exported select * from loaded where key is not null")
        (without,) = self._row("select count(*) from loaded where key is null")
        self._run("drop table loaded")
        return int(without)

    @property
    def exported(self) -> int:
        """The number of loaded profiles."""
        return int(self._row("select count(*) from exported")[0])

    @contextmanager
    def of_sync(self, attributes: Sequence[TypedAttribute]) -> Iterator[Believed]:
        """The believed state of one sync, filled by the caller."""
        believed = Believed(self, attributes)
        try:
            yield believed
        finally:
            for table in ("believed", "noted", "fresh", "found"):
                self._run(f"drop table if exists {table}")

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.execute(statement, list(parameters))

    def _row(self, statement: str) -> tuple[Any, ...]:
        row = self.connection.execute(statement).fetchone()
        if row is None:
            raise RuntimeError("a count without a row")
        return row


class Believed:
    """What Batch should hold for one sync. Add the snapshot's rows first, then the delta's, then notes."""

    def __init__(self, comparison: Comparison, attributes: Sequence[TypedAttribute]) -> None:
        self.attributes = tuple(attributes)
        self._db = comparison
        self._selects: dict[pa.Schema, str] = {}
        columns = ", ".join(f"{_quoted(each.name)} varchar" for each in self.attributes)
        self._db._run(f"create table believed (key varchar, note varchar, gone boolean, {columns})")
        self._db._run("create table noted (key varchar, attribute varchar, reason varchar)")

    def add(self, rows: pa.Table) -> None:
        """Adds rows: `KEY`, `_batch_note` (why the whole row may differ, or null), `_batch_gone` (it has left
        the model), and the attributes as the warehouse has them.
        """
        if not rows.num_rows:
            return
        select = self._selects.get(rows.schema)
        if select is None:
            select = self._selects[rows.schema] = sent_values(self.attributes, rows.schema, "batch_rows")
        names = ", ".join(_quoted(each.name) for each in self.attributes)
        self._db.connection.register("batch_rows", rows)
        self._db._run(f"create or replace temp table page as {select}")
        self._db._run(
            f"insert into believed select {_quoted(KEY)}, _batch_note, _batch_gone, {names} from page"
        )
        self._db._run(
            f"insert into noted select {_quoted(KEY)}, unnest({_split(REJECTED)}), 'rejected' from page "
            f"where {REJECTED} is not null"
        )
        self._db.connection.unregister("batch_rows")

    def replace(self, keys: pa.Table) -> None:
        """Removes the added rows with these keys (`key`), the rejections noted of their values, and the doubt
        about the names in `changed`.
        """
        self._db.connection.register("batch_keys", keys)
        self._db._run("delete from believed where key in (select key from batch_keys)")
        self._db._run(
            "delete from noted where exists (select 1 from batch_keys as k where k.key = noted.key and "
            "(reason = 'rejected' or (reason = 'in_doubt' "
            "and contains(',' || k.changed || ',', ',' || noted.attribute || ','))))"
        )
        self._db.connection.unregister("batch_keys")

    def note(self, rows: pa.Table, reason: Expectation | None = None) -> None:
        """Notes that attributes may differ: `key`, `names` (comma separated; null for the whole row), and
        `reason` if it is not given.
        """
        if not rows.num_rows:
            return
        self._db.connection.register("batch_notes", rows)
        why = "reason" if reason is None else _text(reason)
        self._db._run(
            "insert into noted select key, "
            f"unnest(case when names is null then [null] else {_split('names')} end), {why} from batch_notes"
        )
        self._db.connection.unregister("batch_notes")

    @property
    def rows(self) -> int:
        return int(self._db._row("select count(*) from believed")[0])

    def compare(self, keeps: Sequence[str], membership: str | None) -> None:
        """Finds the differences. `keeps`: the attributes whose nulls are not sent."""
        ours_any = _or(f"b.{_quoted(each.name)} is not null" for each in self.attributes)
        theirs_any = _or(f"e.{_quoted(each.plain_name)} is not null" for each in self.attributes)
        cases = ",\n".join(_difference(each) for each in self.attributes)
        differs = _or(map(_differs, self.attributes))
        self._db._run(
            f"""
            create table found as
            with joined as (
                select coalesce(b.key, e.key) as key, b.note, coalesce(b.gone, false) as gone,
                    case
                        when b.key is null then [{_packed("'unknown_profile'")}]
                        when e.key is null then [{_packed("'missing_profile'")}]
                        else list_filter([{cases}], lambda x: x is not null)
                    end as differences
                from believed as b full join exported as e on b.key = e.key
                where (b.key is null and ({theirs_any})) or (e.key is null and ({ours_any}))
                    or (b.key is not null and e.key is not null and ({differs}))
            )
            select key, note, gone, unnest(differences, recursive := true) from joined
            """
        )
        kept = ", ".join(map(_text, keeps)) or "''"
        consents, flag = ", ".join(map(_text, CONSENTS)), _text(membership or "")
        self._db._run(
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
        found = self._db.connection.execute(
            "select attribute, difference, expected, count(*) from found group by all order by 4 desc, 1, 2"
        ).fetchall()
        return [
            (attribute, difference, expected, int(count)) for attribute, difference, expected, count in found
        ]

    def drifted(self) -> int:
        """The number of profiles that differ, without those that are not in the sync."""
        return int(
            self._db._row(
                "select count(distinct key) from found "
                "where expected is null and difference <> 'unknown_profile'"
            )[0]
        )

    def drift(self, rows: int, unknown: int) -> Iterator[pa.Table]:
        """The drift, and the first `unknown` profiles that are not in the sync, in chunks: `key`,
        `attribute`, `difference`.
        """
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


def _or(conditions: Iterable[str]) -> str:
    return " or ".join(conditions) or "false"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _written(name: str) -> tuple[str, ...]:
    """The names that a value may have in the export: plain, or wrapped as it is sent."""
    return (name,) if name.startswith("$") else (name, f"date({name})", f"url({name})")


def _first_given(name: str) -> str:
    given = (f"nullif(attributes.{_quoted(each)}::varchar, 'null')" for each in _written(name))
    return f"coalesce({', '.join(given)}) as {_quoted(name)}"


def _difference(attribute: TypedAttribute) -> str:
    ours, theirs = f"b.{_quoted(attribute.name)}", f"e.{_quoted(attribute.plain_name)}"
    mine, other = _canonical(attribute.type, ours), _canonical(attribute.type, theirs)
    kind = (
        f"case when {mine} is null then 'unexpected_value' when {other} is null then 'missing_value' "
        "else 'other_value' end"
    )
    packed = _packed(kind, _text(attribute.name), ours, theirs)
    return f"case when {_differs(attribute)} then {packed} end"


def _packed(difference: str, attribute: str = "null", ours: str = "null", theirs: str = "null") -> str:
    cells = {"attribute": attribute, "ours": ours, "theirs": theirs, "difference": difference}
    members = (f"{name} := cast({cell} as varchar)" for name, cell in cells.items())
    return f"struct_pack({', '.join(members)})"


def _split(names: str) -> str:
    return f"list_filter(string_split({names}, ','), lambda x: x <> '')"


def _differs(attribute: TypedAttribute) -> str:
    """Equal texts need no parsing."""
    ours, theirs = f"b.{_quoted(attribute.name)}", f"e.{_quoted(attribute.plain_name)}"
    mine, other = _canonical(attribute.type, ours), _canonical(attribute.type, theirs)
    same = f"{mine} is not distinct from {other}"
    if attribute.type is AttributeType.DATE:
        # A number may be in seconds or in milliseconds.
        same = f"({same} or coalesce({other} in ('#' || {mine}, '#' || {mine} || '000'), false))"
    return f"({ours} is distinct from {theirs} and not {same})"


def _canonical(kind: AttributeType, json: str) -> str:
    """A text that is equal for equal values; null for none."""
    value = f"nullif(json_extract_string({json}, '$'), '')"
    if kind is AttributeType.INTEGER:
        return (
            f"coalesce(try_cast(try_cast({value} as decimal(38, 9)) as varchar), "
            f"cast(try_cast({value} as double) as varchar), {value})"
        )
    if kind is AttributeType.FLOAT:
        return f"coalesce(cast(try_cast({value} as double) + 0.0 as varchar), {value})"
    if kind is AttributeType.BOOLEAN:
        return f"coalesce(cast(try_cast({value} as boolean) as varchar), {value})"
    if kind is AttributeType.DATE:
        moment = f"try_cast({value} as timestamptz)"
        seconds = f"epoch_us({moment})"
        whole = f"cast({seconds} // 1000000 as varchar)"
        instant = f"case when {seconds} % 1000000 = 0 then {whole} else {seconds} || 'us' end"
        number = f"'#' || cast(try_cast({value} as bigint) as varchar)"
        is_number = f"regexp_full_match({value}, '-?[0-9]+')"
        return f"case when {is_number} then {number} else coalesce({instant}, {value}) end"
    if kind is AttributeType.STRING_ARRAY:
        listed = f"case when json_valid({value}) and json_type({value}) = 'ARRAY' then {value} end"
        items = f"list_sort(list_distinct(try_cast({listed} as varchar[])))"
        as_text = f"cast(to_json({items}) as varchar)"
        return f"case when len({items}) > 0 then {as_text} when {listed} is null then {value} end"
    return value
