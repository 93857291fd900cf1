"""dbt without its start-up: parses a project once, then compiles and runs its models in this process any
number of times.

Uses dbt's own compiler, contexts, materializations and adapter. A `dbt run` of a sync takes a tenth of a
second instead of two. Skips dbt's parser, command line and scheduler; `Project.dbt` covers those.
"""

from __future__ import annotations

import contextlib
import copy
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from harness.databases import Database
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE, Project


class QuickDbt:
    """dbt in this process. The project is parsed once."""

    def __init__(self, directory: Path, adapter: str = "duckdb", page_rows: int | None = None) -> None:
        """`page_rows`: rows per page of the delta, on DuckDB and PostgreSQL."""
        self._type = adapter
        with self._quiet():
            from dbt.adapters.factory import FACTORY
            from dbt.cli.main import cli
            from dbt.mp_context import get_mp_context

            flags = ("--project-dir", str(directory), "--profiles-dir", str(directory))
            quiet = ("--quiet", "--no-use-colors", "--log-level-file", "none")
            context = cli.make_context(cli.name, ["parse", *quiet, *flags])
            context.obj = {"manifest": None, "callbacks": [], "dbt_runner_command_args": []}
            with context:
                cli.invoke(context)
            self._manifest = context.obj["manifest"]
            if page_rows is not None:
                for name, rows in (("page_expression", "/ 1000"), ("event_page", "/ 100")):
                    macro = self._manifest.macros[f"macro.dbt_batch_sync.{adapter}__{name}"]
                    assert rows in macro.macro_sql
                    macro.macro_sql = macro.macro_sql.replace(rows, f"/ {page_rows}")
            self._config = context.obj["runtime_config"]
            self.adapter = FACTORY.get_adapter_class_by_name(adapter)(self._config, get_mp_context())
            self._environment: Any = None
            self._flags = _as_of_run()
        with self.installed():
            from dbt.context.providers import generate_runtime_macro_context

            self.adapter.set_macro_resolver(self._manifest)
            self.adapter.set_macro_context_generator(generate_runtime_macro_context)

    @contextlib.contextmanager
    def installed(self, *, release: bool = False) -> Iterator[None]:
        """Install this project's adapter and DuckDB environment, which dbt keeps globally.

        `release` closes the database afterwards.
        """
        import dbt.flags
        from dbt.adapters.factory import FACTORY

        ours = contextlib.ExitStack()
        ours.enter_context(mock.patch.dict(FACTORY.adapters, {self._type: self.adapter}))
        ours.enter_context(mock.patch.object(dbt.flags, "GLOBAL_FLAGS", self._flags))
        ours.enter_context(self._quiet())
        if self._type != "duckdb":
            with ours:
                yield
            if release:
                self.adapter.cleanup_connections()
            return
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        if self._environment is not None and DuckDBConnectionManager._ENV is self._environment:
            with ours:
                yield
            return
        before = DuckDBConnectionManager._ENV
        DuckDBConnectionManager._ENV = self._environment
        try:
            with ours:
                yield
        finally:
            self._environment = DuckDBConnectionManager._ENV
            DuckDBConnectionManager._ENV = before
            if release:
                self.adapter.cleanup_connections()
            if release and self._environment is not None:
                self._environment.close()
                self._environment = None

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def map(self, mapping: Mapping[str, object]) -> None:
        """Apply a new mapping as if the YAML had been parsed again."""
        node = self._manifest.nodes[f"model.shop.{PEOPLE}"]
        node.meta = node.config.meta = {"batch_sync": copy.deepcopy(dict(mapping))}
        self._manifest.build_flat_graph()

    @contextlib.contextmanager
    def dying(self, statement: int | None, death: type[BaseException]) -> Iterator[None]:
        """Raise `death` before that statement of a run."""
        if statement is None:
            yield
            return
        kind, asked = type(self.adapter.connections), 0
        execute = kind.add_query

        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked >= statement:
                raise death
            return execute(*arguments, **named)

        with mock.patch.object(kind, "add_query", counted):
            yield

    def run(self, models: Sequence[str]) -> None:
        """Compile and run models in this order, after the on-run-start hooks. Raises dbt's errors."""
        from dbt.compilation import Compiler
        from dbt.selected_resources import set_selected_resources
        from dbt.task.run import ModelRunner
        from dbt_common.invocation import reset_invocation_id

        reset_invocation_id()
        self.adapter.cache.clear()
        set_selected_resources({f"model.shop.{name}" for name in models})
        for hook in [each for each in self._manifest.nodes.values() if "on-run-start" in each.tags]:
            with self.adapter.connection_named("master"):
                self.adapter.set_relations_cache(list(self._manifest.nodes.values()))
                Compiler(self._config).compile_node(copy.deepcopy(hook), self._manifest, {})
        for number, name in enumerate(models):
            node = copy.deepcopy(self._manifest.nodes[f"model.shop.{name}"])
            with self.adapter.connection_named(node.unique_id, node):
                if not number:
                    self.adapter.set_relations_cache(list(self._manifest.nodes.values()))
                runner = ModelRunner(self._config, self.adapter, node, 1, 1)
                runner.execute(runner.compile(self._manifest), self._manifest)


