"""The models whose compiled SQL is recorded for each warehouse in `tests/golden/macros/<dialect>/*.sql`.

`RENEW_GOLDEN=1` writes the files anew; look at their difference before it is committed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import sqlglot
from harness.project import ROOT, Project
from sqlglot import exp

GOLDEN = ROOT / "tests" / "golden" / "macros"

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
SYNCS: dict[str, dict[str, object]] = {
    "ignored": {**MAPPING, "on_exit": "ignore"},
    "cleared": {**MAPPING, "on_exit": "clear", "on_null": "keep"},
    "flagged": {**MAPPING, "on_exit": "flag", "membership": "in_crm"},
}
MODELS = [f"{sync}_{model}" for sync in SYNCS for model in ("delta", "sent_snapshot")]


def build(project: Project, types: Mapping[str, str]) -> None:
    """All syncs, built with dbt; `types` are those of columns that are others on this warehouse."""
    row = {"Client Id": "a", "email": "a@example.com", "points": 1, "tags": ["x"], "as_text": 7}
    for sync, mapping in SYNCS.items():
        project.map(mapping, sync)
        project.set_rows({**COLUMNS, **types}, [row, {"Client Id": "b"}], sync)
    project.build()


def check(project: Project, model: str, dialect: str) -> None:
    """A model's compiled SQL parses, and is what was recorded."""
    text = normalised(project, model)
    parse(text, dialect)
    path = GOLDEN / dialect / f"{model}.sql"
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def parse(text: str, dialect: str) -> None:
    """Fails the test unless it is one query whose first column is the key."""
    parsed = sqlglot.parse(text, dialect=dialect)
    assert len(parsed) == 1
    assert isinstance(parsed[0], exp.Query)
    assert next(each.alias_or_name for each in parsed[0].selects).lower() == "custom_id"


def normalised(project: Project, model: str) -> str:
    """The compiled SQL without what differs from run to run, and without empty lines."""
    target = project.directory / "target"
    text = (target / "compiled" / "shop" / "models" / f"{model}.sql").read_text(encoding="utf-8")
    invocation = json.loads((target / "manifest.json").read_text())["metadata"]["invocation_id"]
    assert text.count(invocation) == (2 if model.endswith("_delta") else 0), "the id of each half of a delta"
    text = text.replace(invocation, "<delta_id>").replace(str(project.directory), "<project>")
    return "\n".join(line.rstrip() for line in text.strip().splitlines() if line.strip()) + "\n"


def recorded() -> list[Path]:
    """Every file, of all warehouses."""
    return sorted(GOLDEN.glob("*/*.sql"))
