"""What `validate` finds in dbt's artifacts, and the lines it reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from harness.manifests import manifest, model

from dbt_batch_sync.artifacts.json_files import CatalogTable
from dbt_batch_sync.errors import MappingError, Problem
from dbt_batch_sync.mapping.checks import Checks
from dbt_batch_sync.mapping.lines import with_lines
from dbt_batch_sync.mapping.syncs import read_syncs

ATTRIBUTES = {"identifier": "id", "standard": {"email_address": "email"}, "custom": ["points"]}
SQL = "select 1 as id, 2 as email, 3 as points"


def sync(name: str, mapping: Mapping[str, object], sql: str | None = None) -> dict[str, object]:
    config = {"meta": {"batch_sync": dict(mapping)}}
    return model(name, sql, config=config, patch_path=f"shop://models/{name}.yml")


def check(
    path: Path,
    syncs: Sequence[Mapping[str, object]],
    *,
    selected: Sequence[str] = (),
    default_output: str | None = None,
    columns: Sequence[str] = (),
    schema: str = "main",
) -> list[tuple[str, str, str]]:
    """Model, key and message of each problem. `columns`: the catalog's columns of `people`."""
    written = manifest(path, syncs)
    table = CatalogTable("SHOP", schema, "people", tuple(columns))
    catalog = {"model.shop.people": table} if columns else {}
    checks = Checks(written, catalog, default_output)
    found = read_syncs(written)
    try:
        checks.check(found, selected or [each.name for each in found])
    except MappingError as error:
        return [(each.model, each.key.removeprefix("batch_sync."), each.message) for each in error.problems]
    return []


def test_valid_mappings_have_no_problems(tmp_path: Path) -> None:
    assert check(tmp_path, [sync("people", ATTRIBUTES, SQL)]) == []
    assert check(tmp_path, [sync("people", ATTRIBUTES)]) == []


def test_every_missing_column_is_reported(tmp_path: Path) -> None:
    mapping = {"identifier": "key", "standard": {"region": "land"}, "custom": ["points", "emial"]}
    found = check(tmp_path, [sync("people", mapping, SQL)])
    assert [key for _, key, _ in found] == ["identifier", "standard.region", "custom[1]"]
    assert found[2][2] == (
        "the sync has no column `emial` (did you mean `email`?); its columns: `id`, `email`, `points`"
    )
    excluding = {"identifier": "id", "custom": "all", "exclude": ["email", "note"]}
    ((_, key, _),) = check(tmp_path, [sync("people", excluding, SQL)])
    assert key == "exclude[1]"


def test_two_syncs_of_one_output_writing_the_same_attributes(tmp_path: Path) -> None:
    vip = {
        "identifier": "id",
        "standard": {"email_address": "mail"},
        "custom": [{"column": "score", "name": "points"}, "tier"],
    }
    both = [sync("people", ATTRIBUTES), sync("vip", vip)]
    ((name, key, message),) = check(tmp_path, both)
    assert (name, key) == ("vip", "batch_sync")
    assert message.startswith("`$email_address`, `points`: written by the sync `people` too.")
    assert "`shared: true`" in message
    assert [name for name, _, _ in check(tmp_path, both, selected=["people"])] == ["people"]
    for shared in ("people", "vip"):
        mappings = {"people": ATTRIBUTES, "vip": vip}
        mappings[shared] = {**mappings[shared], "shared": True}
        assert check(tmp_path, [sync(each, mappings[each]) for each in mappings]) == []
    other = [both[0], sync("vip", {**vip, "output": "other"})]
    assert check(tmp_path, other) == []
    assert check(tmp_path, other, default_output="prod") == []
    # One sync names the output, the other uses the profile's default.
    assert [name for name, _, _ in check(tmp_path, other, default_output="other")] == ["vip"]
    third = [sync("third", {"identifier": "id", "custom": ["tier"]})]
    assert len(check(tmp_path, [*both, *third])) == 2
    assert check(tmp_path, [*both, *third], selected=["third"])[0][2].startswith("`tier`: written by")


