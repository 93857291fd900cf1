"""The sandbox's exports: states, files, links and value formats."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest
from harness.caller import Caller

from dbt_batch_sync.sandbox.record import Violation

BODY = {
    "export_type": "ATTRIBUTES",
    "attributes": ["$language", "n", "d", "u", "l"],
    "identifiers": ["custom_id"],
}
VALUES = {
    "$language": "fr",
    "n": 1,
    "date(d)": "2024-01-01T00:00:00Z",
    "url(u)": "https://e.com/é",
    "l": ["x", "y"],
    "other": True,
}


def with_profiles(*custom_ids: str, **settings: Any) -> Caller:
    caller = Caller(**settings)
    for custom_id in custom_ids:
        operation = {"identifiers": {"custom_id": custom_id}, "attributes": VALUES}
        assert caller.post("update", [operation])[0] == 202
    return caller


def export(caller: Caller, **changes: object) -> str:
    status, answer = caller.post("export", {**BODY, **changes})
    assert (status, caller.violations) == (202, [])
    assert caller.sandbox.exports.exports[answer["id"]].written.wait(10)
    return str(answer["id"])


def files(caller: Caller, name: str) -> list[Path]:
    """Download the files through their links, as a client does."""
    _, answer = caller.get("exports/view", id=name)
    found = []
    for file in answer["files"]:
        moved = caller.reply("exports/download", {"id": file["url"].partition("id=")[2]})
        assert moved.status == 307
        got = caller.reply("_files/{token}", {"token": dict(moved.headers)["location"].rpartition("/")[2]})
        assert (got.status, got.path is not None) == (200, True)
        assert got.path
        found.append(got.path)
    return found


def rows(caller: Caller, name: str) -> list[Any]:
    return [json.loads(line) for path in files(caller, name) for line in path.read_bytes().splitlines()]


def test_one_object_per_line() -> None:
    caller = with_profiles("a", "é")
    read = rows(caller, export(caller))
    assert [row["identifiers"] for row in read] == [{"custom_id": "a"}, {"custom_id": "é"}]
    assert read[0]["attributes"] == {
        "d": VALUES["date(d)"],
        "u": VALUES["url(u)"],
        "$language": "fr",
        "n": 1,
        "l": ["x", "y"],
    }


def test_states_in_order() -> None:
    caller = with_profiles("a", export_seconds=9.0)
    name, states = export(caller), []
    for _ in range(4):
        _, answer = caller.get("exports/view", id=name)
        states.append((answer["status"], len(answer["files"])))
        caller.moment.seconds += 3.0
    assert states == [("CREATED", 0), ("PENDING", 0), ("RUNNING", 0), ("SUCCESS", 1)]
    assert caller.get("exports/view", id="export_x")[0] == 404


def test_an_export_that_fails() -> None:
    caller = with_profiles("a", export_result="ERROR")
    _, answer = caller.get("exports/view", id=export(caller))
    assert (answer["status"], answer["files"]) == ("ERROR", [])


@pytest.mark.parametrize(("most", "number"), [(1, 3), (2, 2), (3, 1)])
def test_several_files(most: int, number: int) -> None:
    caller = with_profiles("a", "b", "c", export_file_profiles=most)
    name = export(caller)
    assert len(files(caller, name)) == number
    assert [row["identifiers"]["custom_id"] for row in rows(caller, name)] == ["a", "b", "c"]


def test_no_profiles_give_an_empty_file() -> None:
    caller = Caller()
    assert [path.read_bytes() for path in files(caller, export(caller))] == [b""]


def test_links_expire_and_can_be_renewed() -> None:
    caller = with_profiles("a")
    name = export(caller)
    _, answer = caller.get("exports/view", id=name)
    file = answer["files"][0]["url"].partition("id=")[2]
    moved = dict(caller.reply("exports/download", {"id": file}).headers)["location"]
    token = moved.rpartition("/")[2]
    caller.moment.seconds += 1_199.0
    assert caller.reply("_files/{token}", {"token": token}).status == 200
    caller.moment.seconds += 1.0
    assert caller.reply("_files/{token}", {"token": token}).status == 403
    assert len(rows(caller, name)) == 1
    assert caller.reply("_files/{token}", {"token": "x"}).status == 403
    assert caller.get("exports/download", id="file_x")[0] == 404


def test_exports_are_immutable_and_cleared_by_a_reset() -> None:
    caller = with_profiles("a")
    name = export(caller)
    with_more = {"identifiers": {"custom_id": "b"}, "attributes": {"n": 1}}
    caller.post("update", [with_more])
    (path,) = files(caller, name)
    assert len(path.read_bytes().splitlines()) == 1
    caller.sandbox.reset()
    assert not path.parent.exists()
    assert caller.get("exports/view", id=name)[0] == 404


def test_files_are_deleted_with_the_sandbox() -> None:
    caller = with_profiles("a")
    (path,) = files(caller, export(caller))
    del caller
    gc.collect()
    assert not path.parent.parent.exists()


def test_older_exports_and_their_files_are_deleted() -> None:
    caller = with_profiles("a")
    first = export(caller)
    (path,) = files(caller, first)
    for _ in range(20):
        export(caller)
    assert not path.exists()
    assert caller.get("exports/view", id=first)[0] == 404
    caller.sandbox.close()


def test_rate_limits_with_a_segment_and_shared() -> None:
    caller, segment = Caller(), {**BODY, "filter": {"segment": "vips"}}
    assert [caller.post("export", segment)[0] for _ in range(11)] == [202] * 10 + [429]
    assert caller.post("export", BODY)[0] == 202
    caller.moment.seconds = 720.0
    assert [caller.post("export", segment)[0] for _ in range(2)] == [202, 429]
    caller.sandbox.close()
    caller = Caller(exports_per_hour=5.0)
    assert [caller.post("export", BODY)[0] for _ in range(2)] == [202, 429]
    assert caller.post("export", segment)[0] == 202
    caller.sandbox.close()
    for share, status in ((False, 200), (True, 429)):
        caller = Caller(share_rate=share)
        caller.post("export", BODY)
        assert caller.get("audiences/list")[0] == status
        caller.sandbox.close()


def test_many_profiles_are_written_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt_batch_sync.sandbox.exports._AT_ONCE", 1)
    caller = with_profiles("a", "b", export_file_profiles=1)
    assert [row["identifiers"]["custom_id"] for row in rows(caller, export(caller))] == ["a", "b"]


@pytest.mark.parametrize(
    "changes",
    [
        {"export_type": "EVENTS"},
        {"identifiers": ["email"]},
        {"identifiers": []},
        {"attributes": []},
        {"attributes": "n"},
        {"attributes": ["date(d)"]},
        {"attributes": ["A"]},
        {"attributes": ["$other"]},
        {"attributes": [1]},
        {"filter": {}},
        {"filter": {"segment": ""}},
        {"limit": 1},
    ],
)
def test_rejected_exports(changes: dict[str, object]) -> None:
    caller = Caller()
    assert caller.post("export", {**BODY, **changes})[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
