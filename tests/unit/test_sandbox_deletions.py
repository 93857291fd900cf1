"""The sandbox's deletion requests: pending, done, and the month after."""

from __future__ import annotations

from typing import Any

import pytest
from harness.caller import Caller, held

from dbt_batch_sync.sandbox.record import Violation

DAY = 86_400.0


def ask(caller: Caller, custom_id: str) -> Any:
    person = {"type": "custom_id", "value": custom_id}
    status, answer = caller.post("gdpr/request", {"request_type": "remove", "id": person})
    assert status == 202
    return answer["token"]


def status(caller: Caller, token: str) -> Any:
    return caller.get("gdpr/request/{token}", token=token)


def write(caller: Caller, custom_id: str, **attributes: object) -> None:
    operation = {"identifiers": {"custom_id": custom_id}, "attributes": attributes}
    assert caller.post("update", [operation]) == (202, {"code": "SUCCESS"})


def test_pending_then_done_and_the_profile_is_deleted() -> None:
    caller = Caller(deletion_delay=60.0)
    write(caller, "a", x=1)
    write(caller, "b", x=1)
    token = ask(caller, "a")
    assert status(caller, token) == (200, {"status": "pending"})
    assert list(caller.sandbox.store.profiles) == ["a", "b"]
    caller.moment.seconds = 60.0
    assert status(caller, token) == (200, {"status": "done"})
    assert list(caller.sandbox.store.profiles) == ["b"]
    assert status(caller, "other")[0] == 404


def test_an_unknown_profile_is_done_with_an_error() -> None:
    caller = Caller()
    assert status(caller, ask(caller, "a")) == (200, {"status": "done", "error": "user not found"})


@pytest.mark.parametrize("delay", [0.0, 60.0])
def test_data_is_accepted_and_discarded_for_a_month(delay: float) -> None:
    caller = Caller(deletion_delay=delay)
    write(caller, "a", x=1)
    ask(caller, "a")
    write(caller, "a", x=2)
    assert (caller.tally.operations, caller.tally.applied) == (1, 0)
    caller.moment.seconds = 31 * DAY - 1
    write(caller, "a", x=3)
    assert "a" not in caller.sandbox.store.profiles
    caller.moment.seconds = 31 * DAY
    write(caller, "a", x=4)
    assert held(caller.sandbox.store.profiles["a"].attributes) == {"x": 4}


def test_time_can_be_advanced() -> None:
    caller = Caller(blacklist_days=1.0, time_ahead=0.0)
    ask(caller, "a")
    write(caller, "a", x=1)
    assert "a" not in caller.sandbox.store.profiles
    caller.sandbox.settings = type(caller.sandbox.settings)(blacklist_days=1.0, time_ahead=DAY)
    write(caller, "a", x=1)
    assert "a" in caller.sandbox.store.profiles


@pytest.mark.parametrize(("erase_members", "left"), [(True, ["b"]), (False, ["a", "b"])])
def test_audiences_forget_and_reject_them_too(erase_members: bool, left: list[str]) -> None:
    caller = Caller(rate_limits=False, erase_members=erase_members)
    caller.post("audiences/create", {"name": "vips", "type": "custom_ids"})
    both = {"name": "vips", "ids": [{"action": "add", "id": each} for each in "ab"]}
    caller.post("audiences/update", both)
    ask(caller, "a")
    assert caller.post("audiences/update", both)[0] == 202
    assert sorted(caller.sandbox.audiences.audiences["vips"].members) == left


def test_data_of_erased_people_may_be_rejected() -> None:
    caller = Caller(rate_limits=False, blacklisted="reject")
    caller.post("audiences/create", {"name": "vips", "type": "custom_ids"})
    ask(caller, "a")
    both = [{"identifiers": {"custom_id": each}, "attributes": {"x": 1}} for each in "ab"]
    answer = caller.post("update", both)[1]
    assert [(error["bulk_index"], error["category"]) for error in answer["errors"]] == [(0, "ERASED")]
    assert list(caller.sandbox.store.profiles) == ["b"]
    for action, status in (("add", 400), ("remove", 202)):
        members = {"name": "vips", "ids": [{"action": action, "id": each} for each in "ab"]}
        assert caller.post("audiences/update", members)[0] == status
    assert caller.violations == []
    caller.moment.seconds = 31 * DAY
    assert caller.post("update", both)[1] == {"code": "SUCCESS"}


def test_a_rate_of_requests() -> None:
    person = {"request_type": "remove", "id": {"type": "custom_id", "value": "a"}}
    for rate, statuses in ((None, [202] * 3), (0.5, [202, 429, 429]), (2.0, [202, 202, 429])):
        caller = Caller(deletions_per_second=rate)
        assert [caller.post("gdpr/request", person)[0] for _ in range(3)] == statuses
        caller.moment.seconds = 2.0
        assert caller.post("gdpr/request", person)[0] == 202


def test_a_request_can_be_queried_for_some_time() -> None:
    caller = Caller()
    token = ask(caller, "a")
    caller.moment.seconds = 30 * DAY
    assert status(caller, token)[0] == 200
    caller.moment.seconds = 30 * DAY + 1
    assert status(caller, token)[0] == 404


def test_the_name_of_the_token_and_rejection_on_demand() -> None:
    caller = Caller(deletion_token="id", reject_ids=frozenset({"b"}))
    person = {"type": "custom_id", "value": "a"}
    assert list(caller.post("gdpr/request", {"request_type": "remove", "id": person})[1]) == ["id"]
    person = {"type": "custom_id", "value": "b"}
    assert caller.post("gdpr/request", {"request_type": "remove", "id": person})[0] == 400
    assert caller.violations == []


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"request_type": "remove"},
        {"request_type": "view", "id": {"type": "custom_id", "value": "a"}},
        {"request_type": "remove", "id": "a"},
        {"request_type": "remove", "id": {"type": "install_id", "value": "a"}},
        {"request_type": "remove", "id": {"type": "custom_id", "value": ""}},
        {"request_type": "remove", "id": {"type": "custom_id", "value": 1}},
        {"request_type": "remove", "id": {"type": "custom_id", "value": "null"}},
        {"request_type": "remove", "id": {"type": "custom_id", "value": "a"}, "dry": True},
    ],
)
def test_rejected_requests(body: object) -> None:
    caller = Caller()
    write(caller, "a", x=1)
    assert caller.post("gdpr/request", body)[0] == 400
    assert caller.violations == [Violation.REFUSED_CALL]
    assert "a" in caller.sandbox.store.profiles
