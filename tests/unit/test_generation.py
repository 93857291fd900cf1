"""`generate`: what it writes, and that it never removes the models of a live mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from harness.manifests import model

from dbt_batch_sync.artifacts.manifest import Manifest, read_manifest
from dbt_batch_sync.connections.profiles import Project
from dbt_batch_sync.mapping.syncs import read_syncs
from dbt_batch_sync.scaffold.generation import Change, apply, missing, obsolete

META = {"meta": {"batch_sync": {"identifier": "id", "custom": ["a"]}}}


class Shop:
    """A project's files and the manifest that dbt would have written last."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nodes: dict[str, Mapping[str, object]] = {}
        self.disabled: dict[str, Sequence[Mapping[str, object]]] = {}
        self.project = Project(directory, "shop", "shop", directory / "target", (directory / "models",))

    def add(self, name: str, path: str | None = None, **keys: object) -> None:
        path = path or f"models/{name}.sql"
        node = {**model(name, None), "original_file_path": path, **keys}
        self.nodes[str(node["unique_id"])] = node
        if node["package_name"] == "shop" and not (self.directory / path).exists():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text("select 1")

    def parse(self) -> None:
        """As `dbt parse` does for the models that `generate` has written."""
        for path in (self.directory / "models" / "batch_sync").glob("*.sql"):
            self.add(path.stem, f"models/batch_sync/{path.name}")

    @property
    def manifest(self) -> Manifest:
        path = self.directory / "manifest.json"
        document = {"metadata": {"project_name": "shop"}, "nodes": self.nodes, "disabled": self.disabled}
        path.write_text(json.dumps(document))
        return read_manifest(path)

    def missing(self) -> list[Change]:
        return missing(read_syncs(self.manifest), self.manifest, self.project)

    def obsolete(self) -> list[str]:
        return [each.path.name for each in obsolete(self.manifest, self.project) if each.kind == "remove"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Two syncs whose models are generated."""
    shop = Shop(tmp_path)
    shop.add("people", config=META)
    shop.add("pets", config=META)
    apply(shop.missing())
    shop.parse()
    return shop


PETS = ["pets.yml", "pets_delta.sql", "pets_sent_snapshot.sql"]


def test_what_is_written(shop: Shop) -> None:
    folder = shop.directory / "models" / "batch_sync"
    assert (folder / "pets_delta.sql").read_text().splitlines()[1] == "{{ dbt_batch_sync.delta('pets') }}"
    snapshot = (folder / "pets_sent_snapshot.sql").read_text()
    assert snapshot.splitlines()[1] == "{{ dbt_batch_sync.sent_snapshot('pets') }}"
    described = yaml.safe_load((folder / "pets.yml").read_text())["models"]
    assert [each["name"] for each in described] == ["pets_sent_snapshot", "pets_delta"]
    assert all(each["description"] for each in described)
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


def test_models_of_the_users_are_found_wherever_they_lie(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add("people", config=META)
    for suffix in ("delta", "sent_snapshot"):
        shop.add(f"people_{suffix}", f"models/own/people_{suffix}.sql")
    assert [each.path.name for each in shop.missing()] == ["_batch_sync.yml"]


def test_a_yaml_of_the_users_stays(shop: Shop) -> None:
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


def test_a_removed_model_is_obsolete_though_the_manifest_still_has_it(shop: Shop) -> None:
    (shop.directory / "models" / "pets.sql").unlink()
    assert shop.obsolete() == PETS
    (shop.directory / "models" / "elsewhere").mkdir()
    (shop.directory / "models" / "elsewhere" / "pets.sql").write_text("select 1")
    assert shop.obsolete() == [], "it was moved"


def test_models_of_the_users_are_never_obsolete(shop: Shop) -> None:
    own = shop.directory / "models" / "batch_sync" / "pets_delta.sql"
    own.write_text("select 1")
    shop.add("pets")
    assert "pets_delta.sql" not in shop.obsolete()


def test_a_live_mapping_from_anywhere_keeps_its_models(shop: Shop) -> None:
    """From `+meta` of dbt_project.yml, a package, a versioned or a disabled model: the manifest has it."""
    del shop.nodes["model.shop.pets"]
    package = {**model("pets", None), "unique_id": "model.hub.pets", "package_name": "hub"}
    shop.nodes["model.hub.pets"] = {**package, "meta": META["meta"]}
    assert shop.obsolete() == []
    shop.nodes["model.hub.pets"] = package
    assert shop.obsolete() == PETS
    shop.disabled["model.shop.pets"] = [{**model("pets", None), "config": META}]
    assert shop.obsolete() == []
    shop.disabled.clear()
    versioned = {"version": 2, "latest_version": 2, "unique_id": "model.shop.pets.v2", "config": META}
    shop.add("pets", "models/pets_v2.sql", **versioned)
    assert shop.obsolete() == []
