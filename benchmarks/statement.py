"""Times a statement on a project's DuckDB file, or reports what it reads and writes. Arguments: file, result
file, `scan`, `delta`, `explain` or `plan`, and the compiled SQL.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb


def bare_scan(connection: duckdb.DuckDBPyConnection) -> str:
    """Read every value of both tables, keeping only each column's maximum."""
    selects = []
    for schema, table in (("raw", "people"), ("main", "people_sent_snapshot")):
        query = "select column_name from duckdb_columns() where schema_name = ? and table_name = ?"
        names = [name for (name,) in connection.execute(query, [schema, table]).fetchall()]
        greatest = ", ".join(f'max("{name}")' for name in names)
        selects.append(f"(select {greatest} from {schema}.{table})")
    return f"select * from {', '.join(selects)}"


def explained(connection: duckdb.DuckDBPyConnection, compiled: str) -> dict[str, int]:
    """Bytes that the delta's statement read from and wrote to files, according to Linux."""
    before = _counted()
    connection.execute("create or replace table delta_again as " + Path(compiled).read_text()).fetchall()
    connection.execute("checkpoint")
    after = _counted()
    return {"read": after["rchar"] - before["rchar"], "written": after["wchar"] - before["wchar"]}


def planned(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The operators of a statement's plan, indented below their parents."""
    (found,) = connection.execute(f"explain (format json) {sql}").fetchall()
    return list(_operators(json.loads(found[1])[0], 0))


def _operators(node: dict[str, Any], depth: int) -> Iterator[str]:
    table = str(node["extra_info"].get("Table", "")).rpartition(".")[2]
    yield f"{' ' * depth}{node['name'].strip()} {table}".rstrip()
    for child in node["children"]:
        yield from _operators(child, depth + 1)


def _counted() -> dict[str, int]:
    lines = (line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {name: int(count) for name, count in lines}


def main(database: str, result: str, what: str, compiled: str) -> None:
    """Write wall and CPU seconds and the peak memory of the process."""
    connection = duckdb.connect(database)
    if what == "explain":
        Path(result).write_text(json.dumps(explained(connection, compiled)))
        return
    if what == "plan":
        Path(result).write_text(json.dumps(planned(connection, Path(compiled).read_text())))
        return
    if what == "scan":
        sql = bare_scan(connection)
    else:
        sql = "create or replace table delta_again as " + Path(compiled).read_text()
    cpu, wall = time.process_time(), time.perf_counter()
    connection.execute(sql).fetchall()
    used = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    Path(result).write_text(json.dumps({**used, "peak": peak / 1e6}))


if __name__ == "__main__":
    main(*sys.argv[1:])
