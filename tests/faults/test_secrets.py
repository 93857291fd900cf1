"""Keys and values never leak, whatever fails or Batch quotes; and YAML is never executed as SQL."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.faults import Fault, FaultKind
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.errors import BatchSyncError

REST, PROJECT = "restkeyQWXZ7781", "projectkeyQWXZ4412"
EMAIL, NICK, ID = "ada.qwxz@example.org", "qwxzlovelace", "customerqwxz1"
OTHER = "bob.qwxz@example.org"
KEYS = (REST, PROJECT)
VALUES = (EMAIL, NICK, OTHER)
SECRETS = (*KEYS, *VALUES, ID)
ECHO = f"Bearer {REST} of {PROJECT}: {EMAIL} / {NICK} / {ID} is not valid"
COLUMNS = {"id": "varchar", "email": "varchar", "nick": "varchar"}
MAPPING = {"identifier": "id", "standard": {"email_address": "email"}, "custom": ["nick"]}


@pytest.fixture
def shop(quick: QuickProject) -> Iterator[QuickProject]:
    """A delta with a recognizable row, and a sandbox with recognizable keys."""
    before = quick.sandbox.settings
    quick.sandbox.change(rest_api_key=REST, project_key=PROJECT)
    quick.outputs(sandbox={"rest_api_key": REST, "project_key": PROJECT, "max_attempts": 1, "timeout": 5})
    quick.map(MAPPING)
    quick.set_rows(COLUMNS, [{"id": ID, "email": EMAIL, "nick": NICK}])
    quick.build()
    yield quick
    quick.sandbox.change(rest_api_key=before.rest_api_key, project_key=before.project_key)


def clean(text: str, *secrets: str) -> None:
    """Assert that the text contains none of the secrets, nor a long part of one."""
    found = [each for each in secrets or SECRETS if each.lower() in text.lower()]
    assert not found, text


def tables_are_clean(project: QuickProject) -> None:
    """Assert that the ledger contains no keys, and no values other than custom_ids."""
    for table, allowed in (
        ("batch_sync_journal", {"key"}),
        ("batch_sync_rejects", {"key"}),
        ("batch_sync_runs", set()),
    ):
        for row in project.query(f"from {table}"):
            clean(repr({name: cell for name, cell in row.items() if name not in allowed}))
    for row in (*project.snapshot().values(), *project.delta()):
        clean(repr(row), *KEYS)


def says_nothing(project: QuickProject, code: int, *arguments: str) -> str:
    done = project.call(*arguments)
    assert done.returncode == code, done.stderr
    clean(done.stdout + done.stderr)
    return done.stdout + done.stderr


VERBS = (("status",), ("status", "--json"), ("rejects",), ("rejects", "--json"))


def test_a_successful_push_leaks_nothing(shop: QuickProject) -> None:
    says_nothing(shop, 0, "validate", "--online")
    for arguments in (("plan",), ("plan", "--json")):
        told = says_nothing(shop, 0, *arguments)
        assert "a••••" in told, "a masked sample"
    says_nothing(shop, 0, "push")
    assert shop.profiles()[ID]["$email_address"].value == EMAIL
    shop.set_rows(COLUMNS, [{"id": ID, "email": OTHER, "nick": NICK}])
    shop.build()
    assert "b••••" in says_nothing(shop, 0, "plan")
    says_nothing(shop, 0, "push", "--json")
    for arguments in VERBS:
        says_nothing(shop, 0, *arguments)
    tables_are_clean(shop)


ANSWERS = {
    "400": (Fault(FaultKind.STATUS, status=400, reason=ECHO, category=EMAIL), 3),
    "401": (Fault(FaultKind.STATUS, status=401, reason=ECHO, category=REST), 1),
    "404": (Fault(FaultKind.STATUS, status=404, reason=ECHO, category=NICK), 1),
    "500": (Fault(FaultKind.STATUS, status=500, reason=ECHO, category=NICK), 1),
    "row": (Fault(FaultKind.REFUSE_ROWS, reason=ECHO, category=NICK), 3),
    "attribute": (Fault(FaultKind.REFUSE_ATTRIBUTE, attributes=("nick",), reason=ECHO, category=NICK), 3),
    "redirect": (Fault(FaultKind.REDIRECT, location=f"http://127.0.0.1:9/{REST}/{NICK}"), 1),
    "truncated": (Fault(FaultKind.TRUNCATE, reason=ECHO), 1),
    "garbage": (Fault(FaultKind.GARBAGE, reason=ECHO), 1),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_containing_keys_and_values_are_not_quoted(shop: QuickProject, answer: str) -> None:
    fault, code = ANSWERS[answer]
    shop.sandbox.faults.set([fault])
    told = says_nothing(shop, code, "push")
    assert len(told) > 20
    for arguments in (*VERBS, ("plan",)):
        says_nothing(shop, 0, *arguments)
    tables_are_clean(shop)


@pytest.mark.forbidden("unauthorized")
def test_wrong_keys_are_not_quoted(shop: QuickProject) -> None:
    shop.sandbox.change(rest_api_key="another")
    assert "401" in says_nothing(shop, 1, "push")
    assert "401" in says_nothing(shop, 1, "validate", "--online")
    tables_are_clean(shop)


@pytest.mark.parametrize(
    "output", [{"rest_api_key": f"{REST}\n{PROJECT}"}, {"api_url": f"http://{REST}@example.org"}]
)
def test_wrong_settings_are_not_quoted(shop: QuickProject, output: dict[str, object]) -> None:
    shop.outputs(sandbox={"rest_api_key": REST, "project_key": PROJECT, **output})
    with pytest.raises(BatchSyncError) as caught:
        api.push(shop.options())
    for text in (str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))):
        clean(text, *KEYS)
    clean(says_nothing(shop, 2, "push"))


def test_an_error_of_the_warehouse_does_not_quote_the_row(shop: QuickProject) -> None:
    """The driver's message contains the value that it could not convert."""
    failing = "* replace (cast(cast(nick as integer) as varchar) as nick)"
    shop.execute("alter table people_delta rename to kept")
    shop.execute(f"create view people_delta as select {failing} from kept")
    told = says_nothing(shop, 1, "push")
    assert "DuckDB" in told
    shop.execute("drop view people_delta")
    shop.execute("alter table kept rename to people_delta")
    tables_are_clean(shop)


