"""A plan's counts, masked samples and time estimates."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from harness.hand_built import MAPPING, HandBuilt, output
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.kinds.profiles import MASS_UPDATE, PROFILES, UPDATE
from dbt_batch_sync.push.masking import mask
from dbt_batch_sync.push.plan import Planned, check_planned, plan_sync, seconds_at_rate
from dbt_batch_sync.results.look import Flapping, SyncPlanned

DOT = "•"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ("", "''"),
        ("a", DOT),
        ("ab", DOT * 2),
        ("abc", f"a{DOT * 2}"),
        ("jane@b.co", f"j{DOT * 8}"),
        ("jane@b.com", f"j{DOT * 8} (10)"),
        ("é" * 300, f"é{DOT * 8} (300)"),
        (0, "0"),
        (-5, "-5"),
        (12.5, "12.5"),
        (9_999_999, "9999999"),
        (33612345678, f"3{DOT * 8} (11)"),
        (Decimal(33612345678), f"3{DOT * 8} (11)"),
        (33612345678.0, f"3{DOT * 8} (13)"),
        (math.inf, "inf"),
        (Decimal("1234567890.5"), "1234567890.5"),
        (date(2026, 7, 20), "2026-07-20"),
        (datetime(2026, 7, 20, 1, 2, 3), "2026-07-20 01:02:03"),
        ([], "[0 items]"),
        (["secret", None], "[2 items]"),
        (("secret",), "[1 items]"),
    ],
)
def test_mask(value: object, shown: str) -> None:
    assert mask(value) == shown


@given(st.text(alphabet=st.characters(exclude_characters=DOT), min_size=1, max_size=400))
def test_a_text_shows_its_first_character_and_its_size(text: str) -> None:
    shown = mask(text)
    size = f" ({len(text)})" if len(text) > 9 else ""
    assert shown.endswith(size)
    head = shown.removesuffix(size)
    assert head.replace(DOT, "") in ("", text[:1])
    assert len(head) <= 9


@given(
    st.one_of(
        st.uuids(), st.binary(max_size=40), st.times(),
        st.dictionaries(st.text(), st.text(), max_size=2), st.sets(st.integers(), max_size=4),
    )
)  # fmt: skip
def test_other_values_are_masked_like_their_text(value: object) -> None:
    assert mask(value) == mask(str(value))


@given(st.lists(st.text(min_size=3), max_size=30))
def test_a_list_shows_nothing_of_its_items(items: list[str]) -> None:
    assert mask(items) == mask(tuple(items)) == f"[{len(items)} items]"


@pytest.mark.parametrize(
    ("attribute", "value", "masked"),
    [
        ("batch__email_marketing", "unsubscribed", "unsubscribed"),
        ("batch__language", "fr", "fr"),
        ("batch__phone_number", 33199000661, f"3{DOT * 8} (11)"),
        ("batch__email_address", "a@b.example", f"a{DOT * 8} (11)"),
        ("plan", "unsubscribed", f"u{DOT * 8} (12)"),
    ],
)
def test_vocabulary_words_are_shown_and_addresses_never(attribute: str, value: object, masked: str) -> None:
    assert mask(value, attribute) == masked
    assert mask(value, attribute, show=True) == str(value)


@pytest.mark.parametrize(
    ("profiles", "endpoint", "given_rate", "seconds"),
    [
        # 300 per second after a burst of 1,000 minus one call, at 99 %.
        (0, UPDATE, None, 0.0),
        (800, UPDATE, None, 0.0),
        (1_097, UPDATE, None, 1.0),
        (10_000, UPDATE, None, 31.0),
        # 10,000 per second; the first call is immediate.
        (10_000, MASS_UPDATE, None, 0.5),
        (19_900, MASS_UPDATE, None, 1.5),
        (1_000_000, MASS_UPDATE, None, 100.5),
        # A custom rate, with an initial burst of one call or one second.
        (1_200, UPDATE, 100.0, 10.0),
        (1_200, UPDATE, 500.0, 1.4),
        (1_000_000, UPDATE, 0.0, 0.0),
        (10_001, MASS_UPDATE, 0.5, 10_002.0),
    ],
)
def test_seconds_at_rate(profiles: int, endpoint: Route, given_rate: float | None, seconds: float) -> None:
    assert seconds_at_rate(profiles, endpoint, given_rate) == seconds


@pytest.fixture
def shop(tmp_path: Path) -> HandBuilt:
    return HandBuilt(tmp_path)


def plan(shop: HandBuilt, **changes: Any) -> SyncPlanned:
    (known,) = shop.known()
    return plan_sync(shop.warehouse, known, output(**changes))


ROWS = (
    ("a", "insert", "name,points", {"name": "Anna", "points": 12}),
    ("b", "update", "name", {"name": "Bertram"}),
    ("c", "update", "", {"_batch_reason": "never_resubscribe:batch__email_marketing"}),
    ("d", "exit", "name,points", {}),
    ("e", "invalid", "", {"_batch_reason": "parked"}),
    ("f", "invalid", "", {"_batch_reason": "duplicate_identifier"}),
    (None, "invalid", "", {"_batch_reason": "null_identifier"}),
    (None, "invalid", "", {"_batch_reason": "null_identifier"}),
)


def test_pending_counts(shop: HandBuilt) -> None:
    shop.insert("people_sent_snapshot", {"custom_id": "b", "name": "Bert", "points": 7})
    shop.build(*ROWS)
    shop.insert("people_delta", {"custom_id": "z", "_batch_change": "insert", "_batch_delta_id": "another"})
    found = plan(shop)
    assert (found.inserts, found.updates, found.exits, found.invalid, found.parked) == (1, 2, 1, 3, 1)
    assert found.invalid_reasons == {"duplicate_identifier": 1, "null_identifier": 2}
    assert (found.attributes, found.resubscriptions) == ({"name": 3, "points": 2}, 1)
    assert (found.delta_id, found.endpoint, found.requests) == ("d1", "update", 1)
    assert (found.stops, found.guards, found.flapping) == ((), (), ())
    shown = [(each.key, each.change, each.attribute, each.old, each.new) for each in found.samples]
    assert shown[0] == (f"{DOT} #1", "update", "name", f"B{DOT * 3}", f"B{DOT * 6}")
    assert sorted(shown[1:]) == [
        (f"{DOT} #2", "insert", "name", "null", f"A{DOT * 3}"),
        (f"{DOT} #2", "insert", "points", "null", "12"),
        (f"{DOT} #3", "exit", "name", "null", "null"),
        (f"{DOT} #3", "exit", "points", "null", "null"),
    ]


@pytest.mark.parametrize(
    ("page", "key", "left"),
    [
        (0, None, (0, 1, 1)),
        (0, "b", (0, 1, 1)),
        (-1, "a", (0, 2, 1)),
        (-1, "b", (0, 1, 1)),
        (0, "c", (0, 0, 1)),
        (1, None, (0, 0, 0)),
        (3, None, (0, 0, 0)),
    ],
)
def test_settled_rows_are_not_counted(
    shop: HandBuilt, page: int, key: str | None, left: tuple[int, int, int]
) -> None:
    shop.build(*ROWS)
    shop.add("checkpoint", run_id="r0", delta_id="d0", page=99)
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=page, key=key)
    shop.ended(rejected_rows=2)
    found = plan(shop)
    assert (found.inserts, found.updates, found.exits) == left
    assert (found.invalid, found.parked) == (3, 1 + 2), "they should wait for another build"
    assert found.requests == (0 if left == (0, 0, 0) else 1)


def test_an_empty_delta(shop: HandBuilt) -> None:
    shop.build()
    assert plan(shop) == SyncPlanned("people", None, "sandbox", mapping=shop.sync().mapping.hash)


@pytest.mark.parametrize(
    ("built", "outputs", "said"),
    [
        ({"mode": "empty"}, {}, "built with `--empty`, which is never pushed. Run: dbt run --select people "),
        ({"mode": "sample"}, {}, "built with `--sample`"),
        ({"mapping_hash": "old"}, {}, "the mapping of `people` has changed since its delta was built. Run: "),
        (
            {},
            {"only_from": ("prod",)},
            "only deltas of the dbt targets prod (`only_from`), and dbt built this",
        ),
        ({}, {"project_key": "another"}, "another Batch project than that of output `sandbox`"),
    ],
)
def test_reasons_that_would_stop_a_push(
    shop: HandBuilt, built: dict[str, Any], outputs: dict[str, Any], said: str
) -> None:
    shop.add("intent", run_id="r0", delta_id="d0", page=0, project_hash=output().project_hash)
    shop.build(*ROWS, **built)
    (stop,) = plan(shop, **outputs).stops
    assert said in stop
    assert plan(shop, **outputs).updates == 2, "it should be counted all the same"


def test_a_delta_that_is_being_built_or_was_never_built(shop: HandBuilt) -> None:
    (stop,) = plan(shop).stops
    assert "dbt has not built the delta of `people` yet. Run: dbt run --select people " in stop
    shop.build(*ROWS)
    shop.add("building", delta_id="d2")
    (stop,) = plan(shop).stops
    assert "dbt is building the delta of `people`, or a dbt run of it failed" in stop
    shop.build(*ROWS, delta_id="d2")
    assert plan(shop).stops == ()


def test_a_replaced_delta(shop: HandBuilt) -> None:
    shop.build(*ROWS)
    assert plan(shop).stops == ()
    shop.execute("delete from people_delta where custom_id = 'a'")
    (stop,) = plan(shop).stops
    assert "people_delta is not the delta that dbt built last: it was replaced or altered. Run: dbt" in stop
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=0)
    assert plan(shop).stops == (), "the row should be settled"
    shop.execute("update people_delta set _batch_delta_id = 'another'")
    assert "replaced" in plan(shop).stops[0]


@pytest.mark.parametrize(
    ("guards", "built", "said"),
    [
        ({}, {"model_rows": 0}, "the model had 0 rows when its delta was built, and `min_rows` is 1"),
        ({"min_rows": 101}, {}, "the model had 100 rows"),
        ({"max_change_ratio": 0.03}, {}, "4 profiles would change, 4.0% of the 100 known ones, and"),
        ({"max_change_ratio": 0.04}, {}, None),
        ({"max_exit_ratio": 0.005}, {}, "1 profile would leave, 1.0% of the 100 known ones, and"),
        ({"max_exit_ratio": 0.5}, {"known_rows": 0}, None),
        ({"min_rows": 0}, {"known_rows": 1, "model_rows": 0}, "every known profile would leave"),
    ],
)
def test_guards_use_the_counts_of_dbt(
    tmp_path: Path, guards: dict[str, Any], built: dict[str, Any], said: str | None
) -> None:
    shop = HandBuilt(tmp_path, {**MAPPING, "guards": guards})
    shop.build(*ROWS, **built)
    found = plan(shop).guards
    assert found == () if said is None else said in found[0]


def test_flapping(shop: HandBuilt) -> None:
    names = [f"p{number:02}" for number in range(12)]
    held = ({"custom_id": name, "points": 1, "_batch_delta_id": "d1"} for name in names)
    shop.insert("people_sent_snapshot", *held)
    shop.ended("r0", "d0", accepted=500, settled=500)
    shop.ended("r1", "d1", accepted=5, settled=5, status="interrupted")
    shop.ended("r2", "d1", accepted=7, settled=7)
    changes = [(name, "update", "name,points" if name < "p04" else "name", {}) for name in names]
    shop.build(*changes, delta_id="d2")
    assert plan(shop).flapping == (Flapping("points", 4, 12),), "`name` had no value before"
    for doubt, again in ((",name,", 4), (",name,,points,", 0)):
        shop.execute(f"update people_sent_snapshot set _batch_doubt = '{doubt}'")
        assert [each.again for each in plan(shop).flapping] == ([again] if again else [])
    shop.execute("update people_sent_snapshot set _batch_doubt = null")
    shop.add("checkpoint", run_id="r3", delta_id="d2", page=0)
    assert plan(shop).flapping == (), "2 of 12"


def test_the_endpoint_depends_on_the_number_of_rows() -> None:
    assert [PROFILES.route("auto", rows) for rows in (0, 10_000, 10_001)] == [UPDATE, UPDATE, MASS_UPDATE]
    assert PROFILES.route("mass-update", 1) is MASS_UPDATE


def test_a_push_is_held_to_its_plan(shop: HandBuilt) -> None:
    def check(planned: Planned) -> None:
        (known,) = shop.known()
        check_planned(shop.sync(), known.state, {planned.sync: planned})

    mapping = shop.sync().mapping.hash
    shop.build(*ROWS)
    check(Planned("people", mapping, "d1"))
    shop.add("checkpoint", run_id="r1", delta_id="d1", page=0)
    check(Planned("people", mapping, "d1"))
    with pytest.raises(Stopped, match=r"Planned: delta_id d0, now d1\. Make a new plan"):
        check(Planned("people", mapping, "d0"))
    with pytest.raises(Stopped, match="Planned: mapping old, now"):
        check(Planned("people", "old", "d1"))
    with pytest.raises(Stopped, match="does not contain the sync `people`"):
        check(Planned("vips", mapping, "d1"))
    shop.build(delta_id="d2")
    check(Planned("people", mapping, None))
    with pytest.raises(Stopped, match="delta_id d1, now None"):
        check(Planned("people", mapping, "d1"))
