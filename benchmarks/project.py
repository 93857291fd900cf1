"""The measured dbt project: one sync of 15 attributes over `raw.people`."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import Arrived
from benchmarks.databases import Database
from benchmarks.environments import Environment
from benchmarks.measure import Command, Usage, run

SQL = Path(__file__).parent / "sql"

PROJECT = """\
name: benchmark
version: "1.0"
config-version: 2
profile: benchmark
flags: {send_anonymous_usage_stats: false}
models: {benchmark: {+materialized: view}}
"""

MAPPING = """\
version: 2
models:
  - name: people
    config:
      meta:
        batch_sync:
          identifier: customer_id
          endpoint: ENDPOINT
          shared: true # several syncs of the same people
          standard:
            email_address: email
            email_marketing: email_optin
            phone_number: phone
            language: language
            region: country
            timezone: timezone
          custom:
            - full_name
            - city
            - birthdate
            - last_order_at
            - order_count
            - lifetime_value
            - is_vip
            - interests
            - {column: website, name: website, type: url}
"""

KINDS = {
    "audience": """\
          kind: audience
          identifier: customer_id
          audience: people
          attributes:
            - full_name
            - city
            - order_count
            - {column: last_order_at, name: last_order, type: date}
""",
    "catalog": """\
          kind: catalog
          identifier: customer_id
          catalog: people
          fields:
            - full_name
            - city
            - order_count
            - {column: website, name: website, type: url}
""",
}
"""The mapping keys of syncs of other kinds."""

EVENTS = """\
version: 2
models:
  - name: people
    config:
      meta:
        batch_sync:
          kind: events
          identifier: person
          event_id: customer_id
          name: {value: visited}
          time: visited_at
          endpoint: {endpoint}
          attributes:
            - {column: email, name: email}
            - {column: email_optin, name: optin}
            - phone
            - language
            - country
            - timezone
            - full_name
            - city
            - birthdate
            - last_order_at
            - order_count
            - lifetime_value
            - is_vip
            - interests
            - {column: website, name: website, type: url}
"""
"""As many attributes as the people have."""

VISITS = """\
select
    *,
    'P' || cast(hash(customer_id) % 200000 as varchar) as person,
    cast(current_timestamp at time zone 'UTC' as timestamp) - interval '2 hours' as visited_at
from raw.people
"""

ORDERS = """\
version: 2
models:
  - name: orders
    config:
      meta:
        batch_sync:
          kind: events
          identifier: customer_id
          event_id: order_id
          name: {value: ordered}
          time: placed_at
          attributes: [amount]
