"""Manifests of every supported dbt give the same syncs. Malformed ones give a clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbt_batch_sync import __version__
from dbt_batch_sync.artifacts.manifest import DataTest, Manifest, read_manifest
from dbt_batch_sync.errors import ManifestError, MappingError
from dbt_batch_sync.mapping.syncs import Sync, find_syncs, read_syncs, sync_notes

RECORDED = sorted((Path(__file__).parents[1] / "fixtures" / "manifests").glob("*.json"))
VERSIONS = ["1.10.", "1.11.", "1.12.", "1.9.6", "2.0.0"]


def test_every_supported_dbt_has_a_recorded_manifest() -> None:
    found = [json.loads(path.read_text())["metadata"]["dbt_version"] for path in RECORDED]
    assert [version[:5] for version in found] == VERSIONS


def test_recorded_manifests_are_small_and_anonymous() -> None:
    for path in RECORDED:
        text = path.read_text()
        assert len(text) < 60_000
        assert not any(word in text for word in ("/tmp", "/home", "/root", "/Users", "user_id", "root_path"))


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> Manifest:
    path: Path = request.param
    return read_manifest(path)


def test_the_metadata_is_read(recorded: Manifest) -> None:
    assert (recorded.project_name, recorded.adapter_type) == ("shop", "duckdb")


def test_every_version_gives_the_same_syncs(recorded: Manifest) -> None:
    crm, loyalty = read_syncs(recorded)
    assert (crm.name, loyalty.name) == ("crm_contacts", "loyalty_members")
    assert crm.mapping.hash == "9ea048c4bff8816131a872d039760c86"
    assert loyalty.mapping.hash == "0c9a46c33eb0db8bdfc2101529e540e2"
    assert (crm.mapping.output, crm.mapping.guards.min_rows) == ("prod", 10)
    assert crm.mapping.file == "models/crm/crm.yml"
    assert crm.snapshot is not None
    assert crm.snapshot.name == "crm_contacts_sent_snapshot"
    assert crm.delta is not None
    assert crm.delta.depends_on == ("model.shop.crm_contacts", "model.shop.crm_contacts_sent_snapshot")
    assert (loyalty.snapshot, loyalty.delta) == (None, None)


def test_a_model_is_read(recorded: Manifest) -> None:
    model = read_syncs(recorded)[0].model
    assert model.unique_id == "model.shop.crm_contacts"
    assert (model.database, model.schema, model.alias) == ("shop", "analytics", "crm_contacts")
    assert model.relation_name == '"shop"."analytics"."crm_contacts"'
    assert (model.file, model.path) == ("models/crm/crm.yml", "models/crm/crm_contacts.sql")
    assert (model.tags, model.materialized) == (("nightly", "crm"), "table")
    assert (model.fqn, model.package) == (("shop", "crm", "crm_contacts"), "shop")
    assert model.depends_on == ("model.shop.stg_customers",)
    assert (model.enabled, model.latest, model.compiled_code) == (True, True, None)
    assert model.columns == ("customer_id", "email")


def test_other_nodes_are_not_models(recorded: Manifest) -> None:
    assert sorted(each.name for each in recorded.models) == [
        "crm_contacts",
        "crm_contacts_delta",
        "crm_contacts_sent_snapshot",
        "loyalty_members",
        "stg_customers",
    ]
    assert [each.name for each in recorded.models if each.mapped] == ["crm_contacts", "loyalty_members"]
    assert recorded.misplaced == ()


# Manifests that no dbt has written

MAPPING = {"identifier": "id", "custom": ["a"]}


def model(name: str, **keys: object) -> dict[str, object]:
    return {
        "resource_type": "model",
        "unique_id": f"model.shop.{name}",
        "name": name,
        "package_name": "shop",
        "original_file_path": f"models/{name}.sql",
        "fqn": ["shop", name],
        **keys,
    }


def write(directory: Path, *nodes: dict[str, object], **keys: object) -> Path:
    path = directory / "manifest.json"
    document = {
        "metadata": {"project_name": "shop"},
        "nodes": {str(node["unique_id"]): node for node in nodes},
        **keys,
    }
    path.write_text(json.dumps(document))
    return path


def syncs(directory: Path, *nodes: dict[str, object], **keys: object) -> tuple[Sync, ...]:
    return read_syncs(read_manifest(write(directory, *nodes, **keys)))


def problems(directory: Path, *nodes: dict[str, object], **keys: object) -> list[tuple[str, str, str, str]]:
    with pytest.raises(MappingError) as caught:
        syncs(directory, *nodes, **keys)
    return [(each.file, each.model, each.key, each.message) for each in caught.value.problems]


def test_the_smallest_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    assert read_manifest(path) == Manifest(path, *[None] * 2, (), (), (), None)  # type: ignore[arg-type]


def test_tests_are_read_with_what_they_depend_on(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    test = {"resource_type": "test", "unique_id": "test.shop.t", "name": "t"}
    unit = {"unique_id": "unit_test.shop.u", "name": "u", "depends_on": {"nodes": ["model.shop.b"]}}
    nodes = {"test.shop.t": {**test, "depends_on": {"nodes": ["model.shop.a", "model.shop.b"]}}}
    path.write_text(json.dumps({"nodes": nodes, "unit_tests": {"unit_test.shop.u": unit}}))
    assert read_manifest(path).tests == (
        DataTest("test.shop.t", "t", ("model.shop.a", "model.shop.b")),
        DataTest("unit_test.shop.u", "u", ("model.shop.b",)),
    )


def test_the_defaults_of_a_model(tmp_path: Path) -> None:
    (sync,) = syncs(tmp_path, model("crm", meta={"batch_sync": MAPPING}))
    found = sync.model
    assert (found.database, found.schema, found.relation_name, found.alias) == (None, None, None, "crm")
    assert (found.file, found.materialized, found.tags, found.columns) == ("models/crm.sql", "view", (), ())
    assert (found.enabled, found.latest, found.depends_on) == (True, True, ())


def test_config_meta_overrides_node_meta(tmp_path: Path) -> None:
    old, new = {**MAPPING, "identifier": "old"}, {**MAPPING, "identifier": "new"}
    (sync,) = syncs(tmp_path, model("crm", meta={"batch_sync": old}, config={"meta": {"batch_sync": new}}))
    assert sync.mapping.identifier == "new"


@pytest.mark.parametrize(
    "keys", [{"meta": {"batch_sync": MAPPING}}, {"config": {"meta": {"batch_sync": MAPPING}}}]
)
def test_either_meta_opts_in(tmp_path: Path, keys: dict[str, object]) -> None:
    assert [each.name for each in syncs(tmp_path, model("crm", **keys))] == ["crm"]


def test_a_disabled_model_is_no_sync(tmp_path: Path) -> None:
    config = {"enabled": False, "meta": {"batch_sync": "wrong"}}
    assert syncs(tmp_path, model("crm", config=config)) == ()


def test_a_disabled_delta_is_ignored(tmp_path: Path) -> None:
    mapped = model("crm", meta={"batch_sync": MAPPING})
    (sync,) = syncs(tmp_path, mapped, model("crm_delta", config={"enabled": False}))
    assert sync.delta is None


def test_the_latest_version_of_a_model_is_the_sync(tmp_path: Path) -> None:
    meta = {"batch_sync": MAPPING}
    old = model("crm", meta=meta, version=1, latest_version=2)
    new = model("crm", meta=meta, version=2, latest_version=2, unique_id="model.shop.crm.v2")
    assert [each.model.unique_id for each in syncs(tmp_path, old, new)] == ["model.shop.crm.v2"]


def test_tags_are_unique(tmp_path: Path) -> None:
    keys = {"tags": ["a", "b"], "config": {"tags": "c", "meta": {"batch_sync": MAPPING}}}
    (sync,) = syncs(tmp_path, model("crm", **keys), model("x", tags="a"))
    assert sync.model.tags == ("a", "b", "c")


def test_syncs_are_sorted_by_name(tmp_path: Path) -> None:
    found = syncs(tmp_path, *(model(name, meta={"batch_sync": MAPPING}) for name in ("b", "c", "a")))
    assert [each.name for each in found] == ["a", "b", "c"]


def test_the_nearest_delta_belongs_to_the_sync(tmp_path: Path) -> None:
    def in_package(name: str, package: str, **keys: object) -> dict[str, object]:
        return model(name, package_name=package, unique_id=f"model.{package}.{name}", **keys)

    mapped = in_package("crm", "lib", meta={"batch_sync": MAPPING})
    refers = {"depends_on": {"nodes": [mapped["unique_id"]]}}
    anywhere, project, own = (
        {**in_package("crm_delta", each), **refers} for each in ("other", "shop", "lib")
    )
    for nodes, package in (
        ((anywhere, project, own), "lib"),
        ((anywhere, project), "shop"),
        ((anywhere,), "other"),
    ):
        (sync,) = syncs(tmp_path, mapped, *nodes)
        assert sync.delta is not None
        assert sync.delta.package == package


def test_problems_of_all_models_are_reported_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        model("b", meta={"batch_sync": {"identifier": "id"}}, patch_path="shop://models/b.yml"),
        model("a", meta={"batch_sync": {"custom": ["x", "x"]}}),
        model("c", meta={"batch_sync": MAPPING}, config={"materialized": "ephemeral"}),
    )
    assert [(file, name, key) for file, name, key, _ in found] == [
        ("models/a.sql", "a", "batch_sync.identifier"),
        ("models/a.sql", "a", "batch_sync.custom[1]"),
        ("models/b.yml", "b", "batch_sync"),
        ("models/c.sql", "c", "config.materialized"),
    ]
    assert "ephemeral" in found[-1][-1]


def test_a_null_mapping_is_an_error(tmp_path: Path) -> None:
    ((_, _, key, message),) = problems(tmp_path, model("a", meta={"batch_sync": None}))
    assert (key, "not null" in message) == ("batch_sync", True)


def test_two_syncs_with_the_same_name(tmp_path: Path) -> None:
    meta = {"batch_sync": MAPPING}
    other = model("crm", meta=meta, unique_id="model.lib.crm", package_name="lib")
    found = problems(tmp_path, model("crm", meta=meta), other)
    assert ["model.lib.crm" in found[0][-1], "model.shop.crm" in found[1][-1], len(found)] == [True, True, 2]


def test_an_unmapped_model_may_have_the_name_of_a_sync(tmp_path: Path) -> None:
    other = model("crm", unique_id="model.lib.crm", package_name="lib")
    assert len(syncs(tmp_path, model("crm", meta={"batch_sync": MAPPING}), other)) == 1


def test_a_project_model_with_the_name_of_a_package_sync_is_an_error(tmp_path: Path) -> None:
    mapped = model("crm", unique_id="model.lib.crm", package_name="lib", meta={"batch_sync": MAPPING})
    ((_, _, _, message),) = problems(tmp_path, mapped, model("crm"))
    assert message == "there is another model of this name, model.shop.crm: rename one of the two"


@pytest.mark.parametrize("suffix", ["delta", "sent_snapshot"])
def test_an_unrelated_model_with_the_name_of_a_generated_one(tmp_path: Path, suffix: str) -> None:
    mapped = model("crm", meta={"batch_sync": MAPPING})
    ((_, name, key, message),) = problems(tmp_path, mapped, model(f"crm_{suffix}"))
    assert (name, key) == (f"crm_{suffix}", "name")
    assert message == (
        f"is not the {suffix} of the sync crm, whose name it has: rename it, or give it the body "
        f"{{{{ dbt_batch_sync.{suffix}('crm') }}}}"
    )


@pytest.mark.parametrize("name", ["o'brien", 'a"b', "a\\b", "a{b"])
def test_invalid_sync_names(tmp_path: Path, name: str) -> None:
    ((_, _, _, message),) = problems(tmp_path, model(name, meta={"batch_sync": MAPPING}))
    assert "may have letters, digits, blanks and `_.-$` only" in message


@pytest.mark.parametrize(
    ("adapter", "alias", "wrong"),
    [
        ("postgres", "a" * 63, False),
        ("postgres", "a" * 64, True),
        ("postgres", "é" * 32, True),
        ("redshift", "a" * 64, False),
        ("redshift", "a" * 128, True),
        ("duckdb", "a" * 300, False),
    ],
)
def test_names_too_long_for_the_warehouse(tmp_path: Path, adapter: str, alias: str, wrong: bool) -> None:
    mapped = model("crm", meta={"batch_sync": MAPPING})
    delta = model("crm_delta", alias=alias, depends_on={"nodes": ["model.shop.crm"]})
    _, found = find_syncs(read_manifest(write(tmp_path, mapped, delta, metadata={"adapter_type": adapter})))
    assert [each.key for each in found] == (["config.alias"] if wrong else [])


@pytest.mark.parametrize(
    ("length", "adapter", "said"), [(49, "postgres", False), (50, "postgres", True), (50, "duckdb", False)]
)
def test_names_that_will_be_too_long(tmp_path: Path, length: int, adapter: str, said: bool) -> None:
    """Before `generate` has written the models."""
    found = syncs(tmp_path, model("c" * length, meta={"batch_sync": MAPPING}))
    notes = list(sync_notes(found, adapter))
    assert [f"give {'c' * length}_sent_snapshot a shorter `alias`" in each for each in notes] == [True] * said


def version(number: int, latest: int, meta: bool) -> dict[str, object]:
    own: dict[str, object] = {"meta": {"batch_sync": MAPPING}} if meta else {}
    return model("crm", unique_id=f"model.shop.crm.v{number}", version=number, latest_version=latest, **own)


def test_a_delta_pins_a_version(tmp_path: Path) -> None:
    delta = model("crm_delta", depends_on={"nodes": ["model.shop.crm.v1"]})
    for nodes in ((version(1, 2, True), version(2, 2, True)), (version(2, 2, False), version(1, 2, True))):
        (sync,) = syncs(tmp_path, *nodes, delta)
        assert sync.model.version == "1"


def test_lists_merged_by_dbt(tmp_path: Path) -> None:
    meta = {"batch_sync": {"identifier": "id", "custom": ["a", "a"]}}
    ((_, _, key, message),) = problems(tmp_path, model("crm", meta=meta, version=2, latest_version=2))
    assert key == "batch_sync.custom[1]"
    assert message.endswith("(dbt joins the lists of the model and of its version 2: use one of the two)")
    ((*_, message),) = problems(tmp_path, model("crm", meta=meta))
    assert "joins" not in message


def test_a_mapping_of_an_older_version(tmp_path: Path) -> None:
    ((_, name, _, message),) = problems(tmp_path, version(1, 1, False), version(2, 1, True))
    assert name == "crm"
    assert message.startswith("stands in version 2, and version 1 is read: the latest")


@pytest.mark.parametrize("suffix", ["_delta", "_sent_snapshot"])
def test_generated_models_are_not_syncs(tmp_path: Path, suffix: str) -> None:
    meta = {"batch_sync": MAPPING}
    ((_, name, _, message),) = problems(tmp_path, model("crm", meta=meta), model(f"crm{suffix}", meta=meta))
    assert name == f"crm{suffix}"
    assert "belongs to the sync crm" in message
    assert len(syncs(tmp_path, model(f"crm{suffix}", meta=meta))) == 1


@pytest.mark.parametrize(
    ("node", "key"),
    [
        (model("a", config={"batch_sync": MAPPING}), "config.batch_sync"),
        (model("a", meta={"owner": {"batch_sync": MAPPING}}), "meta.owner.batch_sync"),
        (
            model("a", columns={"c": {"name": "c", "meta": {"batch_sync": MAPPING}}}),
            "columns.c.meta.batch_sync",
        ),
        (
            model(
                "a",
                columns={"c": {"name": "c", "config": {"meta": {"batch_sync": {}}}}},
                meta={"batch_sync": MAPPING},
            ),
            "columns.c.meta.batch_sync",
        ),
        (model("a", resource_type="seed", meta={"batch_sync": MAPPING}), "meta.batch_sync"),
        (model("a", resource_type="snapshot", config={"meta": {"batch_sync": MAPPING}}), "meta.batch_sync"),
    ],
)
def test_a_misplaced_mapping_error_names_the_right_place(
    tmp_path: Path, node: dict[str, object], key: str
) -> None:
    ((file, name, found, message),) = problems(tmp_path, node)
    assert (file, name, found) == ("models/a.sql", "a", key)
    assert "config: {meta: {batch_sync: …}}" in message


@pytest.mark.parametrize("name", ["batch_syn", "batch-sync", "BatchSync"])
def test_a_misspelled_meta_key(tmp_path: Path, name: str) -> None:
    ((_, _, key, message),) = problems(tmp_path, model("a", meta={name: MAPPING}))
    assert (key, message) == (f"meta.{name}", "is not read: did you mean `batch_sync`?")
    others = {"batch_sync": MAPPING, "batch_sync_owner": "crm", "batch_syn": "off", "sync": MAPPING}
    assert len(syncs(tmp_path, model("a", meta=others))) == 1


def test_a_source_cannot_be_a_sync(tmp_path: Path) -> None:
    source = model("a", resource_type="source", config={"meta": {"batch_sync": MAPPING}})
    ((_, _, key, message),) = problems(tmp_path, sources={"source.shop.a": source})
    assert (key, "a source can't be a sync" in message) == ("meta.batch_sync", True)


def test_a_mapping_that_dbt_2_copied_to_a_column_is_not_misplaced(tmp_path: Path) -> None:
    meta = {"batch_sync": MAPPING}
    assert len(syncs(tmp_path, model("a", meta=meta, columns={"c": {"name": "c", "meta": meta}}))) == 1


@pytest.mark.parametrize(
    ("macros", "version"),
    [
        ({"macro.dbt_batch_sync.version": {"macro_sql": "{{ return('0.1.0') }}"}}, "0.1.0"),
        (
            {"macro.dbt_batch_sync.version": {"macro_sql": "{{ return('0.2.0.dev1+local') }}"}},
            "0.2.0.dev1+local",
        ),
        ({"macro.other.version": {"macro_sql": "{{ return('0.1.0') }}"}}, None),
        ({"macro.dbt_batch_sync.version": {"macro_sql": "{{ return(version) }}"}}, None),
        ({"macro.dbt_batch_sync.version": {"macro_sql": f"{{{{ return('{'1' * 100}') }}}}"}}, None),
        ({"macro.dbt_batch_sync.version": {}}, None),
        ({}, None),
    ],
)
def test_the_version_of_the_macros(tmp_path: Path, macros: object, version: str | None) -> None:
    assert read_manifest(write(tmp_path, macros=macros)).macros_version == version


def test_the_macros_have_this_version(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "macros" / "version.sql").read_text()
    path = write(tmp_path, macros={"macro.dbt_batch_sync.version": {"macro_sql": text}})
    assert read_manifest(path).macros_version == __version__


# Files that are not manifests


def test_a_missing_manifest_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no .*manifest\.json: run `dbt parse` first"):
        read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a JSON object"),
        (b"{", "is not a JSON object"),
        (b"\xff\xfe\x00", "is not a JSON object"),
        (b"[]", "is not a JSON object"),
        (b'{"nodes": [1]}', "is not a manifest of dbt"),
        (b'{"nodes": {"x": {"resource_type": "model"}}}', "lacks 'unique_id'"),
    ],
)
def test_invalid_manifests(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "dbt parse" in str(caught.value)


def test_a_deeply_nested_mapping_is_an_error(tmp_path: Path) -> None:
    deep: object = {}
    for _ in range(400):
        deep = {"custom": [deep]}
    found = problems(tmp_path, model("a", meta={"batch_sync": deep}))
    assert [key for _, _, key, _ in found] == [
        "batch_sync.identifier",
        "batch_sync.custom[0].custom",
        "batch_sync.custom[0].column",
    ]
