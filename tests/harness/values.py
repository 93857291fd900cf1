"""Tests of edge cases in values and names, run on every warehouse."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from harness.quick import QuickProject

TWICE = datetime.fromisoformat("2024-10-27T00:30:00+00:00")
"""2:30 in Paris, which occurs again an hour later."""

NEVER = datetime(2024, 3, 31, 2, 30)
"""A local time that doesn't exist in Paris on that day."""

PAIRS = (
    *(("v", "v "), ("v  ", "v "), ("v", " v"), ("v", "v\t"), ("v\n", "v"), (" ", "  ")),
    *(("v", "V"), ("é", "e\u0301"), ("ß", "ss"), ("ﬁ", "fi"), ("ı", "i"), ("1", "01"), ("1", "1.0")),
    *(("NaN", "nan"), ("null", "NULL"), ("true", "True"), ("\\", "\\\\"), ("'", "''"), ("😀", "😁")),
)
"""Nearly equal texts: surrounding blanks, case, form of accents."""


def plain(attributes: Mapping[str, Any]) -> dict[str, object]:
    """A profile's values without the types."""
    return {name: each.value for name, each in attributes.items()}


class Values:
    """Inherited by `Behaviour`."""

    odd_names: ClassVar[Sequence[str]] = ("SELECT", "Émile's", "100% sure", "a.b", "with  two")
    """Column names that need quoting."""

    alike_ids: ClassVar[Sequence[str]] = ("a", "A", "a ", " a", "é", "e\u0301", "1", "01", "1.0", "'", "''")
    """Similar ids that this warehouse tells apart."""

    def in_zone(self, quick: QuickProject, zone: str) -> AbstractContextManager[None]:
        """Set the time zone of new sessions, on warehouses whose sessions have one."""
        return nullcontext()

    def test_comparison(self, quick: QuickProject) -> None:
        """Null differs from '', NaN equals NaN, −0 equals 0, 1.50 equals 1.5, times are instants, and similar
        texts differ.
        """
        columns = {
            "id": "text",
            "a": "text",
            "f": "double precision",
            "n": "numeric(12,3)",
            "t": "timestamptz",
        }
        quick.map({"identifier": "id", "custom": ["a", "f", "n", "t"]})
        spring = datetime.fromisoformat("2024-03-31T02:30:00+01:00")
        row = {"id": "x", "a": "v", "f": float("nan"), "n": Decimal("1.50"), "t": spring}
        texts = [{"id": f"p{n:02d}", "a": before} for n, (before, _) in enumerate(PAIRS)]
        quick.set_rows(columns, [row, {"id": "y", "f": 0.0}, *texts])
        quick.sync()
        assert plain(quick.profiles()["p00"]) == {"a": PAIRS[0][0]}
        same = {**row, "n": Decimal("1.5"), "t": datetime.fromisoformat("2024-03-31T01:30:00+00:00")}
        quick.set_rows(columns, [same, {"id": "y", "f": -0.0}, *texts])
        quick.build()
        assert quick.changes() == {}
        other = [{"id": f"p{n:02d}", "a": after} for n, (_, after) in enumerate(PAIRS)]
        changed = [{**same, "a": "V ", "n": Decimal("1.501")}, {"id": "y", "f": 0.0, "a": ""}]
        quick.set_rows(columns, [*changed, *other])
        quick.sync()
        assert quick.sent.attributes == {
            "x": {"a": "V ", "n": 1.501},
            "y": {"a": None},
            **{str(each["id"]): {"a": each["a"]} for each in other},
        }
        quick.build()
        assert quick.changes() == {}, "the merged snapshot differs from the model"

    def test_nearly_equal_ids(self, quick: QuickProject) -> None:
        """Each is a profile of its own in the delta, in Batch and in the snapshot."""
        rows = [{"id": name, "n": n} for n, name in enumerate(self.alike_ids)]
        quick.map({"identifier": "id", "custom": ["n"], "on_exit": "clear"})
        quick.set_rows({"id": "text", "n": "bigint"}, rows)
        assert quick.sync().inserts == len(rows)
        quick.set_rows({"id": "text", "n": "bigint"}, [{"id": rows[0]["id"], "n": -1}, *rows[2:]])
        quick.sync()
        assert quick.sent.attributes == {rows[0]["id"]: {"n": -1}, rows[1]["id"]: {"n": None}}
        quick.build()
        assert quick.changes() == {}
        held = {name: row["n"] for name, row in quick.snapshot().items()}
        assert held == {**{row["id"]: row["n"] for row in rows[2:]}, rows[0]["id"]: -1, rows[1]["id"]: None}

    def test_extreme_numbers(self, quick: QuickProject) -> None:
        """Infinity is compared and held back. Decimals are compared to the last digit, beyond a float's
        precision.
        """
        columns = {"id": "text", "f": "double precision", "n": "numeric(38,9)", "i": "bigint"}
        long, longer = (Decimal(f"12345678901234567890123456789.00000000{n}") for n in (1, 2))
        first = [
            {"id": "endless", "f": math.inf, "n": long, "i": 2**63 - 1},
            {"id": "finite", "f": 5e-324, "n": long.copy_negate(), "i": -(2**63)},
            {"id": "zero", "f": -0.0, "n": Decimal("0.000000000"), "i": 0},
        ]
        quick.map({"identifier": "id", "custom": ["f", "n", "i"]})
        quick.set_rows(columns, first)
        pushed = quick.sync()
        assert (pushed.status, quick.rejects()) == ("partial", {("endless", "f"): "not_finite"})
        assert plain(quick.profiles()["finite"]) == {"f": 5e-324, "n": -float(long), "i": -(2**63)}
        quick.build()
        assert quick.changes() == {}
        second = [
            {**first[0], "f": -math.inf, "n": longer, "i": 2**63 - 2},
            {**first[1], "f": 0.0, "n": longer.copy_negate()},
            {**first[2], "f": math.nan},
        ]
        quick.set_rows(columns, second)
        quick.build()
        assert quick.changes() == {
            "endless": ("update", "f,n,i"),
            "finite": ("update", "f,n"),
            "zero": ("update", "f"),
        }

    def test_daylight_saving_changes(self, quick: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
        """The repeated hour is two instants, a skipped hour is one, and session time zones never cause a
        change.
        """
        columns = {"id": "text", "t": "timestamptz", "u": "timestamp"}
        hour = timedelta(hours=1)
        rows = [
            {"id": "first", "t": TWICE, "u": TWICE.replace(tzinfo=None) + 2 * hour},
            {"id": "second", "t": TWICE + hour, "u": NEVER},
        ]
        quick.map({"identifier": "id", "custom": ["t", "u"]})
        quick.set_rows(columns, rows)
        with self.in_zone(quick, "Europe/Paris"):
            quick.build()
        assert quick.push_one().status == "succeeded"
        assert {name: plain(held) for name, held in quick.profiles().items()} == {
            "first": {"t": "2024-10-27T00:30:00Z", "u": "2024-10-27T02:30:00Z"},
            "second": {"t": "2024-10-27T01:30:00Z", "u": "2024-03-31T02:30:00Z"},
        }
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        try:
            with self.in_zone(quick, "America/New_York"):
                quick.build()
                assert quick.changes() == {}
            quick.set_rows(columns, [{**rows[0], "t": TWICE + hour}, {**rows[1], "u": NEVER + hour}])
            with self.in_zone(quick, "Europe/Paris"):
                quick.build()
        finally:
            monkeypatch.undo()
            time.tzset()
        assert quick.changes() == {"first": ("update", "t"), "second": ("update", "u")}

    def test_unusual_names(self, quick: QuickProject) -> None:
        """Of columns and of attributes, which are columns of the snapshot and the delta."""
        names = ["Customer Id", *self.odd_names]
        wanted = ("order", "user", "select", "table", "group")[: len(self.odd_names)]
        custom = [
            {"column": name, "name": name_there}
            for name, name_there in zip(self.odd_names, wanted, strict=True)
        ]
        quick.map({"identifier": "customer id", "custom": custom})
        row = {name: f"v{n}" for n, name in enumerate(names)}
        quick.set_rows(dict.fromkeys(names, "text"), [row])
        assert quick.sync().status == "succeeded"
        assert plain(quick.profiles()["v0"]) == {name: f"v{n}" for n, name in enumerate(wanted, 1)}
        quick.set_rows(dict.fromkeys(names, "text"), [{**row, "SELECT": "50%s"}])
        quick.sync()
        assert quick.sent.attributes == {"v0": {"order": "50%s"}}
