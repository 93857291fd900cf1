"""Comparing an export with what a sync believes, whatever its attributes are called."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from dbt_batch_sync.audit.comparison import Comparison
from dbt_batch_sync.kinds.attributes import KEY, parse_types
from dbt_batch_sync.mapping.mapping import OnExit

NAMES = ("key", "note", "gone", "reason", "attribute")


def held(*keys: str, run: str = "r1", doubt: str | None = None, gone: bool = False) -> pa.Table:
    own = {"_batch_run_id": run, "_batch_doubt": doubt, "_batch_gone": gone}
    return pa.Table.from_pylist([{KEY: key, **own, **dict.fromkeys(NAMES, "ours")} for key in keys])


def queued(key: str, change: str, changed: str, *, page: int = 0, settled: bool = True) -> pa.Table:
    own = {"change": change, "changed": changed, "reason": None, "page": page, "settled": settled}
    cells = {f"_batch_{name}": cell for name, cell in own.items()}
    return pa.Table.from_pylist([{KEY: key, **cells, **dict.fromkeys(NAMES, "newer")}])


def test_what_differs_and_why(tmp_path: Path) -> None:
    exported = {
        "same": "ours",
        "edited": "theirs",
        "doubted": "theirs",
        "since": "theirs",
        "sent": "newer",
        "late": "theirs",
        "queued": "theirs",
        "rejected": "theirs",
        "left": "theirs",
        "stranger": "theirs",
    }
    lines = (
        {"identifiers": {"custom_id": key}, "attributes": dict.fromkeys(NAMES, value)}
        for key, value in exported.items()
    )
    file = tmp_path / "file.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    comparison = Comparison(tmp_path, NAMES)
    assert comparison.add_exported(file) == 0
    with comparison.of_sync(parse_types(",".join(f"{name}:string" for name in NAMES))) as believed:
        believed.add("held", held("same", "edited", "sent", "queued", "rejected", "lost"))
        believed.add("held", held("doubted", doubt="note,gone"))
        believed.add("held", held("since", run="r2"))
        believed.add("held", held("left", gone=True))
        believed.add("queued", queued("sent", "update", ",".join(NAMES)))
        believed.add("queued", queued("late", "insert", "key", page=1))
        believed.add("queued", queued("queued", "update", "reason", settled=False))
        believed.add("rejected", pa.table({KEY: ["rejected"], "_batch_attribute": ["key"]}))
        believed.settle(0, ["r2"], OnExit.IGNORE)
        believed.compare([], None)
        found = {
            (attribute, difference, why): count for attribute, difference, why, count in believed.counts()
        }
        assert {cell[2] for cell in found} == {
            None,
            "in_doubt",
            "changed",
            "pending",
            "rejected",
            "exited",
        }
        assert found[None, "missing_profile", None] == found[None, "unknown_profile", None] == 1
        # The edited one, and the others' attributes for which nothing is expected.
        assert found["key", "other_value", None] == 3
        assert found["note", "other_value", "in_doubt"] == found["reason", "other_value", "pending"] == 1
        assert found["key", "other_value", "changed"] == 2
        assert (believed.rows, believed.drifted()) == (10, 5)
    comparison.close()
