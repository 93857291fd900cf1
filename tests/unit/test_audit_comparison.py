"""Comparing an export with what a sync believes, whatever its attributes are called."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dbt_batch_sync.audit.comparison import Comparison
from dbt_batch_sync.errors import DeliveryError
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
    comparison.add_exported(file)
    comparison.check()
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


DAY = "2020-01-02T00:00:00Z"
MOMENT = datetime(2020, 1, 2)
SECONDS = 1577923200


@pytest.mark.parametrize(
    ("kind", "ours", "equal", "others"),
    [
        ("string", "5", ["5"], [5, 5.0, "5.0", ["5"], {"a": 5}]),
        ("string", "true", ["true"], [True, "True"]),
        ("string", "[1]", ["[1]"], [[1]]),
        ("string", 'a"é', ['a"é'], ["a", '"a"é']),
        ("string", None, [None, "", []], ["null", 0, False]),
        ("url", "https://x.io", ["https://x.io"], ["https://x.io/"]),
        ("integer", 5, [5, 5.0, "5", "5.0", "5e0"], [5.0000000001, "5.0000000001", 5.5, True, [5], "5_0", "x"]),
        ("integer", 1500, [1500.0, "1.5e3", "1.5E+3"], ["1.5e2"]),
        ("integer", 2**63 - 1, [2**63 - 1, str(2**63 - 1)], [2**63 - 2, 2**63, 2.0**63]),
        ("integer", 1, [1], [True, "true", "t"]),
        ("integer", 0, [0, "-0"], [None, False, 0.4]),
        ("float", 5.0, [5, 5.0, "5", "5.0", "5e0"], [5.0000000001, True, "inf", "1_000"]),
        ("float", 0.1, [0.1, "0.1", "1e-1"], [0.10000000000000002]),
        ("float", 1000.0, [1000, "1e3"], ["1_000"]),
        ("boolean", True, [True, "true"], [1, 1.0, "1", "yes", "t", "y", False, "false"]),
        ("boolean", False, [False, "false"], [0, "0", "no", "f", None]),
        (
            "date",
            MOMENT,
            [DAY, "2020-01-02", "2020-01-02 00:00:00", "2020-01-02T01:00:00+01:00", "2020-01-02T00:00:00.000Z",
             SECONDS, float(SECONDS), SECONDS * 1000, str(SECONDS), f"{SECONDS}.0", "1.5779232e9"],
            [SECONDS + 1, SECONDS + 0.5, "2020-01-02T00:00:00.5Z", "2020-01-03", True, "x", SECONDS * 10,
             f"#{SECONDS}"],
        ),
        ("date", date(1970, 1, 1), [0, 0.0, "1970-01-01"], ["epoch", 1, False]),
        (
            "string_array",
            ["1", "2"],
            [["1", "2"], ["2", "1", "1"], '["2", "1"]'],
            [[1, 2], "[1, 2]", ["1", 2], ["1"], ["1", "2", None], "1", ["1", ["2"]]],
        ),
        ("string_array", None, [None, "", [], "[]"], [["a"], [1], "a"]),
        ("string_array", ["true"], [["true"]], [[True], "true"]),
    ],
)  # fmt: skip
def test_which_values_are_equal(
    tmp_path: Path, kind: str, ours: Any, equal: list[Any], others: list[Any]
) -> None:
    """Each exported value in a profile, and all of them in one."""
    values = [*equal, *others]
    names = [f"a{n}" for n in range(len(values))]
    together = dict(zip(names, values, strict=True))
    profiles = {"all": together} | {name: {"a0": value} for name, value in together.items()}
    lines = ({"identifiers": {"custom_id": key}, "attributes": each} for key, each in profiles.items())
    file = tmp_path / "file.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    comparison = Comparison(tmp_path, names)
    comparison.add_exported(file)
    types = {"string_array": pa.list_(pa.string()), "url": pa.string(), "string": pa.string()}
    own = {"_batch_run_id": "r", "_batch_doubt": None, "_batch_gone": False}
    rows = pa.Table.from_pylist([{KEY: key, **own} for key in profiles])
    alone = pa.array([ours] * len(profiles), types.get(kind))
    for name in names:
        given = alone if name == "a0" else pa.array([ours, *[None] * len(names)], alone.type)
        rows = rows.append_column(name, given)
    with comparison.of_sync(parse_types(",".join(f"{name}:{kind}" for name in names))) as believed:
        believed.add("held", rows)
        believed.settle(0, [], OnExit.IGNORE)
        believed.compare([], None)
        found = comparison.connection.execute("select key, attribute from found").fetchall()
    comparison.close()
    assert [together[name] for name in names if ("all", name) in found] == others
    assert [together[name] for name in names if (name, "a0") in found or (name, None) in found] == others


GOOD = b'{"identifiers": {"custom_id": "C-1"}, "attributes": {"a": 1}}\n'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (GOOD + GOOD[:30], "one JSON object a line"),
        (b"[" + GOOD.strip() + b"]", "one JSON object a line"),
        (GOOD.replace(b"1}}", b'"\xff"}}'), "in UTF-8"),
        (GOOD.replace(b'{"a": 1}', b"[1]"), "one JSON object a line"),
        (GOOD.replace(b"attributes", b"data"), "no profile has `attributes`"),
        (GOOD.replace(b'"C-1"', b'{"value": "C-1"}'), "a custom_id is not a text"),
        (GOOD.replace(b'"C-1"', b"1"), "a custom_id is not a text"),
        (GOOD.replace(b"identifiers", b"ids"), "no profile has a custom_id"),
        (GOOD.replace(b"custom_id", b"installation"), "no profile has a custom_id"),
    ],
)
def test_an_unexpected_format_is_an_error(tmp_path: Path, lines: bytes, words: str) -> None:
    comparison = Comparison(tmp_path, ["a"])
    file = tmp_path / "file.jsonl"
    file.write_bytes(lines)

    def load() -> None:
        comparison.add_exported(file)
        comparison.check()

    with pytest.raises(DeliveryError, match=words) as raised:
        load()
    assert "C-1" not in str(raised.value)
    comparison.close()


def test_profiles_without_values_are_no_error(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, ["a"])
    file = tmp_path / "file.jsonl"
    for lines in (b"", GOOD.replace(b'{"a": 1}', b"{}"), GOOD.replace(b', "attributes": {"a": 1}', b"")):
        file.write_bytes(lines)
        comparison.add_exported(file)
        comparison.check()
    comparison.close()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    comparison = Comparison(tmp_path, ["a"])
    comparison.run("set max_temp_directory_size = '0KB'")
    comparison.run("set memory_limit = '20MB'")
    with pytest.raises(DeliveryError, match="TMPDIR"), comparison.of_sync(parse_types("a:string")):
        comparison.run("create temp table large as select md5(range::varchar) from range(5000000)")
    comparison.close()