def test_two_deletions_of_one_output(tmp_path: Path) -> None:
    erase = {"kind": "deletions", "identifier": "id", "confirm": "erase"}
    both = [sync("erasures", erase), sync("requests", erase)]
    ((name, key, message),) = check(tmp_path, both)
    assert (name, key) == ("requests", "kind")
    assert "that of the sync `erasures` too" in message
    other = [both[0], sync("requests", {**erase, "output": "other"})]
    assert check(tmp_path, other) == []
    assert len(check(tmp_path, other, default_output="other")) == 1
    assert check(tmp_path, [both[0], sync("people", ATTRIBUTES)]) == []


def test_memberships_and_all_columns_are_names_too(tmp_path: Path) -> None:
    flag = {"identifier": "id", "membership": "points", "on_exit": "flag"}
    everything = {"identifier": "id", "custom": "all"}
    for other in (sync("zoo", flag), sync("zoo", everything, "select 1 as id, 2 as points")):
        ((_, _, message),) = check(tmp_path, [sync("people", ATTRIBUTES), other])
        assert message.startswith("`points`: written by the sync `people`")
    # Without compiled SQL, the catalog provides the columns of the model's current relation.
    vip = sync("vip", {"identifier": "id", "custom": ["tier"]})
    syncs = [sync("people", everything), vip]
    assert len(check(tmp_path, syncs, columns=("ID", "TIER"))) == 1
    assert check(tmp_path, syncs, columns=("ID", "TIER"), schema="dev") == []


YAML = """\
version: 2
models:
  - name: other
    config: {meta: {batch_sync: {identifier: id}}}
  - name: people
    config:
      meta:
        batch_sync:
          identifier: id
          standard:
            email_address: mail
          custom:
            - a
            - {column: b,
               type: uri}
  - name: old
    meta: {batch_sync: {custom: all}}
"""


@pytest.mark.parametrize(
    ("model", "key", "line"),
    [
        ("people", "batch_sync", 8),
        ("people", "batch_sync.identifier", 9),
        ("people", "batch_sync.standard.email_address", 11),
        ("people", "batch_sync.standard.region", 10),
        ("people", "batch_sync.custom[0]", 13),
        ("people", "batch_sync.custom[1].type", 15),
        ("people", "batch_sync.custom[7]", 12),
        ("people", "batch_sync.guards.min_rows", 8),
        ("people", "config.materialized", 6),
        ("people", "columns.id.meta.batch_sync", 5),
        ("old", "batch_sync.custom", 17),
        ("unknown", "batch_sync", None),
    ],
)
def test_lines(tmp_path: Path, model: str, key: str, line: int | None) -> None:
    (tmp_path / "people.yml").write_text(YAML)
    (found,) = with_lines([Problem("people.yml", model, key, "wrong")], tmp_path)
    assert found.line == line
    assert str(found) == f"people.yml{f':{line}' if line else ''}: {model}: {key}: wrong"


@pytest.mark.parametrize(
    "text", ["models: [", "models: 1", "- name: people", "\x00", "", "models: [1, {name: [x]}]"]
)
def test_other_files_have_no_lines(tmp_path: Path, text: str) -> None:
    (tmp_path / "people.yml").write_text(text)
    problems = [
        Problem(name, "people", "batch_sync.custom[0]", "wrong") for name in ("people.yml", "no.yml", "x.sql")
    ]
    assert [each.line for each in with_lines(problems, tmp_path)] == [None, None, None]


def test_syncs_of_one_audience_or_too_many_catalogs(tmp_path: Path) -> None:
    vips = {"kind": "audience", "identifier": "id", "audience": "vips"}
    (found,) = check(tmp_path, [sync("people", vips), sync("others", vips)])
    assert found[1] == "audience"
    assert "the audience `vips` is that of the sync `others` too" in found[2]
    assert check(tmp_path, [sync("people", vips), sync("others", {**vips, "audience": "more"})]) == []
    assert check(tmp_path, [sync("people", vips), sync("others", {**vips, "output": "x"})]) == []
    assert check(tmp_path, [sync("people", vips), sync("others", ATTRIBUTES)]) == []
    shelves = [
        sync(f"shelf_{n}", {"kind": "catalog", "identifier": "id", "catalog": f"c{n}", "fields": ["points"]})
        for n in range(6)
    ]
    assert check(tmp_path, shelves[:5]) == []
    assert [(each[0], each[1]) for each in check(tmp_path, shelves)] == [("shelf_5", "catalog")]
