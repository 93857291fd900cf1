"""Reasons to stop a push before it sends anything: guards and withdrawn consents. Also the confirmation of
`adopt`.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults import Fault, FaultKind
from harness.quick import QuickProject

from dbt_batch_sync import api
from dbt_batch_sync.ledger.requests import Scope

COLUMNS = {"id": "varchar", "points": "bigint", "nick": "varchar"}
SCOPES: tuple[Scope, ...] = ("rejected", "all")
OPTINS = {"id": "varchar", "optin": "boolean", "sms": "varchar", "n": "bigint"}


def people(project: QuickProject, points: Mapping[str, int]) -> None:
    """Set the sync's rows and run dbt."""
    project.set_rows(COLUMNS, [{"id": name, "points": given, "nick": name} for name, given in points.items()])
    project.build()


def guard(project: QuickProject, **guards: object) -> None:
    project.map({"identifier": "id", "custom": ["points", "nick"], "guards": guards})


def known(project: QuickProject, count: int) -> dict[str, int]:
    """Push `count` profiles."""
    guard(project)
    rows = {f"p{n:02d}": 0 for n in range(count)}
    people(project, rows)
    assert project.push_one().accepted == count
    return rows


def state(project: QuickProject) -> tuple[object, ...]:
    """The state that a stopped push must not change."""
    settled = project.query("from batch_sync_journal where event in ('intent', 'checkpoint')")
    return (settled, project.profiles(), project.rejects(), project.delta())


def stops(project: QuickProject, *words: str) -> None:
    """Assert that a push stops with these words, sends nothing and settles nothing."""
    before = state(project)
    pushed = project.push_one()
    assert pushed.status == "failed", "the guard didn't stop the push"
    assert (pushed.sent, pushed.settled, pushed.requests) == (0, 0, 0)
    for each in words:
        assert each in str(pushed.error)
    assert not project.sent.requests
    assert state(project) == before


FORCE = "push once with --force"


def test_only_from_other_targets(quick: QuickProject) -> None:
    known(quick, 2)
    people(quick, {"p00": 1, "p01": 1})
    quick.outputs(sandbox={"only_from": ["prod", "staging"]})
    before = state(quick)
    for options in ({}, {"force": True}, {"dry_run": True}, {"limit": 1}, {"target": "prod"}):
        pushed = quick.push_one(**options)
        assert pushed.status == "failed", options
        assert "accepts only deltas of the dbt targets prod, staging" in str(pushed.error)
        assert "dbt built this one with target `dev`" in str(pushed.error)
        assert not quick.sent.requests
    (adopted,) = api.adopt(quick.options()).syncs
    assert adopted.status == "failed"
    assert state(quick) == before
    assert quick.call("push", "--force").returncode == 1
    quick.outputs(sandbox={"only_from": ["dev"]})
    assert quick.push_one().accepted == 2


def test_fewer_rows_than_min_rows(quick: QuickProject) -> None:
    """Also on the first push. Exactly `min_rows` rows pass."""
    guard(quick, min_rows=4)
    people(quick, {"a": 1, "b": 1, "c": 1})
    stops(quick, "the model had 3 rows", "`min_rows` is 4", FORCE)
    dry = quick.push_one(dry_run=True)
    assert (dry.status, dry.error) == ("failed", quick.push_one().error)
    done = quick.call("push")
    assert done.returncode == 1
    assert FORCE in " ".join(done.stdout.split())
    assert not quick.sandbox.requests
    people(quick, {"a": 1, "b": 1, "c": 1, "d": 1})
    assert quick.push_one().accepted == 4
    people(quick, {"a": 2, "b": 1, "c": 1})
    stops(quick, "the model had 3 rows", "`min_rows` is 4", FORCE)
    assert quick.push_one(force=True).accepted == 1
    # An empty delta never stops a push.
    people(quick, {"a": 2, "b": 1, "c": 1})
    assert quick.push_one().status == "succeeded"


def test_min_rows_stops_a_push_of_exits_only(quick: QuickProject) -> None:
    known(quick, 4)
    guard(quick, min_rows=4)
    people(quick, {"p00": 0, "p01": 0, "p02": 0})
    stops(quick, "the model had 3 rows", "`min_rows` is 4", FORCE)
    assert quick.push_one(force=True).exits == 1


def test_all_profiles_exit_while_one_returns(quick: QuickProject) -> None:
    """The model has a row, so it isn't empty."""
    known(quick, 2)
    people(quick, {"p00": 0})
    assert quick.push_one().exits == 1
    people(quick, {"p01": 0})
    assert quick.push_one().exits == 1
    people(quick, {})
    stops(quick, "the model had 0 rows", "every known profile would leave", FORCE)