@contextlib.contextmanager
def slow(project: QuickProject) -> Iterator[None]:
    project.sandbox.change(latency=0.5)
    try:
        yield
    finally:
        project.sandbox.change(latency=0.0)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc, so run it on Linux")
def test_no_process_has_a_key_in_its_arguments(shop: QuickProject) -> None:
    """Checked during a request, while the key is in use. The process's output doesn't contain it either."""
    command = [sys.executable, "-m", "dbt_batch_sync", "push"]
    looked = 0
    with (
        slow(shop),
        subprocess.Popen(
            command,
            cwd=shop.directory,
            env=shop.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        while process.poll() is None:
            for number in [process.pid, *_children(process.pid)]:
                with contextlib.suppress(OSError):
                    clean(Path(f"/proc/{number}/cmdline").read_text())
                    looked += 1
        assert process.stdout is not None
        clean(process.stdout.read())
    assert process.returncode == 0
    assert looked


def _children(number: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{number}/task").iterdir():
            found += [int(each) for each in (thread / "children").read_text().split()]
    return found


HOSTILE = (
    'a"; drop table people_delta; --',
    "a'; drop table people_delta; --",
    "a /* ; */ -- b",
    "$a :b %s ?",
    "a`b\\",
)


def test_column_names_are_not_executed_as_sql(quick: QuickProject) -> None:
    """Columns may have such names, because the mapping sets the names in Batch."""
    identifier = 'id"; drop table raw.people; --'
    names = {f"c{place}": column for place, column in enumerate(HOSTILE)}
    custom = [{"column": column, "name": name} for name, column in names.items()]
    quick.map({"identifier": identifier, "custom": custom})
    columns = dict.fromkeys((identifier, *HOSTILE), "varchar")
    rows = [
        {identifier: key, **{column: f"{key}{column}" for column in HOSTILE}}
        for key in ("x'; --", 'y"; --', "z")
    ]
    quick.set_rows(columns, rows)
    quick.build()
    assert quick.call("plan").returncode == 0
    pushed = quick.push_one()
    assert (pushed.status, pushed.error, pushed.accepted) == ("succeeded", None, 3)
    assert {key: {name: held[name].value for name in names} for key, held in quick.profiles().items()} == {
        row[identifier]: {name: row[column] for name, column in names.items()} for row in rows
    }
    quick.build()
    assert len(quick.snapshot()) == 3
    assert not quick.delta()
    assert len(quick.query("from raw.people")) == 3
    quick.set_rows(columns, rows[:2])
    quick.build()
    assert quick.push_one().status == "succeeded"
    quick.resend("all")
    assert quick.push_one(limit=1).settled == 1
    pushed = quick.push_one()
    assert (pushed.status, pushed.settled) == ("succeeded", 1), (
        "the push should resume after a key containing a quote"
    )


@pytest.mark.parametrize("column", HOSTILE)
def test_a_column_with_an_invalid_attribute_name_is_an_error(quick: QuickProject, column: str) -> None:
    quick.map({"identifier": "id", "custom": [column]})
    done = quick.call("validate")
    assert done.returncode == 2
    assert "name" in done.stderr
