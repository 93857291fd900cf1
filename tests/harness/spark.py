"""Sail, an engine with Spark's protocol and Delta tables, with its gaps fixed by a proxy.

The proxy serves every client: dbt and the package send what Spark would receive.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot
from harness.databases import Row
from sqlglot import exp

SESSION = "00112233-4455-6677-8899-aabbccddeeff"
"""Sail has a catalog per session, so dbt, the pushes and the tests share one."""

REMOTE = "SPARK_REMOTE"

_SERVICE = "spark.connect.SparkConnectService"
_COMMAND = re.compile(r"\s*(insert|update|delete|merge)\b", re.IGNORECASE)
_ADD_COLUMNS = re.compile(r"\s*alter\s+table\s+(\S+)\s+add\s+columns\s+(.*?)\s*$", re.IGNORECASE | re.DOTALL)
_CREATE = re.compile(r"(create\s+(or\s+replace\s+)?table\s+\S+\s+using\s+delta)\b", re.IGNORECASE)
_OPTIONS = r"\1 options (overwriteSchema 'true') tblproperties ('delta.feature.timestampNtz' = 'supported')"
_COMMENT = re.compile(r"^\s*/\*.*?\*/", re.DOTALL)


class SailServer:
    """The server and the proxy, each on a free port. Sets `SPARK_REMOTE`."""

    def __init__(self) -> None:
        import grpc

        self.directory = Path(tempfile.mkdtemp(prefix="sail"))
        port = _free_port()
        command = [Path(sys.executable).with_name("sail"), "spark", "server", "--port", str(port)]
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, "the server doesn't answer"
            time.sleep(0.05)
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=unlimited)
        self._proxy = grpc.server(ThreadPoolExecutor(32), options=unlimited)
        self._proxy.add_generic_rpc_handlers((_Proxy(self._channel),))
        own_port = self._proxy.add_insecure_port("127.0.0.1:0")
        self._proxy.start()
        os.environ[REMOTE] = f"sc://127.0.0.1:{own_port}/;session_id={SESSION}"

    def session(self) -> Any:
        """The session, shared with dbt and the package."""
        from pyspark.sql import SparkSession

        return SparkSession.builder.getOrCreate()

    def stop(self) -> None:
        """Stop both and remove the tables."""
        self.session().stop()
        del os.environ[REMOTE]
        self._proxy.stop(grace=None).wait()
        self._channel.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class SparkDatabase:
    """The schemas `shop` and `raw` of a server."""

    adapter = "spark"
    model_config: Mapping[str, object] = {"+file_format": "delta"}
    schema = "shop"

    def __init__(self, server: SailServer) -> None:
        self.server = server
        self.clear()

    @property
    def credentials(self) -> dict[str, object]:
        return {"type": "spark", "method": "session", "host": "unused", "schema": self.schema, "threads": 1}

    def clear(self) -> None:
        for row in self.query("show databases", {}):
            if row["name"] != "default":
                self.execute(f"drop schema `{row['name']}` cascade", {})
        for name in (self.schema, "raw"):
            place = self.server.directory / f"{name}-{uuid.uuid4().hex}"
            self.execute(f"create schema {name} location '{place}'", {})

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        # An empty frame would have no types.
        given = list(rows) or [{}]
        cells = {f"c{n}": cells_of([row.get(name) for row in given]) for n, name in enumerate(columns)}
        chosen = [
            f"cast(c{n} as {spark_type(kind)}) as {backticked(name)}"
            for n, (name, kind) in enumerate(columns.items())
        ]
        frame = self.server.session().createDataFrame(pa.table(cells)).selectExpr(*chosen)
        frame = frame.limit(len(rows))
        self.execute(f"drop table if exists {self.source(table)}", {})
        place = self.server.directory / f"{table}-{uuid.uuid4().hex}"
        frame.write.format("delta").option("path", str(place)).saveAsTable(self.source(table))

    def source(self, table: str) -> str:
        return f"raw.{backticked(table)}"

    def query(self, sql: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        frame = self.server.session().sql(self._translated(sql), args=dict(values) or None)
        return [{name: _comparable(cell) for name, cell in row.asDict().items()} for row in frame.collect()]

    def execute(self, sql: str, values: Mapping[str, object]) -> None:
        self.server.session().sql(self._translated(sql), args=dict(values) or None)

    def has_table(self, name: str) -> bool:
        return bool(self.query(f"show tables in {self.schema} like '{name}'", {}))

    def _translated(self, sql: str) -> str:
        """Translate a test's query from DuckDB's SQL."""
        if not re.match(r"\s*(from|select|update|delete)\b", sql):
            return sql

        def placed(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Table) and not node.db:
                node.set("db", exp.to_identifier(self.schema))
            if isinstance(node, exp.Parameter):
                return exp.Placeholder(this=node.name)
            return node

        return sqlglot.parse_one(sql, dialect="duckdb").transform(placed).sql(dialect="spark")


_TYPES = {
    "text": "string",
    "varchar": "string",
    "json": "string",
    "uuid": "string",
    "integer": "int",
    "hugeint": "decimal(38,0)",
    "ubigint": "decimal(20,0)",
    "double precision": "double",
    "timestamp": "timestamp_ntz",
    "timestamptz": "timestamp",
    "varchar[]": "array<string>",
}


def spark_type(kind: str) -> str:
    """Spark's name for a type that the suite names as DuckDB or PostgreSQL do."""
    return _TYPES.get(kind, kind.replace("numeric", "decimal"))


