"""The SQL that dbt makes of `delta` and `sent_snapshot`, as recorded in `macros/duckdb/*.sql`.

dbt itself compiles and runs it; only the delta's id and the database's directory are replaced.
`RENEW_GOLDEN=1` writes the files anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from harness.project import Project
from sqlglot import exp

from dbt_batch_sync.attributes import AttributeType
from dbt_batch_sync.project.mapping import OnExit
from dbt_batch_sync.sandbox.server import SandboxServer

GOLDEN = Path(__file__).parent / "macros" / "duckdb"
RENEW = bool(os.environ.get("RENEW_GOLDEN"))

STANDARD = {
    "email_address": "email",
    "email_marketing": "optin",
    "phone_number": "phone",
    "sms_marketing": "sms",
    "language": "lang",
    "region": "country",
    "timezone": "zone",
    "topic_preferences": "topics",
}
COLUMNS = {
    "Client Id": "varchar",
    "email": "varchar",
    "optin": "boolean",
    "phone": "varchar",
    "sms": "varchar",
    "lang": "varchar",
    "country": "varchar",
    "zone": "varchar",
    "topics": "varchar[]",
    "nick": "varchar",
    "points": "integer",
    "huge": "hugeint",
    "price": "decimal(18,4)",
    "ratio": "double",
    "vip": "boolean",
    "born": "date",
    "seen_at": "timestamptz",
    "site": "varchar",
    "tags": "varchar[]",
    "note": "json",
    "token": "uuid",
    "as_text": "integer",
}
CUSTOM: list[object] = [
    {"column": "nick", "type": "string", "on_null": "keep"},
    {"column": "points", "type": "integer"},
    "huge",
    {"column": "price", "type": "float", "on_null": "keep"},
    "ratio",
    {"column": "vip", "type": "boolean"},
    {"column": "born", "type": "date"},
    {"column": "seen_at", "name": "last_seen", "on_null": "keep"},
    {"column": "site", "type": "url"},
    {"column": "tags", "type": "string_array", "on_null": "keep"},
    {"column": "note", "type": "string"},
    "token",
    {"column": "as_text", "type": "string"},
]
MAPPING = {"identifier": "Client Id", "standard": STANDARD, "custom": CUSTOM}
SEGMENTS: dict[str, dict[str, object]] = {
    "ignored": {**MAPPING, "on_exit": "ignore"},
    "cleared": {**MAPPING, "on_exit": "clear", "on_null": "keep"},
    "flagged": {**MAPPING, "on_exit": "flag", "membership": "in_crm"},
}
MODELS = [f"{segment}_{model}" for segment in SEGMENTS for model in ("delta", "sent_snapshot")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """All segments, built once with dbt."""
    with SandboxServer() as sandbox:
        project = Project(tmp_path_factory.mktemp("golden"), sandbox)
        row = {"Client Id": "a", "email": "a@example.com", "points": 1, "tags": ["x"], "as_text": 7}
        for segment, mapping in SEGMENTS.items():
            project.map(mapping, segment)
            project.set_rows(COLUMNS, [row, {"Client Id": "b"}], segment)
        project.build()
        yield project


def normalised(project: Project, model: str) -> str:
    """The compiled SQL without what differs from run to run, and without empty lines."""
    target = project.directory / "target"
    text = (target / "compiled" / "shop" / "models" / f"{model}.sql").read_text(encoding="utf-8")
    invocation = json.loads((target / "manifest.json").read_text())["metadata"]["invocation_id"]
    assert text.count(invocation) == (2 if model.endswith("_delta") else 0), "the id of each half of a delta"
    text = text.replace(invocation, "<delta_id>").replace(str(project.directory), "<project>")
    return "\n".join(line.rstrip() for line in text.strip().splitlines() if line.strip()) + "\n"


def test_every_kind_of_attribute_is_in_it() -> None:
    types = {each.get("type") for each in CUSTOM if isinstance(each, dict)}
    assert {kind.value for kind in AttributeType} <= types
    assert {mapping["on_exit"] for mapping in SEGMENTS.values()} == {policy.value for policy in OnExit}


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(built: Project, model: str) -> None:
    text = normalised(built, model)
    parsed = sqlglot.parse(text, dialect="duckdb")
    assert len(parsed) == 1
    assert isinstance(parsed[0], exp.Query)
    assert next(each.alias_or_name for each in parsed[0].selects) == "custom_id"
    path = GOLDEN / f"{model}.sql"
    if RENEW:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_no_other_files() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sql")} == set(MODELS)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_what_was_compiled_ran(built: Project, segment: str) -> None:
    rows = built.delta(segment)
    assert [(row["custom_id"], row["_batch_change"]) for row in rows] == [("a", "insert"), ("b", "insert")]
    assert {row["_batch_mapping"] for row in rows}.isdisjoint({None})
    assert built.snapshot(segment) == {}
