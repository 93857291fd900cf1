"""Stand-in for Databricks: its Thrift protocol over HTTP, as its own driver uses it, in front of Sail with
Delta tables.

Implements the interfaces in the driver's generated classes: sessions, native parameters, results as Arrow in
parts, and errors with a condition and an SQLSTATE. It can't show how Databricks' own SQL behaves.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from harness.databricks_sql import as_error, as_sail, bound
from harness.spark import SailServer, SparkDatabase
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

CATALOG = "sail"
PATH = "/sql/1.0/warehouses/1"
TOKEN = "dapi-no-one-may-see-this"

_FINE = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
_WAIT_SECONDS = 0.3
"""How long a request waits for a statement before the driver must poll."""

_TYPES: Mapping[str, int] = {
    "bool": ttypes.TTypeId.BOOLEAN_TYPE,
    "int8": ttypes.TTypeId.TINYINT_TYPE,
    "int16": ttypes.TTypeId.SMALLINT_TYPE,
    "int32": ttypes.TTypeId.INT_TYPE,
    "int64": ttypes.TTypeId.BIGINT_TYPE,
    "float": ttypes.TTypeId.FLOAT_TYPE,
    "double": ttypes.TTypeId.DOUBLE_TYPE,
    "string": ttypes.TTypeId.STRING_TYPE,
    "date32[day]": ttypes.TTypeId.DATE_TYPE,
    "null": ttypes.TTypeId.NULL_TYPE,
}


@dataclass
class Operation:
    """A running statement, and how much of its result was fetched."""

    running: Future[pa.Table]
    cancelled: threading.Event = field(default_factory=threading.Event)
    sent: int = 0


class DatabricksServer:
    """Sail, with the protocol on a free port. `asked`: the statements, as the driver sent them."""

    def __init__(self) -> None:
        self.sail = SailServer()
        self.asked: list[tuple[str, dict[str, tuple[str, str | None]]]] = []
        self.held = threading.Event()
        self.sessions: set[bytes] = set()
        self.most_rows = 0
        self._operations: dict[bytes, Operation] = {}
        self._threads = ThreadPoolExecutor(16)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(TCLIService.Processor(self)))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop everything."""
        self._http.shutdown()
        self._http.server_close()
        self._threads.shutdown(cancel_futures=True)
        self.sail.stop()

    # Protocol methods

    def OpenSession(self, request: Any) -> Any:
        handle = _identifier()
        self.sessions.add(handle.guid)
        return ttypes.TOpenSessionResp(
            status=_FINE,
            serverProtocolVersion=ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8,
            sessionHandle=ttypes.TSessionHandle(sessionId=handle),
            initialNamespace=request.initialNamespace,
            canUseMultipleCatalogs=True,
        )

    def CloseSession(self, request: Any) -> Any:
        self.sessions.discard(request.sessionHandle.sessionId.guid)
        return ttypes.TCloseSessionResp(status=_FINE)

    def ExecuteStatement(self, request: Any) -> Any:
        if request.sessionHandle.sessionId.guid not in self.sessions:
            status = ttypes.TStatus(
                statusCode=ttypes.TStatusCode.INVALID_HANDLE_STATUS,
                errorMessage="Invalid SessionHandle: SessionHandle [unknown]",
            )
            return ttypes.TExecuteStatementResp(status=status)
        given = {each.name: (each.type, _text(each)) for each in request.parameters or ()}
        self.asked.append((request.statement, given))
        identifier = _identifier()
        operation = Operation(self._threads.submit(self._run, request.statement, given))
        self._operations[identifier.guid] = operation
        handle = ttypes.TOperationHandle(
            operationId=identifier,
            operationType=ttypes.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )
        return ttypes.TExecuteStatementResp(
            status=_FINE,
            operationHandle=handle,
            directResults=self._direct(operation, request.getDirectResults),
        )

    def GetOperationStatus(self, request: Any) -> Any:
        return self._status(self._operation(request))

    def GetResultSetMetadata(self, request: Any) -> Any:
        operation = self._operation(request)
        if operation.cancelled.is_set():
            gone = ttypes.TStatus(
                statusCode=ttypes.TStatusCode.ERROR_STATUS, errorMessage="[OPERATION_CANCELED] by the client"
            )
            return ttypes.TGetResultSetMetadataResp(status=gone)
        return _metadata(operation.running.result().schema)

    def FetchResults(self, request: Any) -> Any:
        return self._part(self._operation(request), request.maxRows, request.maxBytes)

    def CancelOperation(self, request: Any) -> Any:
        self._operation(request).cancelled.set()
        return ttypes.TCancelOperationResp(status=_FINE)

    def CloseOperation(self, request: Any) -> Any:
        self._operations.pop(request.operationHandle.operationId.guid, None)
        return ttypes.TCloseOperationResp(status=_FINE)

    # Internals

    def _operation(self, request: Any) -> Operation:
        return self._operations[request.operationHandle.operationId.guid]

    def _run(self, statement: str, given: Mapping[str, tuple[str, str | None]]) -> pa.Table:
        if "/* held */" in statement:
            self.held.wait()
        session = self.sail.session()
        text = as_sail(bound(statement, given), lambda sql: session.sql(sql).toArrow())
        table = text if isinstance(text, pa.Table) else session.sql(text).toArrow()
        # Instants are in the session's time zone, by default this one.
        kinds = [
            pa.timestamp("us", "Etc/UTC") if pa.types.is_timestamp(each) and each.tz else each
            for each in table.schema.types
        ]
        names = table.schema.names
        return table.cast(pa.schema([pa.field(*each) for each in zip(names, kinds, strict=True)]))

    def _status(self, operation: Operation) -> Any:
        state = ttypes.TOperationState
        if operation.cancelled.is_set():
            return ttypes.TGetOperationStatusResp(status=_FINE, operationState=state.CANCELED_STATE)
        try:
            operation.running.result(_WAIT_SECONDS)
        except NotYet:
            return ttypes.TGetOperationStatusResp(status=_FINE, operationState=state.RUNNING_STATE)
        except Exception as error:  # noqa: BLE001 - PySpark's and gRPC's have no common class
            message = as_error(str(error))
            return ttypes.TGetOperationStatusResp(
                status=_FINE, operationState=state.ERROR_STATE, displayMessage=message, errorMessage=message
            )
        return ttypes.TGetOperationStatusResp(status=_FINE, operationState=state.FINISHED_STATE)

    def _direct(self, operation: Operation, wanted: Any) -> Any:
        status = self._status(operation)
        direct = ttypes.TSparkDirectResults(operationStatus=status)
        if status.operationState == ttypes.TOperationState.FINISHED_STATE and wanted is not None:
            direct.resultSetMetadata = _metadata(operation.running.result().schema)
            direct.resultSet = self._part(operation, wanted.maxRows, wanted.maxBytes)
            if not direct.resultSet.hasMoreRows:
                direct.closeOperation = ttypes.TCloseOperationResp(status=_FINE)
        return direct

    def _part(self, operation: Operation, rows: int, size: int) -> Any:
        table = operation.running.result()
        room = max(1, min(rows, size * table.num_rows // max(table.nbytes, 1)))
        part, start = table.slice(operation.sent, room), operation.sent
        operation.sent += part.num_rows
        self.most_rows = max(self.most_rows, part.num_rows)
        batches = [
            ttypes.TSparkArrowBatch(batch=batch.serialize().to_pybytes(), rowCount=batch.num_rows)
            for batch in part.combine_chunks().to_batches()
        ]
        return ttypes.TFetchResultsResp(
            status=_FINE,
            hasMoreRows=operation.sent < table.num_rows,
            results=ttypes.TRowSet(startRowOffset=start, rows=[], arrowBatches=batches),
            resultSetMetadata=_metadata(table.schema),
        )


def _handler(processor: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.send_response(403)
                self.send_header("x-databricks-reason-phrase", "Invalid access token.")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            answer = TMemoryBuffer()
            processor.process(TBinaryProtocol(TMemoryBuffer(sent)), TBinaryProtocol(answer))
            body = answer.getvalue()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-thrift")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            """Answer with no information about the host. Otherwise the client keeps asking for minutes."""
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    return Handler


def _identifier() -> Any:
    return ttypes.THandleIdentifier(guid=uuid.uuid4().bytes, secret=uuid.uuid4().bytes)


def _text(parameter: Any) -> str | None:
    return None if parameter.value is None else str(parameter.value.stringValue)


def _metadata(schema: pa.Schema) -> Any:
    columns = [
        ttypes.TColumnDesc(
            columnName=each.name,
            position=place,
            typeDesc=ttypes.TTypeDesc([ttypes.TTypeEntry(primitiveEntry=_entry(each.type))]),
        )
        for place, each in enumerate(schema)
    ]
    return ttypes.TGetResultSetMetadataResp(
        status=_FINE,
        schema=ttypes.TTableSchema(columns),
        resultFormat=ttypes.TSparkRowSetType.ARROW_BASED_SET,
        lz4Compressed=False,
        arrowSchema=schema.serialize().to_pybytes(),
    )


def _entry(kind: pa.DataType) -> Any:
    if pa.types.is_decimal(kind):
        qualifiers = {
            "precision": ttypes.TTypeQualifierValue(i32Value=kind.precision),
            "scale": ttypes.TTypeQualifierValue(i32Value=kind.scale),
        }
        return ttypes.TPrimitiveTypeEntry(ttypes.TTypeId.DECIMAL_TYPE, ttypes.TTypeQualifiers(qualifiers))
    if pa.types.is_timestamp(kind):
        return ttypes.TPrimitiveTypeEntry(ttypes.TTypeId.TIMESTAMP_TYPE)
    nested = {pa.types.is_list: "ARRAY_TYPE", pa.types.is_map: "MAP_TYPE", pa.types.is_struct: "STRUCT_TYPE"}
    name = next((name for fits, name in nested.items() if fits(kind)), None)
    return ttypes.TPrimitiveTypeEntry(getattr(ttypes.TTypeId, name) if name else _TYPES[str(kind)])


class DatabricksDatabase(SparkDatabase):
    """The schemas of a server. Tests access them directly; dbt and the package use Databricks' driver."""

    adapter = "databricks"

    def __init__(self, server: DatabricksServer) -> None:
        self.thrift = server
        super().__init__(server.sail)

    @property
    def credentials(self) -> dict[str, object]:
        return {
            "type": "databricks",
            "host": self.thrift.url,
            "http_path": PATH,
            "token": TOKEN,
            "catalog": CATALOG,
            "schema": self.schema,
            "threads": 1,
            "connection_parameters": {"_connection_uri": self.thrift.url + PATH, "enable_telemetry": False},
        }
