"""Rows sent whole: all values without nulls, whatever changed. Exits send another object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from harness.rendering import delta

from dbt_batch_sync.kinds.attributes import AttributeType, TypedAttribute
from dbt_batch_sync.kinds.audience import AUDIENCE
from dbt_batch_sync.kinds.catalog import CATALOG
from dbt_batch_sync.kinds.kind import Kind
from dbt_batch_sync.payload.render import render


def rendered(
    kind: Kind, columns: dict[str, pa.Array], types: dict[str, AttributeType], **rows: Any
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    attributes = [TypedAttribute(name, type_, kind.rules) for name, type_ in types.items()]
    parts = list(render([delta(columns, **rows)], attributes, kind.fragment))
    texts = [text for part in parts for text in part.rows.column("operation").to_pylist()]
    notes = [(each.attribute, each.reason) for part in parts for each in part.rejected]
    return [json.loads(text.removesuffix(",")) for text in texts], notes


@pytest.mark.parametrize("changes", ["insert", ("insert", "update", "update", "exit")])
def test_members(changes: str | Sequence[str]) -> None:
    columns = {"name": pa.array(["A", None, "B", "C"]), "points": pa.array([1, None, 2, 3])}
    types = {"name": AttributeType.STRING, "points": AttributeType.INTEGER}
    found, _ = rendered(AUDIENCE, columns, types, change=changes, changed="points")
    assert found[:3] == [
        {"action": "add", "id": "p0", "attributes": {"name": "A", "points": 1}},
        {"action": "add", "id": "p1"},
        {"action": "add", "id": "p2", "attributes": {"name": "B", "points": 2}},
    ]
    if changes == "insert":
        assert found[3] == {"action": "add", "id": "p3", "attributes": {"name": "C", "points": 3}}
    else:
        assert found[3] == {"action": "remove", "id": "p3"}


def test_members_without_attributes() -> None:
    found, _ = rendered(AUDIENCE, {}, {}, ids=['a"b', "c"], change=["insert", "exit"])
    assert found == [{"action": "add", "id": 'a"b'}, {"action": "remove", "id": "c"}]


def test_items() -> None:
    columns = {
        "title": pa.array(["x" * 10_000, "x" * 10_001, None]),
        "tags": pa.array([["t" * 64] * 15, ["t"] * 16, ["t" * 65]]),
        "fresh": pa.array([True, False, None]),
    }
    types = dict(
        zip(columns, (AttributeType.STRING, AttributeType.STRING_ARRAY, AttributeType.BOOLEAN), strict=True)
    )
    found, notes = rendered(CATALOG, columns, types)
    assert found == [
        {
            "action": "add",
            "id": "p0",
            "attributes": {"title": "x" * 10_000, "tags": ["t" * 64] * 15, "fresh": True},
        },
        {"action": "add", "id": "p1", "attributes": {"fresh": False}},
        {"action": "add", "id": "p2", "attributes": {}},
    ]
    assert notes == [("title", "too_long"), ("tags", "too_many_items"), ("tags", "too_long")]
