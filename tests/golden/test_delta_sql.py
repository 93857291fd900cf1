"""The SQL that dbt makes of `delta` and `sent_snapshot`, as recorded in `macros/duckdb/*.sql`.

dbt itself compiles and runs it; only the delta's id and the database's directory are replaced. Those of other
warehouses are recorded where their adapter is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.faulty_sandbox import FaultyServer
from harness.goldens import CUSTOM, MODELS, SYNCS, build, check, parse, recorded
from harness.project import Project

from dbt_batch_sync.kinds.attributes import AttributeType
from dbt_batch_sync.mapping.mapping import OnExit
from dbt_batch_sync.warehouse import SUPPORTED_ADAPTERS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """All syncs, built once with dbt."""
    with FaultyServer() as sandbox:
        project = Project(tmp_path_factory.mktemp("golden"), sandbox)
        build(project, {})
        yield project


def test_every_kind_of_attribute_is_in_it() -> None:
    types = {each.get("type") for each in CUSTOM if isinstance(each, dict)}
    assert {kind.value for kind in AttributeType} <= types
    assert {mapping["on_exit"] for mapping in SYNCS.values()} == {policy.value for policy in OnExit}


@pytest.mark.parametrize("model", MODELS)
def test_compiled_models(built: Project, model: str) -> None:
    check(built, model, "duckdb")


def test_every_warehouse_is_recorded() -> None:
    """Each model of each; the suite of each holds it against what dbt compiles there."""
    assert {(path.parent.name, path.stem) for path in recorded()} == {
        (adapter, model) for adapter in SUPPORTED_ADAPTERS for model in MODELS
    }


@pytest.mark.parametrize("path", recorded(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_recorded_parses(path: Path) -> None:
    assert path.stem in MODELS, "no such model any more"
    parse(path.read_text(encoding="utf-8"), path.parent.name)


@pytest.mark.parametrize("sync", SYNCS)
def test_what_was_compiled_ran(built: Project, sync: str) -> None:
    rows = built.delta(sync)
    assert [(row["custom_id"], row["_batch_change"]) for row in rows] == [("a", "insert"), ("b", "insert")]
    assert {row["_batch_mapping"] for row in rows}.isdisjoint({None})
    assert built.snapshot(sync) == {}
