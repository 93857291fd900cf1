"""The process of BigQuery's emulator, which ends when its standard input does; its first line is its port.

What the emulator does otherwise than BigQuery is put right here, each with BigQuery's own word on it.
"""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar
from typing import Any

import duckdb_extensions
from bqemulator.config import LogLevel, Settings
from bqemulator.jobs import executor
from bqemulator.scripting import interpreter
from bqemulator.server import EmulatorServer

_parameters: ContextVar[Any] = ContextVar("parameters", default=None)


def bind_parameters_of_scripts() -> None:
    """A script has parameters too: https://cloud.google.com/bigquery/docs/parameterized-queries."""
    run, bind = executor._run_query_body, interpreter.bind_parameters

    async def run_with_parameters(**call: Any) -> Any:
        _parameters.set(call["query_params"])
        return await run(**call)

    def bind_those(sql: str, _: Any) -> Any:
        return bind(sql, _parameters.get())

    executor._run_query_body = run_with_parameters
    interpreter.bind_parameters = bind_those


async def serve() -> None:
    """Runs it."""
    settings = Settings(rest_port=0, grpc_port=0, log_level=LogLevel.ERROR, enable_format_extensions=False)
    server = EmulatorServer(settings)
    await server.start()
    print(server.rest_port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    duckdb_extensions.import_extension("spatial")
    bind_parameters_of_scripts()
    asyncio.run(serve())