"""

PACKAGES = ("packages", "dbt_packages", "packages.yml", "package-lock.yml")
GENERATED = "models/batch_sync"

CHANGED = ("date(last_order_at)", "lifetime_value", "order_count")
"""The attributes that `change.sql` changes in every hundredth customer, by their names in requests."""


@dataclass(frozen=True)
class Project:
    """A dbt project in `directory`. Its people are generated in a DuckDB file, which is the database or is
    loaded into it.
    """

    directory: Path
    environment: Environment
    database: Database

    @property
    def people(self) -> Path:
        """The DuckDB file."""
        return self.directory / "people.duckdb"

    @property
    def log(self) -> Path:
        """The output of the last command."""
        return self.directory / "last.log"

    def create(self, rows: int, endpoint: str = "auto", *, like: Project | None = None) -> None:
        """Write the project, generate data, and do everything before the first `dbt run`; or copy it from
        another project.
        """
        self.begin()
        self._sync("people", endpoint)
        self._people(rows)
        self._install_macros(like)
        if like is not None:
            self._copy(like, GENERATED)
        else:
            self._generate()

    def create_kind(self, kind: str, rows: int) -> None:
        """Like `create`, with a sync of another kind."""
        self.begin()
        head, _, _ = MAPPING.partition("          identifier:")
        write(self.directory / "models" / "people.sql", "select * from raw.people")
        write(self.directory / "models" / "people.yml", head + KINDS[kind])
        self._people(rows)
        self._install_macros(None)
        self._generate()

    def create_events(self, rows: int, endpoint: str) -> None:
        """Like `create`, with one event per row, spread over 200,000 profiles."""
        self.begin()
        write(self.directory / "models" / "people.sql", VISITS)
        write(self.directory / "models" / "people.yml", EVENTS.replace("{endpoint}", endpoint))
        self._people(rows)
        self._install_macros(None)
        self._generate()

    def create_orders(self, rows: int, per_day: int) -> None:
        """Events with a history: `rows` orders, ordered by time."""
        self.begin()
        write(self.directory / "models" / "orders.sql", "select * from raw.orders")
        write(self.directory / "models" / "orders.yml", ORDERS)
        self._sql("orders", rows=rows, per_day=per_day)
        self.database.load(self.people)
        self._install_macros(None)
        self._generate()

    def order(self, rows: int) -> None:
        """Add `rows` orders with the current time."""
        self._sql("minute", rows=rows)
        self.database.load(self.people)

    def create_many(self, syncs: int, rows: int, *, like: Project | None = None) -> None:
        """Like `create`, with many syncs of the same people."""
        self.begin()
        for number in range(syncs):
            self._sync(f"people_{number:03}", "auto")
        self._people(rows)
        self._install_macros(like)
        self._generate()

    def change(self) -> None:
        """Change one customer in a hundred."""
        self._sql("change")
        self.database.load(self.people)

    def begin(self) -> None:
        """Start with an empty directory for models and data."""
        shutil.rmtree(self.directory, ignore_errors=True)
        write(self.directory / "dbt_project.yml", PROJECT)
        self.outputs("http://127.0.0.1:1")

    def _sync(self, name: str, endpoint: str) -> None:
        write(self.directory / "models" / f"{name}.sql", "select * from raw.people")
        mapping = MAPPING.replace("ENDPOINT", endpoint).replace("name: people\n", f"name: {name}\n")
        write(self.directory / "models" / f"{name}.yml", mapping)

    def _people(self, rows: int) -> None:
        self._sql("people", rows=rows)
        self.database.load(self.people)

    def _install_macros(self, like: Project | None) -> None:
        if like is not None:
            self._copy(like, *PACKAGES)
        else:
            self.run([self.environment.program("dbt-batch-sync"), "init"])
            self.run([self.environment.program("dbt"), "deps"])

    def _generate(self) -> None:
        self.run([self.environment.program("dbt"), "parse"])
        self.run([self.environment.program("dbt-batch-sync"), "generate"])

    def _copy(self, other: Project, *names: str) -> None:
        for name in names:
            source, target = other.directory / name, self.directory / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)

    def outputs(self, url: str, *, paced: bool = False) -> None:
        """Write profiles.yml, with Batch's rates or unlimited."""
        pace = "" if paced else "max_profiles_per_second: 0"
        profiles = f"""\
            benchmark:
              target: dev
              outputs:
                dev: {self.database.target}
            dbt_batch_sync:
              target: sink
              outputs:
                sink:
                  type: batch
                  api_url: "{url}"
                  rest_api_key: sandbox
                  project_key: project_sandbox
                  {pace}
            """
        write(self.directory / "profiles.yml", textwrap.dedent(profiles))

    def _sql(self, name: str, **values: int) -> None:
        """Run one of the SQL files on the DuckDB file."""
        text = (SQL / f"{name}.sql").read_text()
        for key, value in values.items():
            text = text.replace(f"${key}", str(value))
        script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); "
        script += "c.execute(sys.argv[2]); c.execute('checkpoint')"
        self.run([self.environment.python, "-c", script, self.people, text])

    def dbt_run(self) -> Usage:
        """Run `dbt run`."""
        return self.run([self.environment.program("dbt"), "run"])

    def push(self, *arguments: str) -> Usage:
        """Run `dbt-batch-sync push`."""
        return self.run([self.environment.program("dbt-batch-sync"), "push", *arguments])

    def adopt(self) -> Usage:
        """Run `dbt-batch-sync adopt`. Orders older than a day make it exit with 3."""
        return self.run([self.environment.program("dbt-batch-sync"), "adopt", "--yes"], codes=(0, 3))

    def run(self, command: Command, codes: tuple[int, ...] = (0,)) -> Usage:
        """Run a command in the project's directory."""
        environ = {"DBT_PROFILES_DIR": str(self.directory), "DO_NOT_TRACK": "1"}
        return run(command, cwd=self.directory, log=self.log, environ=environ, codes=codes)

    def statement(self, what: str) -> Usage:
        """Time a `scan` of every column of the sync and its snapshot, or the `delta` statement that the last
        `dbt run` compiled.
        """
        output = self.directory / "statement.json"
        compiled = self.directory / "target/compiled/benchmark/models/batch_sync/people_delta.sql"
        self.run([self.environment.python, *self.database.timing, output, what, compiled])
        return Usage(**json.loads(output.read_text()))

    def explain(self) -> dict[str, int]:
        """Bytes that the last delta's statement reads, writes and spills."""
        output = self.directory / "explained.json"
        compiled = self.directory / "target/compiled/benchmark/models/batch_sync/people_delta.sql"
        self.run([self.environment.python, *self.database.timing, output, "explain", compiled])
        return dict(json.loads(output.read_text()))

    def plan(self, sql: str | None = None) -> list[str]:
        """The operators of a statement's plan, indented by depth. Defaults to the last delta's statement."""
        output, given = self.directory / "plan.json", self.directory / "statement.sql"
        compiled = self.directory / "target/compiled/benchmark/models/batch_sync/people_delta.sql"
        given.write_text(sql or compiled.read_text())
        self.run([self.environment.python, *self.database.timing, output, "plan", given])
        return list(json.loads(output.read_text()))

    def expected(self, every: int, *, changed: bool = False) -> Arrived:
        """The expected arrivals when all rows, or those changed by `change`, are sent."""
        script = Path(__file__).parent / "expected.py"
        output = self.directory / "expected.json"
        condition = ["changed"] if changed else []
        self.run([self.environment.python, script, self.people, output, str(every), *condition])
        found = json.loads(output.read_text())
        if changed:
            found["sample"] = {
                key: {name: value for name, value in attributes.items() if name in CHANGED}
                for key, attributes in found["sample"].items()
            }
        return Arrived(found["operations"], found["checksum"], found["sample"])


def write(path: Path, text: str) -> None:
    """Write a file, creating its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
