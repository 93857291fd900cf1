"""The dbt project that is measured: one segment of 15 attributes over `raw.people`, and the states it goes
through.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import Arrived
from benchmarks.environments import Environment
from benchmarks.measure import Usage, run

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

CHANGED = ("date(last_order_at)", "lifetime_value", "order_count")
"""What `change.sql` changes, by its name on the wire, in every hundredth customer."""


@dataclass(frozen=True)
class Project:
    """A dbt project in `directory`, whose DuckDB file can be put back to an earlier state."""

    directory: Path
    environment: Environment

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.directory / "people.duckdb"

    def create(self, rows: int, endpoint: str = "auto") -> None:
        """Writes the project, makes the data, and does what a user does before the first `dbt run`."""
        self.begin()
        write(self.directory / "models" / "people.sql", "select * from raw.people")
        write(self.directory / "models" / "people.yml", MAPPING.replace("ENDPOINT", endpoint))
        self.sql("people", rows=rows)
        self._scaffold()

    def create_many(self, segments: int, rows: int) -> None:
        """The same with many segments, each of some thousand customers."""
        self.begin()
        for number in range(segments):
            name = f"people_{number:03}"
            write(self.directory / "models" / f"{name}.sql", "select * from raw.people")
            mapping = MAPPING.replace("ENDPOINT", "auto").replace("name: people\n", f"name: {name}\n")
            write(self.directory / "models" / f"{name}.yml", mapping)
        self.sql("people", rows=rows)
        self._scaffold()

    def begin(self) -> None:
        """Starts from an empty directory."""
        shutil.rmtree(self.directory, ignore_errors=True)
        write(self.directory / "dbt_project.yml", PROJECT)
        self.outputs("http://127.0.0.1:1")

    def _scaffold(self) -> None:
        ours, dbt = self.environment.program("dbt-batch-sync"), self.environment.program("dbt")
        for command in ([ours, "init"], [dbt, "deps"], [dbt, "parse"], [ours, "generate"]):
            self.run(command)

    def outputs(self, url: str, *, paced: bool = False) -> None:
        """Writes profiles.yml: where to push to, at Batch's rates or as fast as it goes."""
        pace = "" if paced else "max_profiles_per_second: 0"
        profiles = f"""\
            benchmark:
              target: dev
              outputs:
                dev: {{type: duckdb, path: "{self.database}", threads: 1}}
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

    def sql(self, name: str, **values: int) -> None:
        """Runs one of the SQL files on the DuckDB file."""
        text = (SQL / f"{name}.sql").read_text()
        for key, value in values.items():
            text = text.replace(f"${key}", str(value))
        script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); "
        script += "c.execute(sys.argv[2]); c.execute('checkpoint')"
        self.run([self.environment.python, "-c", script, self.database, text])

    def dbt_run(self, *arguments: str) -> Usage:
        """`dbt run`."""
        return self.run([self.environment.program("dbt"), "run", *arguments])

    def push(self, *arguments: str) -> Usage:
        """`dbt-batch-sync push`."""
        return self.run([self.environment.program("dbt-batch-sync"), "push", *arguments])

    def run(self, command: Sequence[str | Path]) -> Usage:
        """Runs a command in the project's directory."""
        environ = {"DBT_PROFILES_DIR": str(self.directory), "DO_NOT_TRACK": "1"}
        return run(command, cwd=self.directory, log=self.directory / "last.log", environ=environ)

    def keep(self, state: str) -> None:
        """Keeps a copy of the database under a name."""
        shutil.copyfile(self.database, self._kept(state))

    def restore(self, state: str) -> None:
        """Puts the database back to a kept state."""
        self.database.with_name(self.database.name + ".wal").unlink(missing_ok=True)
        shutil.copyfile(self._kept(state), self.database)

    def remove(self) -> None:
        """Deletes the project: its states are large."""
        shutil.rmtree(self.directory)

    def _kept(self, state: str) -> Path:
        return self.directory / f"{state}.kept"

    def expected(self, rows: int, every: int, *, changed: bool = False) -> Arrived:
        """What has to arrive when everybody, or who `change.sql` changed, is sent."""
        script = Path(__file__).parent / "expected.py"
        output = self.directory / "expected.json"
        condition = ["changed"] if changed else []
        self.run([self.environment.python, script, self.database, output, str(every), *condition])
        found = json.loads(output.read_text())
        if changed:
            found["sample"] = {
                key: {name: value for name, value in attributes.items() if name in CHANGED}
                for key, attributes in found["sample"].items()
            }
        return Arrived(found["operations"], found["checksum"], found["sample"])


def write(path: Path, text: str) -> None:
    """Writes a file, and the directories it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
