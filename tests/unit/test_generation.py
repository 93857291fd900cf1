"""`generate`: what it writes, and that it never removes the models of an active mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from harness.manifests import model
from typer.testing import CliRunner

from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.cli.app import app
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.mapping.syncs import read_syncs, sync_notes
from dbt_batch_sync.scaffold.generation import Change, apply, missing, obsolete

META = {"meta": {"batch_sync": {"identifier": "id", "custom": ["a"]}}}


class Shop:
    """A project's files, and the manifest that dbt would have written last."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nodes: dict[str, Mapping[str, object]] = {}
        self.disabled: dict[str, Sequence[Mapping[str, object]]] = {}
        self.sources: dict[str, Mapping[str, object]] = {}
        self.project = Project(directory, "shop", "shop", directory / "target", (directory / "models",))

    def add(self, name: str, path: str | None = None, **keys: object) -> None:
        path = path or f"models/{name}.sql"
        node = {**model(name, None), "original_file_path": path, **keys}
        self.nodes[str(node["unique_id"])] = node
        if node["package_name"] == "shop" and not (self.directory / path).exists():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text("select 1")

    def parse(self) -> None:
        """Add the models written by `generate` to the manifest, like `dbt parse`."""
        for path in (self.directory / "models" / "batch_sync").glob("*.sql"):
            self.refer(path.stem, f"models/batch_sync/{path.name}")

    def refer(self, name: str, path: str, **keys: object) -> None:
        """Add one of a sync's own models."""
        owner = name.removesuffix("_delta").removesuffix("_sent_snapshot")
        self.add(name, path, depends_on={"nodes": [f"model.shop.{owner}"]}, **keys)

    @property
    def manifest(self) -> Manifest:
        path = self.directory / "manifest.json"
        lists = {"nodes": self.nodes, "disabled": self.disabled, "sources": self.sources}
        document = {"metadata": {"project_name": "shop"}, **lists}
        path.write_text(json.dumps(document))
        return read_manifest(path)

    def missing(self) -> list[Change]:
        return missing(read_syncs(self.manifest), self.manifest, self.project)

    def obsolete(self) -> list[str]:
        return [each.path.name for each in obsolete(self.manifest, self.project) if each.kind == "remove"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Two syncs with generated models."""
    shop = Shop(tmp_path)
    shop.add("people", config=META)
    shop.add("pets", config=META)
    apply(shop.missing())
    shop.parse()
    return shop


PETS = ["pets.yml", "pets_delta.sql", "pets_sent_snapshot.sql"]


def test_written_files(shop: Shop) -> None:
    folder = shop.directory / "models" / "batch_sync"
    assert (folder / "pets_delta.sql").read_text().splitlines()[1] == "{{ dbt_batch_sync.delta('pets') }}"
    snapshot = (folder / "pets_sent_snapshot.sql").read_text()
    assert snapshot.splitlines()[1] == "{{ dbt_batch_sync.sent_snapshot('pets') }}"
    described = yaml.safe_load((folder / "pets.yml").read_text())["models"]
    assert [each["name"] for each in described] == ["pets_sent_snapshot", "pets_delta"]
    assert all(each["description"] for each in described)
    assert described[0]["columns"][0]["data_tests"] == ["not_null", "unique"]
    *_, similar = described[1]["columns"][0]["data_tests"]
    assert similar["dbt_batch_sync.batch_similar_identifiers"]["config"]["severity"] == "warn"
    written = yaml.safe_load((folder / "_batch_sync.yml").read_text())
    assert [each["name"] for each in written["exposures"]] == ["batch_people", "batch_pets"]
    (source,) = written["sources"]
    assert [each["name"] for each in source["tables"]] == [
        "batch_sync_journal",
        "batch_sync_rejects",
        "batch_sync_drift",
        "batch_sync_runs",
    ]
    for table in source["tables"]:
        assert all(each["name"] and each["description"] for each in table["columns"])


def test_nothing_is_written_twice(shop: Shop) -> None:
    assert shop.missing() == []
    (shop.directory / "models" / "batch_sync" / "pets.yml").unlink()
    assert shop.missing() == []


def test_deleted_models_are_written_again(shop: Shop) -> None:
    """The exposure would keep dbt from parsing without them, so the manifest still has them."""
    folder = shop.directory / "models" / "batch_sync"
    for name in PETS:
        (folder / name).unlink()
    assert sorted(each.path.name for each in shop.missing()) == PETS


def test_user_models_are_found_anywhere(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add("people", config=META)
    for suffix in ("delta", "sent_snapshot"):
        shop.refer(f"people_{suffix}", f"models/own/people_{suffix}.sql")
    assert [each.path.name for each in shop.missing()] == ["_batch_sync.yml"]


def test_user_yaml_is_kept(shop: Shop) -> None:
    (shop.directory / "models" / "batch_sync" / "_batch_sync.yml").write_text("version: 2\n")
    assert shop.missing() == []


def test_an_unmapped_sync_is_obsolete(shop: Shop) -> None:
    assert shop.obsolete() == []
    shop.add("pets")
    assert shop.obsolete() == PETS
    apply(obsolete(shop.manifest, shop.project))
    left = {path.name for path in (shop.directory / "models" / "batch_sync").iterdir()}
    assert left == {"_batch_sync.yml", "people.yml", "people_delta.sql", "people_sent_snapshot.sql"}
    assert "pets" not in (shop.directory / "models" / "batch_sync" / "_batch_sync.yml").read_text()


def test_a_removed_model_is_obsolete_even_if_still_in_the_manifest(shop: Shop) -> None:
    (shop.directory / "models" / "pets.sql").unlink()
    assert shop.obsolete() == PETS
    (shop.directory / "models" / "elsewhere").mkdir()
    (shop.directory / "models" / "elsewhere" / "pets.sql").write_text("select 1")
    assert shop.obsolete() == [], "the file was moved"


def test_user_models_are_never_obsolete(shop: Shop) -> None:
    own = shop.directory / "models" / "batch_sync" / "pets_delta.sql"
    own.write_text("select 1")
    shop.add("pets")
    assert "pets_delta.sql" not in shop.obsolete()


WHEN = "{{ target.name == 'prod' }}"


def test_an_active_mapping_from_anywhere_keeps_its_models(shop: Shop) -> None:
    """From `+meta` in dbt_project.yml, a package, a versioned or a disabled model: the manifest contains it."""
    del shop.nodes["model.shop.pets"]
    package = {**model("pets", None), "unique_id": "model.hub.pets", "package_name": "hub"}
    shop.nodes["model.hub.pets"] = {**package, "meta": META["meta"]}
    assert shop.obsolete() == []
    shop.nodes["model.hub.pets"] = package
    assert shop.obsolete() == PETS
    versioned = {"version": 2, "latest_version": 2, "unique_id": "model.shop.pets.v2", "config": META}
    shop.add("pets", "models/pets_v2.sql", **versioned)
    assert shop.obsolete() == []


@pytest.mark.parametrize(
    ("disabled", "gone"),
    [
        ({"unrendered_config": {"enabled": WHEN}}, []),
        (
            {"unrendered_config": {"enabled": False}, "raw_code": "{{ config(enabled=target.name == 'x') }}"},
            [],
        ),
        ({"unrendered_config": {"enabled": False}, "raw_code": "{{ config(enabled=false) }}"}, PETS),
        ({"unrendered_config": {"enabled": False}}, PETS),
        ({}, PETS),
    ],
)
def test_models_of_a_permanently_disabled_sync_are_removed(
    shop: Shop, disabled: Mapping[str, object], gone: list[str]
) -> None:
    """dbt can't use the delta of a disabled model. Models enabled for another target are kept."""
    del shop.nodes["model.shop.pets"]
    config = {"config": {**META, "enabled": False}}
    shop.disabled["model.shop.pets"] = [{**model("pets", None), **config, **disabled}]
    assert shop.obsolete() == gone


def test_models_inherit_enabled_and_group(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    config = {**META, "access": "private", "group": "crm"}
    shop.add("people", config=config, unrendered_config={"enabled": WHEN})
    apply(shop.missing())
    folder = tmp_path / "models" / "batch_sync"
    for each in yaml.safe_load((folder / "people.yml").read_text())["models"]:
        assert each["config"] == {"group": "crm", "enabled": WHEN}
    (exposure,) = yaml.safe_load((folder / "_batch_sync.yml").read_text())["exposures"]
    assert exposure["config"] == {"enabled": WHEN}
    shop.parse()
    node = shop.nodes.pop("model.shop.people")
    shop.disabled["model.shop.people"] = [{**node, "config": {**config, "enabled": False}}]
    assert shop.missing() == [], "another target should change nothing"
    shop.disabled["model.shop.cats"] = [{**node, "name": "cats", "config": {**config, "enabled": False}}]
    assert shop.missing() == [], "its models should be written under a target that enables it"


@pytest.mark.parametrize(
    ("kind", "noun", "arguments"),
    [
        ({"custom": ["a"]}, "profile", "'s'"),
        ({"kind": "audience", "audience": "vips"}, "member", "'s'"),
        ({"kind": "catalog", "catalog": "shop", "fields": ["a"]}, "item", "'s', key='item_id'"),
        ({"kind": "deletions", "confirm": "erase"}, "deletion", "'s'"),
    ],
)
def test_what_is_written_for_each_kind(
    tmp_path: Path, kind: Mapping[str, object], noun: str, arguments: str
) -> None:
    shop = Shop(tmp_path)
    shop.add("s", config={"meta": {"batch_sync": {"identifier": "id", **kind}}})
    apply(shop.missing())
    folder = tmp_path / "models" / "batch_sync"
    assert f"{{{{ dbt_batch_sync.delta({arguments}) }}}}" in (folder / "s_delta.sql").read_text()
    (exposure,) = yaml.safe_load((folder / "_batch_sync.yml").read_text())["exposures"]
    assert (exposure["label"], exposure["depends_on"]) == (f"Batch {noun}s of s", ["ref('s_delta')"])
    snapshot, _ = yaml.safe_load((folder / "s.yml").read_text())["models"]
    assert f"each {noun} of s" in snapshot["description"]


def test_a_version_is_pinned(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add("people", "models/people_v2.sql", config=META, version=2, latest_version=2)
    apply(shop.missing())
    body = (tmp_path / "models" / "batch_sync" / "people_delta.sql").read_text().splitlines()[1]
    assert body == "{{ dbt_batch_sync.delta('people', version='2') }}"


@pytest.mark.parametrize(
    ("delta", "version", "said"),
    [
        ("{{ dbt_batch_sync.delta('people') }}", "2", "the latest, 2, is synced"),
        ("{{ dbt_batch_sync.delta('people', key='id') }}", "2", "add version='2' in people_delta"),
        ("{{ dbt_batch_sync.delta('people', version='2') }}", "2", None),
        (
            "{{ dbt_batch_sync.delta('people', version = 1) }}",
            "1",
            "version 1 of `people` is synced, which is not",
        ),
        ("--placeholder--", "2", None),
        ("{{ dbt_batch_sync.delta('people') }}", None, None),
    ],
)
def test_versions_that_generated_models_follow(
    tmp_path: Path, delta: str, version: str | None, said: str | None
) -> None:
    """A model that became versioned after its models were generated, or has a new latest version."""
    shop = Shop(tmp_path)
    model_id = "model.shop.people" + (f".v{version}" if version else "")
    versioned = {"version": version, "latest_version": "2"} if version else {}
    shop.add("people", "models/people.sql", config=META, unique_id=model_id, **versioned)
    assert list(sync_notes(read_syncs(shop.manifest), None)) == [], "its models are written pinned"
    shop.add("people_delta", raw_code=delta, depends_on={"nodes": [model_id]})
    notes = list(sync_notes(read_syncs(shop.manifest), None))
    assert [said in each for each in notes if said] == [True] * bool(said), notes
    assert bool(notes) is bool(said)


def test_exposure_names_are_valid_in_dbt(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for name in ("a.b", "yes", "naïve", "1st $"):
        shop.add(name, config=META)
    apply(shop.missing())
    written = yaml.safe_load((tmp_path / "models" / "batch_sync" / "_batch_sync.yml").read_text())
    named = {each["name"]: each["depends_on"] for each in written["exposures"]}
    assert named == {
        "batch_1st_20__24_": ["ref('1st $_delta')"],
        "batch_a_2e_b": ["ref('a.b_delta')"],
        "batch_naïve": ["ref('naïve_delta')"],
        "batch_yes": ["ref('yes_delta')"],
    }


@pytest.mark.parametrize(
    ("target", "snapshots", "said"),
    [
        ("dev", "dev", "target.schema"),
        ("dev", "dev_crm", "target.schema ~ '_crm'"),
        ("dev", "elsewhere", "target.schema"),
        (None, "dev_crm", "target.schema"),
    ],
)
def test_the_ledger_source_follows_the_snapshots(
    tmp_path: Path, target: str | None, snapshots: str, said: str
) -> None:
    shop = Shop(tmp_path)
    shop.add("people", config=META)
    config = {"materialized": "sent_snapshot"}
    shop.refer("people_sent_snapshot", "models/p.sql", schema=snapshots, config=config)
    apply(missing(read_syncs(shop.manifest), shop.manifest, shop.project, target))
    written = yaml.safe_load((tmp_path / "models" / "batch_sync" / "_batch_sync.yml").read_text())
    assert f".get(target.name, {said}) if" in written["sources"][0]["schema"]


def test_a_user_defined_source_is_not_declared_twice(shop: Shop) -> None:
    source = {"resource_type": "source", "source_name": "batch_sync", "name": "batch_sync_runs"}
    shop.sources["source.shop.batch_sync.batch_sync_runs"] = {
        **source,
        "unique_id": "source.shop.batch_sync.batch_sync_runs",
        "original_file_path": "models/ledger.yml",
    }
    apply(shop.missing())
    written = yaml.safe_load((shop.directory / "models" / "batch_sync" / "_batch_sync.yml").read_text())
    assert set(written) == {"version", "exposures"}


def test_where_every_sync_is_disabled(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a target that enables none, what was generated is still up to date, and other verbs say why."""
    node = {**model("people", None), "config": {**META, "enabled": False}}
    when = {"unrendered_config": {"enabled": "{{ target.name == 'prod' }}"}}
    own = {name: each for name, each in shop.nodes.items() if name.startswith("model.shop.people_")}
    for path in (shop.directory / "models" / "batch_sync").glob("pets*"):
        path.unlink()
    shop.nodes = {}
    shop.disabled = {name: [{**dict(each), **when}] for name, each in own.items()}
    shop.disabled["model.shop.people"] = [{**node, **when}]
    (shop.directory / "dbt_project.yml").write_text("name: shop\n")
    (shop.directory / "target").mkdir()
    shop.manifest.path.rename(shop.directory / "target" / "manifest.json")
    monkeypatch.chdir(shop.directory)

    def call(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments)
        return done.exit_code, done.output + str(done.exception or "")

    assert call("generate")[0] == 0
    assert (
        "enabled: '{{ target.name == ''prod'' }}'"
        in (shop.directory / "models" / "batch_sync" / "_batch_sync.yml").read_text()
    )
    assert call("generate", "--check") == (0, "up to date\n")
    code, said = call("validate")
    assert code != 0
    assert "every model with `batch_sync` is disabled: `people`" in said
