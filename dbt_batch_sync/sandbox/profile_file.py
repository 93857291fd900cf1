"""Stores profiles in a SQLite file, so that they survive a restart."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.values import TypedValue

_FORMAT = 2


class ProfileFile:
    """For one process at a time. Each `write` is one transaction, which survives a kill of the sandbox."""

    def __init__(self, path: Path) -> None:
        """Creates the file if it is missing. Raises ConfigurationError for a foreign file, or one in use."""
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path}: can't be opened as the sandbox's store ({error})") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            reason = "another sandbox uses it" if "locked" in str(error) else str(error)
            raise ConfigurationError(f"{path}: can't be used as the sandbox's store ({reason})") from error
        except ConfigurationError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run("pragma locking_mode = exclusive")
        run("begin exclusive")
        (found,) = run("pragma user_version").fetchone()
        (tables,) = run("select count(*) from sqlite_master").fetchone()
        if found != _FORMAT and (found or tables):
            raise ConfigurationError(f"{self._path}: not a store of this sandbox; choose another file")
        run("create table if not exists profiles (custom_id text primary key, document text not null)")
        run(f"pragma user_version = {_FORMAT}")
        run("commit")
        run("pragma journal_mode = wal")
        run("pragma synchronous = normal")

    def read(self) -> Iterator[Profile]:
        """Every profile, oldest first."""
        for custom_id, document in self._connection.execute(
            "select custom_id, document from profiles order by rowid"
        ):
            yield _from_document(custom_id, document)

    def write(self, profiles: Iterable[Profile]) -> None:
        """Upserts them at once."""
        self._connection.execute("begin")
        self._connection.executemany(
            """insert into profiles values (?, ?)
            on conflict (custom_id) do update set document = excluded.document""",
            ((profile.custom_id, _document(profile)) for profile in profiles),
        )
        self._connection.execute("commit")

    def remove(self, custom_id: str) -> None:
        self._connection.execute("delete from profiles where custom_id = ?", (custom_id,))

    def clear(self) -> None:
        self._connection.execute("delete from profiles")

    def close(self) -> None:
        self._connection.close()


def _document(profile: Profile) -> str:
    return json.dumps(
        [profile.attributes, profile.operations, profile.created_at, profile.updated_at],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _from_document(custom_id: str, document: str) -> Profile:
    attributes, operations, created_at, updated_at = json.loads(document)
    typed = {
        name: TypedValue(kind, tuple(value) if isinstance(value, list) else value)
        for name, (kind, value) in attributes.items()
    }
    return Profile(custom_id, typed, operations, created_at, updated_at)
