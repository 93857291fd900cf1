"""Records the statements that the package's own connections send to DuckDB and PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from sqlglot import exp, parse_one

from dbt_batch_sync.warehouse import driver
from dbt_batch_sync.warehouse import duckdb as duckdb_driver

LEDGER = ("batch_sync_journal", "batch_sync_rejects")


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """Record the statements of this process's pushes. dbt's own connections are not included."""
    seen: list[str] = []
    connect, cursor = driver.connect, duckdb_driver._File.cursor

    def noting_connect(adapter: Any) -> Any:
        handle = connect(adapter)
        handle.cursor_factory = _postgres_cursor(seen)
        return handle

    @contextlib.contextmanager
    def noting_cursor(file: Any, megabytes: int = 0) -> Iterator[Any]:
        with cursor(file, megabytes) as opened:
            yield _DuckDbCursor(opened, seen)

    with (
        mock.patch.object(driver, "connect", noting_connect),
        mock.patch.object(duckdb_driver._File, "cursor", noting_cursor),
    ):
        yield seen


def is_of_a_push(statement: str, dialect: str) -> bool:
    """Whether a push may run it: a select, an append to the ledger, a metadata query, or a session setting."""
    tree = parse_one(statement, dialect=dialect)
    if isinstance(tree, exp.Copy):
        source = tree.this
        return source.this.name in LEDGER if tree.args.get("kind") else _only_reads(source.unnest())
    if isinstance(tree, exp.Insert):
        return tree.this.this.name in LEDGER and _only_reads(tree.expression)
    return isinstance(tree, exp.Describe) or _only_reads(tree)


def _only_reads(tree: exp.Expr) -> bool:
    writes = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.DDL, exp.Into, exp.Lock)
    return isinstance(tree, exp.Query | exp.Values) and not any(
        isinstance(node, writes) and not isinstance(node, exp.Query) for node in tree.walk()
    )


def _postgres_cursor(seen: list[str]) -> type:
    from psycopg2.extensions import cursor

    class Cursor(cursor):  # type: ignore[misc]
        def execute(self, query: str, values: object = None) -> None:
            seen.append(self.mogrify(query, values).decode())
            super().execute(query, values)

        def copy_expert(self, sql: str, file: object, *size: int) -> None:
            seen.append(sql)
            super().copy_expert(sql, file, *size)

    return Cursor


class _DuckDbCursor:
    def __init__(self, cursor: Any, seen: list[str]) -> None:
        self._cursor = cursor
        self._seen = seen

    def execute(self, query: str, *values: object) -> Any:
        self._seen.append(query)
        return self._cursor.execute(query, *values)

    def sql(self, query: str, **values: object) -> Any:
        self._seen.append(query)
        return self._cursor.sql(query, **values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)
