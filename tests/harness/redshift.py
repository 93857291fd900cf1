"""Stand-in for Redshift: PostgreSQL behind a proxy for Redshift's own driver.

The proxy removes what only Redshift accepts (start-up parameters, `distkey` and `sortkey`), and fails
statements that PostgreSQL accepts and Redshift doesn't, as far as patterns can tell. It keeps the statements
it passed on.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from harness.databases import PostgresDatabase, PostgresServer, Row

TAKEN = (b"user", b"database", b"application_name", b"client_encoding", b"DateStyle")
"""Start-up parameters that PostgreSQL also accepts."""

SSL_REQUEST = 80877103

ONLY_REDSHIFT = re.compile(r"diststyle key distkey \(\w+\)|(compound|interleaved) sortkey\([\s\w,]+\)")

REFUSED = re.compile(
    r"is (not )?distinct from|merge into|collate \"|\bto stdout|from stdin|on conflict|\breturning\b|\bwith hold\b"
    r"|create (unique )?index|\bregclass\b|\w\[\]|array\[|array_to_json|\(\?:|\boffset 0|advisory|\bas text\b|::text\b"
    r"|varchar\(max\)|alter column|\bunnest\b|generate_series|\bjsonb?\b|\bfilter \(|\blateral\b",
    re.IGNORECASE,
)
"""PostgreSQL syntax that Redshift's documentation lists as unsupported, and `text`, which is short on
Redshift.
"""

LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
DERIVED = re.compile(r"\b(?:from|join)\s+\(", re.IGNORECASE)
ALIAS = re.compile(
    r"\s+(?:as\s+)?(?!(?:where|group|order|limit|on|union|left|right|full|inner|cross|join)\b)[\w\"]",
    re.IGNORECASE,
)

SETUP = (
    "create function pg_catalog.getdate() returns timestamp language sql stable as "
    "$$select clock_timestamp() at time zone 'UTC'$$",
    "create function pg_catalog.checksum(text) returns int language sql immutable as $$select hashtext($1)$$",
    "create function pg_catalog.db_collation() returns text language sql stable as $$select 'case_sensitive'$$",
    'create function pg_catalog."collate"(text, text) returns varchar language sql immutable as $$select $1$$',
    "create function pg_catalog.seconds_later(int, timestamp) returns timestamp language sql immutable as "
    "$$select $2 + make_interval(secs => $1)$$",
    "create function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql as "
    "$$select ''::name, ''::name, ''::name, ''::varchar, 0 where false$$",
    "create view pg_catalog.svv_external_columns as select ''::text as schemaname, ''::text as tablename, "
    "''::text as columnname, ''::text as external_type, 0 as columnnum where false",
    # A separate type, so that it is reported as such. Holds JSON as text.
    "create type pg_catalog.super",
    "create function pg_catalog.super_in(cstring) returns super language internal immutable strict as 'textin'",
    "create function pg_catalog.super_out(super) returns cstring language internal immutable strict as 'textout'",
    "create type pg_catalog.super (input = super_in, output = super_out, like = text)",
    "create cast (text as super) without function as assignment",
    "create cast (super as text) without function",
    'create function pg_catalog."json_serialize"(super) returns varchar language sql immutable as $$select $1::text$$',
)
"""Redshift features that PostgreSQL lacks."""


class RedshiftProxy:
    """A port on this machine that speaks Redshift's protocol, for each database of a server."""

    def __init__(self, server: PostgresServer) -> None:
        self.statements: deque[str] = deque(maxlen=10_000)
        self._socket = str(Path(server.host) / ".s.PGSQL.5432")
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="redshift", daemon=True)
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Stop the proxy and close all connections."""
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ended(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            start = await self._started(reader, writer)
            upstream, server = await asyncio.open_unix_connection(self._socket)
            server.write(start)
            # If either side closes, both close, so that a killed client's transaction is rolled back.
            ends = [
                asyncio.ensure_future(self._to_server(reader, server)),
                asyncio.ensure_future(_to_client(upstream, writer)),
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
                server.close()
        writer.close()

    async def _started(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The start-up message, reduced to parameters that PostgreSQL knows."""
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if struct.unpack("!I", body[:4])[0] != SSL_REQUEST:
                break
            writer.write(b"N")
        cells = body[4:].rstrip(b"\0").split(b"\0")
        kept = [(name, cell) for name, cell in zip(cells[::2], cells[1::2], strict=False) if name in TAKEN]
        body = body[:4] + b"".join(name + b"\0" + cell + b"\0" for name, cell in kept) + b"\0"
        return struct.pack("!I", len(body) + 4) + body

    async def _to_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind = await reader.readexactly(1)
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if kind == b"P":
                name, query, rest = body.split(b"\0", 2)
                body = name + b"\0" + self._as_postgres(query.decode()).encode() + b"\0" + rest
            writer.write(kind + struct.pack("!I", len(body) + 4) + body)
            await writer.drain()

    def _as_postgres(self, query: str) -> str:
        # Catalog queries come from dbt-redshift, not from us.
        if "information_schema" not in query and "pg_catalog.pg_" not in query and "from pg_" not in query:
            self.statements.append(query)
            found = REFUSED.search(query)
            if found:
                return f"Redshift has no {found[0]!r}"
            if _has_nameless_subquery(query):
                return "Redshift wants an alias of each subquery in FROM"
        query = ONLY_REDSHIFT.sub("", query).replace("json_serialize(", '"json_serialize"(')
        return _collated(query.replace("dateadd(second, ", "seconds_later("))


def _collated(query: str) -> str:
    return query.replace("collate(", '"collate"(')


def _has_nameless_subquery(query: str) -> bool:
    """Whether one of our statements lacks a subquery alias, which Redshift and PostgreSQL before 16 require.
    dbt's own references under `--empty` have none.
    """
    text = LITERAL.sub("''", query)
    for found in DERIVED.finditer(text):
        depth, at = 1, found.end()
        while depth and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        if not ALIAS.match(text, at) and not text[:at].endswith(" where false limit 0)"):
            return True
    return False


async def _to_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class RedshiftDatabase(PostgresDatabase):
    """A database on the server. Tests access PostgreSQL directly."""

    adapter = "redshift"
    model_config: ClassVar[Mapping[str, object]] = {}

    def __init__(self, server: PostgresServer, proxy: RedshiftProxy) -> None:
        super().__init__(server, "marts")
        self.proxy = proxy
        self.execute("set allow_system_table_mods = on; " + "; ".join(SETUP), {})
        self.execute("grant select on pg_catalog.svv_external_columns to public", {})

    @property
    def credentials(self) -> dict[str, object]:
        return {
            **super().credentials,
            "type": "redshift",
            "host": "127.0.0.1",
            "port": self.proxy.port,
            "sslmode": "disable",
        }

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Nested values become JSON."""
        super().create(table, columns, [{name: _json(cell) for name, cell in row.items()} for row in rows])

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        return super().query(_collated(sql), values)


def _json(cell: object) -> object:
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | tuple | dict) else cell