class Died(BaseException):
    """Simulates the death of dbt. No `except Exception` catches it."""


class QuickProject(Project):
    """A project of one sync with a fast `build`. The database file is closed between steps."""

    def __init__(
        self,
        directory: Path,
        sandbox: FaultyServer,
        warehouse: Database | None = None,
        page_rows: int | None = None,
        mapping: Mapping[str, object] | None = None,
    ) -> None:
        """Every later mapping must be of the same kind as `mapping`."""
        super().__init__(directory, sandbox, warehouse)
        super().map(mapping or {"identifier": "id", "custom": ["a"]})
        self._quick = QuickDbt(directory, self.warehouse.adapter, page_rows)

    def map(self, mapping: Mapping[str, object], sync: str = PEOPLE, **config: Any) -> None:
        """Write the YAML and apply it as a parse would."""
        super().map(mapping, sync, **config)
        self._quick.map(mapping)
        path = self.directory / "target" / "manifest.json"
        manifest = json.loads(path.read_text())
        node = manifest["nodes"][f"model.shop.{sync}"]
        node["meta"] = node["config"]["meta"] = {"batch_sync": mapping}
        path.write_text(json.dumps(manifest))

    @contextlib.contextmanager
    def explained(self, words: str, plans: list[Any]) -> Iterator[None]:
        """On PostgreSQL, collect the plan of each statement that contains these words, right before it runs."""
        kind = type(self._quick.adapter.connections)
        execute = kind.add_query

        def explaining(connections: Any, sql: str, *arguments: Any, **named: Any) -> Any:
            if words in sql:
                _, cursor = execute(connections, f"explain (format json) {sql}", *arguments, **named)
                plans.append(cursor.fetchone()[0][0]["Plan"])
            return execute(connections, sql, *arguments, **named)

        with mock.patch.object(kind, "add_query", explaining):
            yield

    def build(self, *models: str) -> None:
        """`dbt run` of the sync, its snapshot and its delta, or of some of them."""
        with self._quick.installed(release=True):
            self._quick.run(models or _ALL)

    def build_until(self, statement: int) -> bool:
        """`dbt run` that loses its connection before that statement. Return whether it completed."""
        with (
            self._quick.installed(release=True),
            self._quick.dying(statement, Died),
            contextlib.suppress(Died),
        ):
            self._quick.run(_ALL)
            return True
        return False


_ALL = (PEOPLE, f"{PEOPLE}_sent_snapshot", f"{PEOPLE}_delta")


def _as_of_run() -> Any:
    """dbt's flags for `dbt run`."""
    from dbt.flags import get_flags

    flags = copy.copy(get_flags())
    object.__setattr__(flags, "WHICH", "run")
    return flags
