"""A small dbt project on a warehouse, with a sandbox to push to.

All parts are real: dbt, run in this process; a DuckDB file or another warehouse; `api.push` or the command
line; the sandbox over HTTP.

A sync is `select * from raw.<sync>`, a view, so that its rows can be changed without dbt. Between steps this
process holds no connection to the file, so that other processes can open it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

import yaml
from harness.databases import Database, DuckDbFile, Row
from harness.faulty import VARIABLE, Trouble, to_text
from harness.faulty_sandbox import FaultyServer
from harness.forked import Forked
from harness.quick_dbt import QuickDbt, unwarned
from harness.repeated import parsed_once
from harness.wire import Sent

from dbt_batch_sync import api
from dbt_batch_sync.connections.profiles import DbtOptions
from dbt_batch_sync.ledger.requests import Scope
from dbt_batch_sync.push.sync_push import Observer
from dbt_batch_sync.results.sync import PushResult, SyncPushed
from dbt_batch_sync.sandbox.server import RecordedRequest, TypedValue

ROOT = Path(__file__).parents[2]
"""The root of the repository, which is also the dbt package."""

PEOPLE = "people"
"""The sync of tests that need only one."""

Attributes = dict[str, TypedValue]

_PROJECT = """\
name: shop
version: "1.0"
config-version: 2
profile: shop
flags: {send_anonymous_usage_stats: false}
models: {shop: %s}
"""


@dataclass(frozen=True)
class Built:
    """The outcome of a dbt command. `messages`: those of failed nodes, without colors."""

    ok: bool
    messages: str


class Project:
    """A project in `directory`, which may not exist yet. `sandbox` must be running and must not be shared.

    `whole`: run all of dbt, without the shortcuts of `parsed_once` and `QuickDbt`.
    """

    def __init__(
        self,
        directory: Path,
        sandbox: FaultyServer,
        warehouse: Database | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.directory = directory
        self.sandbox = sandbox
        self.database = directory / "shop.duckdb"
        self.warehouse = warehouse or DuckDbFile(self.database)
        self.environ = {**os.environ, "DO_NOT_TRACK": "1", "NO_COLOR": "1", "COLUMNS": "200"}
        self._first_request = 0
        self._quick: QuickDbt
        self._as_parsed: dict[Path, str] = {}
        models = {"+materialized": "view", **self.warehouse.model_config}
        _write(directory / "dbt_project.yml", _PROJECT % json.dumps(models))
        _write(directory / "packages.yml", yaml.safe_dump({"packages": [{"local": str(ROOT)}]}))
        # The same layout that `dbt deps` creates for a local package.
        (directory / "dbt_packages").mkdir(exist_ok=True)
        if not (directory / "dbt_packages" / "dbt_batch_sync").exists():
            (directory / "dbt_packages" / "dbt_batch_sync").symlink_to(ROOT, target_is_directory=True)
        self.outputs()

    def clear(self) -> None:
        """Remove rows, models and profiles. Keeps dbt's parsed macros."""
        self.warehouse.clear()
        shutil.rmtree(self.directory / "models", ignore_errors=True)
        self.outputs()
        self.sandbox.reset()
        self._first_request = 0

    # User files

    def outputs(self, target: str = "sandbox", **changes: Mapping[str, object]) -> None:
        """Write profiles.yml. Outputs are the sandbox's, with `changes`; `sandbox` always exists."""
        batch = {
            "type": "batch",
            "api_url": self.sandbox.url,
            "rest_api_key": "sandbox",
            "project_key": "project_sandbox",
            "max_profiles_per_second": 0,
        }
        written = {name: {**batch, **changes.get(name, {})} for name in ("sandbox", *changes)}
        credentials = self.warehouse.credentials
        profiles = {
            "shop": {"target": "dev", "outputs": {"dev": credentials, "prod": credentials}},
            "dbt_batch_sync": {"target": target, "outputs": written},
        }
        _write(self.directory / "profiles.yml", yaml.safe_dump(profiles))

    def map(
        self,
        mapping: Mapping[str, object],
        sync: str = PEOPLE,
        *,
        sql: str | None = None,
        models: Sequence[str] = ("delta", "sent_snapshot"),
        **config: object,
    ) -> None:
        """Write a sync's model with its meta and `config`, and the models of its snapshot and delta."""
        directory = self.directory / "models"
        meta = {"models": [{"name": sync, "config": {**config, "meta": {"batch_sync": dict(mapping)}}}]}
        _write(directory / f"{sync}.yml", yaml.safe_dump(meta, allow_unicode=True, sort_keys=False))
        _write(directory / f"{sync}.sql", sql or f"select * from {self.warehouse.source(sync)}")
        key = {"catalog": ", key='item_id'", "events": ", key='event_id'"}.get(str(mapping.get("kind")), "")
        for macro in models:
            _write(directory / f"{sync}_{macro}.sql", f"{{{{ dbt_batch_sync.{macro}('{sync}'{key}) }}}}")

    def set_rows(self, columns: Mapping[str, str], rows: Iterable[Row], sync: str = PEOPLE) -> None:
        """Set the rows of a sync's source.

        `columns`: names and the warehouse's types. Missing cells are null. Values without a Python type are
        given as text.
        """
        self.warehouse.create(sync, columns, list(rows))

    # Commands

    def dbt(self, *arguments: str, fails: bool = False) -> Built:
        """Run dbt in this process. Fails the test on an unexpected outcome."""
        return self._invoke(None, *arguments, fails=fails)

    def _invoke(self, manifest: Any, *arguments: str, fails: bool = False) -> Built:
        with unwarned():
            from dbt.cli.main import dbtRunner

            flags = ("--project-dir", str(self.directory), "--profiles-dir", str(self.directory))
            quiet = ("--quiet", "--no-use-colors", "--log-level-file", "none")
            shortcut = contextlib.nullcontext() if self.whole else parsed_once()
            with shortcut, contextlib.redirect_stdout(io.StringIO()) as output:
                outcome = dbtRunner(manifest=manifest).invoke([*arguments, *quiet, *flags])
            if self.warehouse.adapter == "duckdb":
                _release()
        if arguments[0] == "parse" and outcome.success:
            from dbt.adapters.factory import FACTORY

            config = FACTORY.lookup_adapter(self.warehouse.adapter).config
            self._quick, self._as_parsed = QuickDbt(outcome.result, config), self._written()
        results = getattr(outcome.result, "results", None) or ()
        failed = [str(each.message) for each in results if str(each.status) in ("error", "fail")]
        messages = "\n".join([*failed, *([str(outcome.exception)] if outcome.exception else [])])
        built = Built(bool(outcome.success), messages or ("" if outcome.success else output.getvalue()))
        assert built.ok is not fails, f"dbt {' '.join(arguments)}: {built.messages or 'succeeded'}"
        return built

    def build(self, *arguments: str) -> None:
        """`dbt run` of every sync, snapshot and delta: dbt's own with `arguments`, otherwise the quick one.

        Writes no `run_results.json`, and parses only files changed since the last run.
        """
        if self._written() != self._as_parsed:
            self.dbt("parse")
        if arguments or self.whole:
            self._invoke(self._quick._manifest, "run", "--no-write-json", *arguments)
        else:
            with self._quick.installed(release=True):
                self._quick.run(self._quick.models())

    def _written(self) -> dict[Path, str]:
        """The project's files and their content."""
        found = [*self.directory.glob("*.yml"), *(self.directory / "models").rglob("*.*")]
        return {path: path.read_text(encoding="utf-8") for path in found}

    def options(self, **changes: Any) -> DbtOptions:
        """Options for `api`."""
        given = {"project_dir": self.directory, "profiles_dir": self.directory, "environ": self.environ}
        return DbtOptions(**{**given, **changes})

    def push(
        self,
        *,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        target: str | None = None,
        stop: Event | None = None,
        observer: Observer | None = None,
        **options: Any,
    ) -> PushResult:
        """Call `api.push` with the options of `api.PushOptions`. `sent` then contains its requests."""
        self.forget_requests()
        selection = api.Selection(tuple(select), tuple(exclude))
        return api.push(
            self.options(target=target),
            selection,
            api.PushOptions(**options),
            stop=stop,
            observer=observer,
        )

    def push_one(self, **options: Any) -> SyncPushed:
        """`push` of a project with one sync. Returns that sync's result."""
        (sync,) = self.push(**options).syncs
        return sync

    def resend(self, scope: Scope) -> None:
        """Call `api.resend` for all syncs, then `dbt run`."""
        api.resend(self.options(), scope)
        self.build()

    def sync(self, **options: Any) -> SyncPushed:
        """`dbt run`, then `push_one`."""
        self.build()
        return self.push_one(**options)

    def troubled(self, troubles: Sequence[Trouble], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line with faults, in a process of its own."""
        self.forget_requests()
        process = self.forked(*arguments, troubles=troubles)
        with contextlib.closing(process):
            out, err = process.communicate(timeout=120)
        assert process.returncode is not None
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def forked(
        self, *arguments: str, troubles: Sequence[Trouble] = (), env: Mapping[str, str] | None = None
    ) -> Forked:
        """Start the command line in a process of its own, which the caller closes."""
        environ = {**self.environ, **(env or {}), VARIABLE: to_text(troubles)}
        return Forked(arguments, cwd=self.directory, env=environ)

    def cli(
        self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own, from the project directory, capturing its output."""
        self.forget_requests()
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "dbt_batch_sync", *arguments],
            cwd=cwd or self.directory,
            env={**self.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )

    def call(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Like `cli`, in this process: saves 1.5 seconds, but is less realistic."""
        from dbt_batch_sync.cli.app import run

        self.forget_requests()
        code, out, err = 0, io.StringIO(), io.StringIO()
        before = Path.cwd()
        os.chdir(self.directory)
        try:
            with (
                mock.patch.object(sys, "argv", ["dbt-batch-sync", *arguments]),
                mock.patch.dict(os.environ, {**self.environ, **(env or {})}),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            os.chdir(before)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    # Results

    def profiles(self) -> dict[str, Attributes]:
        """The profiles in Batch, by custom_id."""
        return {name: dict(profile.attributes) for name, profile in self.sandbox.profiles.items()}

    @property
    def sent(self) -> Sent:
        """The requests since the last push began."""
        return Sent.of(self._requests())

    def forget_requests(self) -> None:
        """Restart `sent` from here."""
        # Requests are listed in the order in which they ended.
        self._first_request = max((each.number for each in self.sandbox.requests), default=-1) + 1

    def _requests(self) -> Sequence[RecordedRequest]:
        return [each for each in self.sandbox.requests if each.number >= self._first_request]

    def delta(self, sync: str = PEOPLE) -> list[dict[str, Any]]:
        """The delta's rows, ordered by key."""
        return self.query(f'select * from "{sync}_delta" order by custom_id, _batch_reason')

    def changes(self, sync: str = PEOPLE) -> dict[str | None, tuple[str, str]]:
        """The delta's change and changed names, by custom_id. For invalid rows, the reason instead of the
        names.
        """
        rows = self.delta(sync)
        return {
            row["custom_id"]: (row["_batch_change"], row["_batch_reason"] or row["_batch_changed"])
            for row in rows
        }

    def snapshot(self, sync: str = PEOPLE) -> dict[str, dict[str, Any]]:
        """The snapshot's rows by key, as merged by the last `dbt run`."""
        rows = self.query(f'select * from "{sync}_sent_snapshot"')
        key = "event_id" if rows and "event_id" in rows[0] else "custom_id"
        assert len({row[key] for row in rows}) == len(rows), f"the snapshot has two rows for one {key}"
        return {row[key]: row for row in rows}

    def rejects(self, sync: str = PEOPLE) -> dict[tuple[str, str | None], str]:
        """Reasons of open rejections, by key and attribute. Empty before the first push."""
        if not self.has_table("batch_sync_rejects"):
            return {}
        query = "from batch_sync_rejects where sync = $sync and resolved_at is null order by rejected_at"
        return {(row["key"], row["attribute"]): row["reason"] for row in self.query(query, sync=sync)}

    def has_table(self, name: str) -> bool:
        """Whether the table exists."""
        return self.warehouse.has_table(name)

    def query(self, sql: str, **values: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        return self.warehouse.query(sql, values)

    def execute(self, sql: str, **values: object) -> None:
        """Run a statement."""
        self.warehouse.execute(sql, values)


def unchanged(pushed: SyncPushed) -> bool:
    """Whether a push found nothing to send and sent nothing."""
    return not (pushed.inserts or pushed.updates or pushed.exits or pushed.requests)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _release() -> None:
    """Close the file: dbt-duckdb keeps it open until the process ends."""
    if "dbt.adapters.duckdb" in sys.modules:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
