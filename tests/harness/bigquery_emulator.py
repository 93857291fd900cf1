"""The process of the BigQuery emulator. Writes its port to the given file descriptor and exits when its
standard input closes.

Each function fixes one difference from BigQuery, and quotes BigQuery's documentation where needed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import sys
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import duckdb_extensions
from bqemulator.api.routes import jobs, tables, upload
from bqemulator.catalog import ddl_sync
from bqemulator.config import LogLevel, Settings
from bqemulator.domain.errors import AlreadyExistsError
from bqemulator.jobs import executor
from bqemulator.scripting import interpreter
from bqemulator.server import EmulatorServer
from bqemulator.sql import translator
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.storage.type_map import bq_to_duckdb
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.generators.duckdb import DuckDBGenerator

_parameters: ContextVar[Any] = ContextVar("parameters", default=None)


def bind_parameters_of_scripts() -> None:
    """Let scripts have parameters."""
    run, bind = executor._run_query_body, interpreter.bind_parameters

    async def run_with_parameters(**call: Any) -> Any:
        _parameters.set(call["query_params"] or [])
        return await run(**call)

    executor._run_query_body = run_with_parameters
    interpreter.bind_parameters = lambda sql, _: bind(sql, _parameters.get())


def add_several_columns() -> None:
    """Accept several `add column` in one `alter table`."""
    run = executor._run_query_body

    async def run_each(**call: Any) -> Any:
        head, *added = re.split(r",?\s*\badd column\b", call["bq_sql"], flags=re.IGNORECASE)
        if len(added) < 2 or "alter table" not in head.lower():
            return await run(**call)
        for column in added:
            done = await run(**{**call, "bq_sql": f"{head} add column {column}"})
        return done

    executor._run_query_body = run_each


def tell_parameters_from_quotes() -> None:
    """Read `$a, $b` as two parameters. sqlglot's DuckDB dialect reads them as a dollar-quoted string."""
    for module in (executor, interpreter):
        module.rewrite_table_refs = _guarded(module.rewrite_table_refs)


def _guarded(rewrite: Any) -> Any:
    def rewritten(sql: str, project: str) -> str:
        names = [each["name"] for each in _parameters.get() or [] if each.get("name")]
        for name in names:
            sql = re.sub(rf"\${name}\b", f'"__{name}__"', sql)
        sql = rewrite(sql, project)
        for name in names:
            sql = sql.replace(f'"__{name}__"', f"${name}")
        return sql

    return rewritten


def keep_the_case_of_names() -> None:
    """Find columns whatever their case, and report them as created. sqlglot lower-cases `É`, and DuckDB then
    doesn't find the column.
    """
    translator.qualify = lambda tree, **_: tree


def keep_nine_decimals() -> None:
    """Give NUMERIC 29 digits and 9 decimals."""
    kinds = DuckDBGenerator.datatype_sql

    def datatype(self: Any, kind: exp.DataType) -> str:
        bare = kind.this == exp.DType.DECIMAL and not kind.expressions
        return "DECIMAL(38, 9)" if bare else str(kinds(self, kind))

    DuckDBGenerator.datatype_sql = datatype


def tell_json_from_texts() -> None:
    """Report JSON columns as JSON, in views too."""
    told = ddl_sync._introspect_schema

    def schema_of(project: str, dataset: str, table: str, ctx: Any) -> Any:
        schema = told(project, dataset, table, ctx)
        place = quoted_table_ref(project, dataset, table)
        kinds = {row[1]: row[2] for row in ctx.engine.execute(f"pragma table_info({place})").fetchall()}
        of_json = {"type": "JSON"}
        fields = (
            each.model_copy(update=of_json if kinds[each.name] == "JSON" else {}) for each in schema.fields
        )
        return schema.model_copy(update={"fields": tuple(fields)})

    ddl_sync._introspect_schema = schema_of


def take_the_name_of_a_job_once() -> None:
    """Reject a second job of the same name: `Already Exists: Job …`."""
    handled = jobs._handle_query_job

    async def handled_once(project: str, name: str, config: Any, *, ctx: Any, **call: Any) -> Any:
        if ctx.catalog.get_job(project, name) is not None:
            raise AlreadyExistsError(f"Already Exists: Job {project}:US.{name}")
        return await handled(project, name, config, ctx=ctx, **call)

    jobs._handle_query_job = handled_once


def parse_a_statement_once() -> None:
    """Cache parsed statements: the emulator parses each one twenty times, which takes most of its time."""
    parse = Dialect.parse

    @lru_cache(maxsize=256)
    def parsed(dialect: type[Dialect], sql: str) -> list[Any]:
        return parse(dialect(), sql)

    def copied(self: Dialect, sql: str, **options: Any) -> list[Any]:
        if options or self.settings:
            return parse(self, sql, **options)
        return [tree.copy() if tree else tree for tree in parsed(type(self), sql)]

    Dialect.parse = copied  # type: ignore[method-assign]


def add_columns(engine: Any) -> None:
    """Make `tables.patch` and `tables.update` add new columns."""
    made = tables._rest_to_table_meta

    def of_request(project: str, dataset: str, body: Any, clock: Any, existing: Any = None) -> Any:
        table = made(project, dataset, body, clock, existing)
        known = {field.name for field in existing.schema_.fields} if existing else None
        for field in table.schema_.fields:
            if known is not None and field.name not in known:
                place = quoted_table_ref(project, dataset, table.table_id)
                engine.execute(f'alter table {place} add column "{field.name}" {bq_to_duckdb(field.type)}')
        return table

    tables._rest_to_table_meta = of_request


def take_what_the_client_uploads() -> None:
    """Accept uploads of any content type: Google's client declares rows as `*/*`."""
    upload._PERMITTED_MEDIA_CONTENT_TYPES += ("*/*",)


async def serve(answer: int) -> None:
    """Start the server and report its port."""
    settings = Settings(rest_port=0, grpc_port=0, log_level=LogLevel.ERROR, enable_format_extensions=False)
    server = EmulatorServer(settings)
    add_columns(server._engine)
    await server.start()
    with os.fdopen(answer, "w") as file:
        file.write(str(server.rest_port))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    # The emulator keeps building syntax trees, and each garbage collection walks all of them.
    gc.set_threshold(200_000)
    duckdb_extensions.import_extension("spatial")
    bind_parameters_of_scripts()
    add_several_columns()
    tell_parameters_from_quotes()
    keep_the_case_of_names()
    keep_nine_decimals()
    tell_json_from_texts()
    take_the_name_of_a_job_once()
    parse_a_statement_once()
    take_what_the_client_uploads()
    asyncio.run(serve(int(sys.argv[1])))
