"""A project of one sync with a fast `build`: a new mapping needs no parse."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from harness.databases import Database
from harness.faulty_sandbox import FaultyServer
from harness.project import PEOPLE, Project


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
        self.dbt("parse")
        # Nearly all of the file is macros, and the runner reads one of them.
        self._manifest = directory / "target" / "manifest.json"
        manifest = json.loads(self._manifest.read_text())
        version = "macro.dbt_batch_sync.version"
        self._manifest.write_text(json.dumps({**manifest, "macros": {version: manifest["macros"][version]}}))
        if page_rows is not None:
            self._quick.divide(page_rows)

    def map(self, mapping: Mapping[str, object], sync: str = PEOPLE, **config: Any) -> None:
        """Write the YAML and apply it as a parse would."""
        super().map(mapping, sync, **config)
        self._quick.map(sync, mapping)
        manifest = json.loads(self._manifest.read_text())
        node = manifest["nodes"][f"model.shop.{sync}"]
        node["meta"] = node["config"]["meta"] = {"batch_sync": mapping}
        self._manifest.write_text(json.dumps(manifest))

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