class _Proxy:
    """Forwards every call, with changes where Sail differs from Spark."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def service(self, details: Any) -> Any:
        import grpc

        method = details.method
        if not method.startswith(f"/{_SERVICE}/"):
            return None
        name = method.rsplit("/", 1)[1]
        if name in ("ExecutePlan", "ReattachExecute"):
            call = self._channel.unary_stream(method)
            return grpc.unary_stream_rpc_method_handler(self._streamed(call, _mended))
        if name == "AddArtifacts":
            return grpc.stream_unary_rpc_method_handler(self._single(self._channel.stream_unary(method)))
        if name == "ReleaseSession":
            # This would drop Sail's catalog. Spark's outlives sessions.
            return grpc.unary_unary_rpc_method_handler(_released)
        return grpc.unary_unary_rpc_method_handler(self._single(self._channel.unary_unary(method)))

    @staticmethod
    def _single(call: Any) -> Callable[[Any, Any], Any]:
        def passed(request: Any, context: Any) -> Any:
            with _errors_passed(context):
                return call(request, metadata=_metadata(context))

        return passed

    @staticmethod
    def _streamed(call: Any, change: Callable[[bytes], bytes]) -> Callable[[Any, Any], Iterator[bytes]]:
        def passed(request: bytes, context: Any) -> Iterator[bytes]:
            with _errors_passed(context):
                answers = call(change(request), metadata=_metadata(context))
                context.add_callback(answers.cancel)
                yield from answers

        return passed


def _released(request: bytes, context: Any) -> bytes:
    from pyspark.sql.connect.proto import ReleaseSessionRequest, ReleaseSessionResponse

    asked = ReleaseSessionRequest.FromString(request)
    return ReleaseSessionResponse(session_id=asked.session_id).SerializeToString()


def _metadata(context: Any) -> list[tuple[str, str]]:
    return [(key, value) for key, value in context.invocation_metadata() if key not in ("user-agent",)]


@contextlib.contextmanager
def _errors_passed(context: Any) -> Iterator[None]:
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        told = error.details()
        if "Failed to commit transaction" in told:
            # Delta's message for concurrent writers.
            told = (
                "[DELTA_CONCURRENT_APPEND] Files were added to the root of the table by a concurrent update."
            )
        else:
            context.set_trailing_metadata(error.trailing_metadata() or ())
        context.abort(error.code(), told)


def _mended(request: bytes) -> bytes:
    from pyspark.sql.connect.proto import ExecutePlanRequest

    message = ExecutePlanRequest.FromString(request)
    command = message.plan.command
    if not command.HasField("sql_command"):
        return request
    query = command.sql_command.input.sql
    query.query = _COMMENT.sub("", query.query)
    if _COMMAND.match(query.query):
        given = {name: _literal(each.literal) for name, each in query.named_arguments.items()}
        query.query = _filled(query.query, given)
        query.ClearField("named_arguments")
    elif found := _ADD_COLUMNS.match(query.query):
        # Sail answers `unsupported ALTER TABLE operation`.
        table, added = found.groups()
        cells = [
            f"cast(null as {kind}) as {name}"
            for name, kind in (part.split(None, 1) for part in re.split(r",(?![^(<]*[)>])", added))
        ]
        query.query = (
            f"create or replace table {table} using delta as select *, {', '.join(cells)} from {table}"
        )
    # Otherwise a replaced table keeps its old schema, and can't get columns of a type that is new to it.
    query.query = _CREATE.sub(_OPTIONS, query.query)
    return message.SerializeToString()


def _filled(sql: str, given: Mapping[str, exp.Expr]) -> str:
    """A command with its parameters inlined: Sail rejects `command with parameters`.

    The `case` avoids file statistics for boolean columns, on which Sail fails: `Field minValues not found in
    struct`.
    """

    def filled(node: exp.Expr) -> exp.Expr:
        return given[str(node.this)].copy() if isinstance(node, exp.Placeholder) else node

    tree = sqlglot.parse_one(sql, dialect="spark").transform(filled)
    where = tree.args.get("where")
    if isinstance(tree, exp.Update | exp.Delete) and where is not None:
        where.set("this", exp.Case().when(where.this, exp.true()).else_(exp.false()))
    return tree.sql(dialect="spark")


def _literal(literal: Any) -> exp.Expr:
    kind = literal.WhichOneof("literal_type")
    if kind == "null":
        return exp.null()
    cell = getattr(literal, kind)
    assert isinstance(cell, str | bool | int | float), kind
    return exp.convert(cell)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def backticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def cells_of(cells: Sequence[object]) -> pa.Array:
    """Cells as an Arrow array of the inferred type. Integers beyond 64 bits become text, limited to the
    largest decimal.
    """

    def within(cell: object) -> object:
        return str(max(-(10**38 - 1), min(10**38 - 1, int(str(cell)))))

    if any(isinstance(cell, int) and not -(2**63) <= cell < 2**63 for cell in cells):
        return pa.array([None if cell is None else within(cell) for cell in cells])
    if any(isinstance(cell, str) and re.fullmatch(r"-?\d{39}", cell) for cell in cells):
        return pa.array([None if cell is None else within(cell) for cell in cells])
    return pa.array(cells)


def _comparable(cell: object) -> object:
    return math.nan if isinstance(cell, float) and math.isnan(cell) else cell