def test_max_change_ratio(quick: QuickProject) -> None:
    """Inserts, updates and exits together, relative to the known profiles."""
    rows = known(quick, 8)
    guard(quick, max_change_ratio=0.5)
    changed = {**rows, "p00": 1, "p01": 1, "p02": 1, "new1": 1}
    people(quick, changed)
    assert quick.push_one().settled == 4, "exactly the limit should pass"
    changed.pop("p03")
    people(quick, {**changed, "p00": 2, "p01": 2, "new2": 1, "new3": 1})
    stops(quick, "5 profiles would change, 55.6% of the 9 known ones, and `max_change_ratio` is 50.0%", FORCE)
    forced = quick.push_one(force=True)
    assert (forced.status, forced.settled) == ("succeeded", 5)


def test_max_exit_ratio(quick: QuickProject) -> None:
    rows = known(quick, 8)
    guard(quick, max_exit_ratio=0.25)
    left = dict.fromkeys(list(rows)[2:], 1)
    people(quick, left)
    assert quick.push_one().exits == 2, "exactly the limit should pass, not counting updates"
    left = dict.fromkeys(list(left)[2:], 1)
    people(quick, left)
    stops(quick, "2 profiles would leave, 33.3% of the 6 known ones, and `max_exit_ratio` is 25.0%", FORCE)
    assert quick.push_one(force=True).exits == 2
    quick.build()
    assert {name for name, row in quick.snapshot().items() if row["_batch_exited_at"] is None} == set(left)


def test_all_reasons_to_stop_are_reported_at_once(quick: QuickProject) -> None:
    rows = known(quick, 10)
    guard(quick, min_rows=5, max_change_ratio=0.1, max_exit_ratio=0.05)
    people(quick, dict(list(rows.items())[:2]))
    stops(
        quick,
        "had 2 rows",
        "8 profiles would change, 80.0%",
        "8 profiles would leave, 80.0% of the 10 known ones",
        FORCE,
    )


def test_ratios_do_not_apply_to_the_first_push(quick: QuickProject) -> None:
    guard(quick, max_change_ratio=0.01, max_exit_ratio=0.01)
    people(quick, {f"p{n}": 0 for n in range(5)})
    assert quick.push_one().accepted == 5


def test_a_stopped_push_is_recorded(quick: QuickProject) -> None:
    guard(quick, min_rows=2)
    people(quick, {"a": 1})
    error = quick.push_one().error
    (run,) = quick.query("from batch_sync_runs")
    assert (run["status"], run["error"], run["settled"]) == ("failed", error, 0)


# never_resubscribe


def consents(
    project: QuickProject, rows: Mapping[str, tuple[object, object, int]], **mapping: object
) -> None:
    """Set rows with e-mail and SMS consents and a number, then run dbt."""
    standard = {"email_marketing": "optin", "sms_marketing": "sms"}
    project.map({"identifier": "id", "standard": standard, "custom": ["n"], **mapping})
    listed = [{"id": name, "optin": each[0], "sms": each[1], "n": each[2]} for name, each in rows.items()]
    project.set_rows(OPTINS, listed)
    project.build()


BLOCKED = {
    ("boolean", "batch__email_marketing"): "never_resubscribe",
    ("word", "batch__sms_marketing"): "never_resubscribe",
}


def begin_consents(project: QuickProject, **mapping: object) -> None:
    rows = {
        "boolean": (False, "subscribed", 1),
        "word": (True, "unsubscribed", 1),
        "unknown": (None, None, 1),
        "given": (True, "subscribed", 1),
    }
    consents(project, rows, **mapping)
    assert project.push_one().accepted == 4


BACK = {
    "boolean": (True, "subscribed", 2),
    "word": (True, "subscribed", 2),
    "unknown": (True, "subscribed", 2),
    "given": (False, "unsubscribed", 2),
}


def test_never_resubscribe(quick: QuickProject) -> None:
    begin_consents(quick)
    consents(quick, BACK)
    pushed = quick.push_one()
    assert (pushed.status, pushed.accepted, pushed.rejected_attributes) == ("partial", 4, 2)
    assert quick.sent.attributes == {
        "boolean": {"n": 2},
        "word": {"n": 2},
        "unknown": {"n": 2, "$email_marketing": "subscribed", "$sms_marketing": "subscribed"},
        "given": {"n": 2, "$email_marketing": "unsubscribed", "$sms_marketing": "unsubscribed"},
    }
    assert quick.rejects() == BLOCKED
    assert {row["rejected_by"] for row in quick.query("from batch_sync_rejects")} == {"validation"}

    # The block holds whatever else changes, and after a resend too.
    consents(quick, {**BACK, "boolean": (True, "subscribed", 3), "word": (True, "subscribed", 3)})
    quick.push_one()
    assert quick.sent.attributes == {"boolean": {"n": 3}, "word": {"n": 3}}
    for scope in SCOPES:
        quick.resend(scope)
        quick.push_one(force=True)
        sent = quick.sent.attributes
        assert "$email_marketing" not in sent.get("boolean", {}), scope
        assert "$sms_marketing" not in sent.get("word", {}), scope
    held = quick.profiles()
    assert held["boolean"]["$email_marketing"].value == "unsubscribed"
    assert held["word"]["$sms_marketing"].value == "unsubscribed"
    assert quick.rejects() == BLOCKED


