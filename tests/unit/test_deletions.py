"""Deletions: mapping, guards and answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.kinds.deletions import DELETIONS, read_request, stops
from dbt_batch_sync.ledger.state import Built
from dbt_batch_sync.mapping.mapping import Mapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping

RAW: dict[str, object] = {"kind": "deletions", "identifier": "id", "confirm": "erase"}
OUTPUT = Output(name="prod", only_from=("prod",), app_keys=("app",))
BUILT = Built(
    **{"delta_id": "d", "built_at": datetime(2026, 1, 1), "target": "prod", "mapping_hash": "h"},
    **{"attribute_types": "requested_at:date", "mode": None},
    **{"model_rows": 0, "known_rows": 0, "inserts": 60, "updates": 40, "exits": 500, "invalid": 9},
    **{"parked": 0, "page": 1},
)


def read(**changes: object) -> Mapping:
    return parse_mapping("erasures", {**RAW, **changes}, "models.yml")


def test_the_defaults() -> None:
    mapping = read()
    assert (mapping.kind, mapping.guards.max_rows, mapping.attributes) == (DELETIONS, 100, ())
    assert [each.name for each in read(requested_at="asked").attributes] == ["requested_at"]


@pytest.mark.parametrize("confirm", ["Erase", "yes", "", True, None, ["erase"], " erase"])
def test_confirm_must_be_exact(confirm: object) -> None:
    with pytest.raises(MappingError, match="must be the word `erase`"):
        read(confirm=confirm)


def test_confirm_is_required() -> None:
    with pytest.raises(MappingError, match="is required: the word `erase`"):
        parse_mapping("x", {"kind": "deletions", "identifier": "id"}, "m")


@pytest.mark.parametrize(
    "guards", [{"max_rows": None}, {"max_rows": 0}, {"max_rows": "all"}, {"min_rows": 1}, {"max_rows": True}]
)
def test_max_rows_is_a_number(guards: object) -> None:
    with pytest.raises(MappingError):
        read(guards=guards)
    assert read(guards=None).guards.max_rows == 100


@pytest.mark.parametrize("key", ["custom", "on_exit", "membership", "endpoint", "shared"])
def test_keys_of_profiles_are_rejected(key: str) -> None:
    with pytest.raises(MappingError, match="unknown key"):
        read(**{key: "all"})


def test_other_columns_are_rejected() -> None:
    mapping = read(requested_at="at")
    assert len(mapping.resolve(["ID", "At"])) == 1
    with pytest.raises(MappingError, match="columns that are not mapped: `email`"):
        mapping.resolve(["id", "at", "email"])


def test_guards() -> None:
    assert not list(stops(read(), BUILT, OUTPUT)), "a hundred should pass, not counting exits"
    (more,) = stops(read(), replace(BUILT, inserts=61), OUTPUT)
    assert "101 people" in more
    assert not list(stops(read(guards={"max_rows": 101}), replace(BUILT, inserts=61), OUTPUT))
    (targets,) = stops(read(), BUILT, replace(OUTPUT, only_from=None))
    assert "`only_from`" in targets
    (apps,) = stops(read(), BUILT, replace(OUTPUT, app_keys=()))
    assert "`app_keys`" in apps


@pytest.mark.parametrize(
    ("document", "token"),
    [
        ({"token": "a-1"}, "a-1"),
        ({"request_token": "b"}, "b"),
        ({"id": "c", "token": 7}, "c"),
        ({"token": "has blanks"}, ""),
        ({"token": "x" * 501}, ""),
        ({}, ""),
    ],
)
def test_the_token_of_a_request(document: dict[str, object], token: str) -> None:
    assert read_request(document).token == token
