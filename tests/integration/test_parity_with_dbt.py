"""Logic that reimplements dbt's is compared with dbt itself."""

from __future__ import annotations

import pytest
from dbt.config.renderer import ProfileRenderer
from dbt.context.base import BaseContext
from dbt_common.context import set_invocation_context
from harness.templates import ENVIRON, SAME, VARIABLES

from dbt_batch_sync.mapping.mapping_reader import parse_mapping

METAS: list[dict[str, object]] = [
    {"identifier": "id", "custom": "all"},
    {"kind": "profiles", "identifier": "é", "custom": [{"column": "ÀB", "name": "x"}]},
    {"identifier": "id", "custom": ["a"], "membership": "m", "on_exit": "flag", "on_null": "keep"},
]


@pytest.mark.parametrize(("value", "rendered"), SAME, ids=lambda value: repr(value)[:60])
def test_templates_render_as_in_dbt(value: object, rendered: object) -> None:
    set_invocation_context(ENVIRON)
    assert ProfileRenderer(dict(VARIABLES)).render_data(value) == rendered


@pytest.mark.parametrize("meta", METAS)
def test_mappings_hash_as_in_dbt(meta: dict[str, object]) -> None:
    left = {"guards": {"min_rows": 5}, "endpoint": "update", "output": "prod"}
    mapping = parse_mapping("s", {**meta, **left}, "f.yml")
    assert BaseContext.local_md5(BaseContext.tojson(meta, sort_keys=True)) == mapping.hash