def test_a_blocked_consent_that_is_withdrawn_again_is_settled(quick: QuickProject) -> None:
    begin_consents(quick)
    consents(quick, BACK)
    quick.push_one()
    consents(quick, {**BACK, "boolean": (False, "subscribed", 2), "word": (True, "unsubscribed", 2)})
    assert quick.push_one().status == "succeeded"
    quick.build()
    assert not quick.rejects()
    consents(quick, BACK)
    quick.push_one()
    assert quick.rejects() == BLOCKED


def test_a_consent_is_blocked_next_to_a_parked_row(quick: QuickProject) -> None:
    begin_consents(quick)
    quick.sandbox.faults.set([Fault(FaultKind.REFUSE_ROWS, custom_ids=("given",))])
    consents(quick, {**BACK, "boolean": (False, "subscribed", 2), "word": (True, "unsubscribed", 2)})
    quick.push_one()
    quick.sandbox.faults.set(())
    consents(quick, BACK)
    pushed = quick.push_one()
    assert (pushed.status, pushed.error) == ("partial", None)
    assert quick.rejects() == {**BLOCKED, ("given", None): "refused on demand"}


def test_a_mapping_can_allow_resubscribing(quick: QuickProject) -> None:
    allowed = {"guards": {"never_resubscribe": False}}
    begin_consents(quick)
    consents(quick, BACK)
    assert quick.push_one().status == "partial"
    consents(quick, {**BACK, "boolean": (False, "subscribed", 2), "word": (True, "unsubscribed", 2)})
    quick.push_one()
    consents(quick, BACK, **allowed)
    assert quick.push_one().status == "succeeded"
    quick.build()
    assert not quick.rejects()
    held = quick.profiles()
    assert {
        held[name][f"${kind}_marketing"].value for name in ("boolean", "word") for kind in ("email", "sms")
    } == {"subscribed"}


def test_consents_are_remembered_when_a_boolean_column_becomes_words(quick: QuickProject) -> None:
    """The last push of booleans is merged into a snapshot whose column is a text by then."""

    def give(kind: str, first: object, second: object, *, never: bool = True) -> None:
        standard, guards = {"email_marketing": "optin"}, {"never_resubscribe": never}
        quick.map({"identifier": "id", "standard": standard, "guards": guards})
        rows = [{"id": "out", "optin": first}, {"id": "in", "optin": second}]
        quick.set_rows({"id": "varchar", "optin": kind}, rows)
        quick.build()
        quick.push_one()

    give("boolean", True, False)
    give("boolean", False, True, never=False)
    give("varchar", "subscribed", "subscribed")
    assert quick.rejects() == {("out", "batch__email_marketing"): "never_resubscribe"}
    assert quick.profiles()["out"]["$email_marketing"].value == "unsubscribed"


# Confirmation


def test_without_a_terminal_yes_is_required(quick: QuickProject) -> None:
    known(quick, 2)
    people(quick, {"p00": 1, "p01": 0})
    before = state(quick)
    asked = quick.call("adopt")
    assert asked.returncode == 2
    assert "Settle 1 row of people for sandbox" in (said := " ".join(asked.stderr.split()))
    assert "confirm with --yes" in said
    assert not quick.sent.requests
    assert state(quick) == before
    assert quick.call("adopt", "--yes").returncode == 0
    quick.build()
    assert quick.snapshot()["p00"]["points"] == 1


def test_adopt_sends_nothing_and_settles_all(quick: QuickProject) -> None:
    known(quick, 3)
    people(quick, {"p00": 5, "p01": 0, "new": 1})
    quick.forget_requests()
    (adopted,) = api.adopt(quick.options()).syncs
    assert (adopted.status, adopted.settled, adopted.sent, adopted.requests) == ("succeeded", 3, 0, 0)
    assert not quick.sent.requests
    quick.build()
    snapshot = quick.snapshot()
    assert {name: row["points"] for name, row in snapshot.items()} == {"p00": 5, "p01": 0, "p02": 0, "new": 1}
    assert [name for name, row in snapshot.items() if row["_batch_exited_at"]] == ["p02"]
    assert not quick.delta()
    assert quick.push_one().requests == 0
    people(quick, {"p00": 5, "p01": 7, "new": 1})
    assert quick.push_one().accepted == 1
    assert quick.sent.attributes == {"p01": {"points": 7}}


def test_a_delta_adopted_for_one_project_is_not_pushed_to_another(quick: QuickProject) -> None:
    people(quick, {"a": 1})
    api.adopt(quick.options())
    people(quick, {"a": 2})
    quick.outputs(sandbox={"project_key": "project_other"})
    try:
        assert "another Batch project" in str(quick.push_one().error)
    finally:
        quick.outputs()
