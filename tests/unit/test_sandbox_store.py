"""Profiles: upserts, deletions, types, arrays, and persistence in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.sandbox.operations import read_operation
from dbt_batch_sync.sandbox.search import parse
from dbt_batch_sync.sandbox.store import ProfileStore
from dbt_batch_sync.sandbox.values import ArrayChange, Refusal, TypedValue

NOW, LATER = "2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00"


def write(
    store: ProfileStore, values: dict[str, object], custom_id: str = "jane", now: str = NOW
) -> list[tuple[int, Refusal]]:
    operation = read_operation({"identifiers": {"custom_id": custom_id}, "attributes": values})
    return store.apply([(0, operation)], now)


@pytest.fixture
def store() -> ProfileStore:
    return ProfileStore()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profiles.db"


@pytest.mark.parametrize(
    ("writes", "held"),
    [
        ([{"a": 1}, {"b": 2}], {"a": ("integer", 1), "b": ("integer", 2)}),
        ([{"a": 1}, {"a": 2}], {"a": ("integer", 2)}),
        ([{"a": 1}, {"a": None}], {}),
        ([{"a": None}], {}),
        ([{"a": 1, "b": 1}, {"a": None, "b": 2}], {"b": ("integer", 2)}),
        ([{"a": 1}, {"a": 1.0}], {"a": ("float", 1.0)}),
        ([{"a": 1}, {"a": True}], {"a": ("boolean", True)}),
        (
            [{"a": "2024-01-01T00:00:00Z"}, {"date(a)": "2024-01-01T00:00:00Z"}],
            {"a": ("date", "2024-01-01T00:00:00Z")},
        ),
        ([{"date(a)": "2024-01-01T00:00:00Z"}, {"a": None}], {}),
        ([{"url(a)": "https://e.com"}, {"a": "https://e.com"}], {"a": ("string", "https://e.com")}),
        ([{"a": ["x", "y"]}, {"a": ["z"]}], {"a": ("string_array", ("z",))}),
        ([{"a": ["x", "y"]}, {"a": {"$add": ["y", "z"]}}], {"a": ("string_array", ("x", "y", "z"))}),
        ([{"a": ["x", "y"]}, {"a": {"$remove": ["x", "w"]}}], {"a": ("string_array", ("y",))}),
        ([{"a": ["x"]}, {"a": {"$add": ["y"], "$remove": ["x"]}}], {"a": ("string_array", ("y",))}),
        ([{"a": {"$add": ["x", "x"]}}], {"a": ("string_array", ("x",))}),
        ([{"a": ["x"]}, {"a": {"$remove": ["x"]}}], {}),
        ([{"a": "x"}, {"a": {"$add": ["y"]}}], {"a": ("string_array", ("y",))}),
        ([{"$language": "fr"}, {"$language": None}], {}),
        ([{}], {}),
    ],
)
def test_writes_in_order(
    store: ProfileStore, writes: list[dict[str, object]], held: dict[str, tuple[str, object]]
) -> None:
    for values in writes:
        assert write(store, values) == []
    assert store.profiles["jane"].attributes == held
    assert store.profiles["jane"].operations == len(writes)


def test_the_type_is_part_of_a_value() -> None:
    values = [TypedValue("integer", 1), TypedValue("float", 1.0), TypedValue("boolean", True)]
    assert len(set(values)) == 3


def test_an_array_that_would_become_too_long_is_unchanged(store: ProfileStore) -> None:
    write(store, {"a": [f"x{n}" for n in range(20)], "b": 1})
    refused = write(store, {"a": {"$add": [f"y{n}" for n in range(6)]}, "b": 2})
    assert [(index, refusal.attribute) for index, refusal in refused] == [(0, "a")]
    assert len(store.profiles["jane"].attributes["a"].value) == 20  # type: ignore[arg-type]
    assert store.profiles["jane"].attributes["b"] == TypedValue("integer", 2)


def test_times_of_creation_and_of_the_last_write(store: ProfileStore) -> None:
    write(store, {"a": 1}, now=NOW)
    write(store, {"a": 2}, now=LATER)
    assert (store.profiles["jane"].created_at, store.profiles["jane"].updated_at) == (NOW, LATER)


def test_pages_and_copies(store: ProfileStore) -> None:
    for custom_id in ("b1", "a", "b2", "b3"):
        write(store, {"n": 1}, custom_id)
    found, total = store.page(1, 1, parse("b"))
    assert ([profile.custom_id for profile in found], total) == (["b2"], 3)
    found[0].attributes.clear()
    store.snapshot()["b2"].attributes.clear()
    assert store.profiles["b2"].attributes == {"n": ("integer", 1)}
    assert store.profile("c") is None


def test_nothing_is_stored_in_count_only_mode() -> None:
    store = ProfileStore(keep=False)
    write(store, {"a": 1})
    assert not store.profiles


def test_an_installation_creates_no_profile(store: ProfileStore) -> None:
    store.apply([(0, read_operation({"identifiers": {"installation": "i"}, "attributes": {"a": 1}}))], NOW)
    assert not store.profiles


@pytest.fixture
def filed(path: Path) -> Iterator[ProfileStore]:
    store = ProfileStore(path)
    yield store
    store.close()


EVERY_TYPE: dict[str, object] = {
    "s": "é😀\u0000\"'",
    "i": -(2**63),
    "f": 1.0,
    "tiny": 5e-324,
    "b": True,
    "date(d)": "1989-07-20T00:00:00Z",
    "url(u)": "https://e.com",
    "l": ["x", "y"],
    "$topic_preferences": ["t"],
}


def test_a_file_survives_a_restart(filed: ProfileStore, path: Path) -> None:
    write(filed, EVERY_TYPE, "b")
    write(filed, {"x": 1}, "a")
    write(filed, {"s": None}, "b", LATER)
    before = filed.snapshot()
    filed.close()
    again = ProfileStore(path)
    assert again.snapshot() == before
    assert list(again.profiles) == ["b", "a"]
    assert [type(value.value) for value in again.profiles["b"].attributes.values()] == [
        type(value.value) for value in before["b"].attributes.values()
    ]
    again.clear()
    again.close()
    emptied = ProfileStore(path)
    assert not emptied.profiles
    emptied.close()


def test_a_file_is_complete_before_it_is_closed(filed: ProfileStore, path: Path) -> None:
    write(filed, EVERY_TYPE)
    copied = path.with_name("copy.db")
    for part in path.parent.glob("profiles.db*"):
        part.with_name(part.name.replace("profiles", "copy")).write_bytes(part.read_bytes())
    recovered = ProfileStore(copied)
    assert recovered.snapshot() == filed.snapshot()
    recovered.close()


def test_a_file_in_use_is_rejected(filed: ProfileStore, path: Path) -> None:
    with pytest.raises(ConfigurationError, match="another sandbox uses it"):
        ProfileStore(path)
    assert write(filed, {"a": 1}) == []


def test_foreign_files_are_rejected_and_left_alone(tmp_path: Path) -> None:
    text, database = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database, and long enough to be read as one " * 10)
    connection = sqlite3.connect(database)
    connection.execute("create table mine (a)")
    connection.close()
    for path in (text, database):
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match=path.name):
            ProfileStore(path)
        assert path.read_bytes() == before
    with pytest.raises(ConfigurationError, match="can't be opened"):
        ProfileStore(tmp_path / "missing" / "profiles.db")


items = st.lists(st.sampled_from("abcdef"), max_size=6).map(tuple)


@given(held=items, add=items, remove=items)
def test_array_changes_work_like_sets(
    held: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...]
) -> None:
    result = ArrayChange(add, remove).applied_to(TypedValue("string_array", held) if held else None)
    assert set(result) == (set(held) - set(remove)) | set(add)
