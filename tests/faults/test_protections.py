"""Every protection is needed: without it, a scenario that ends well ends with wrong data.

Covers the rows of docs/delivery-guarantees.md. A scenario returns what is wrong at the end, judged only by
Batch and the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from dbt_common.exceptions import DbtBaseException
from harness.bench import EVENT_COLUMNS, EVENTS, Bench, Knobs, events
from harness.faults import Fault, FaultKind, When
from harness.faulty import Trouble

from dbt_batch_sync.batch_api.answers import Accepted, Answer, PartialError
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.delivery import sender as sender_module
from dbt_batch_sync.delivery.halving import Call
from dbt_batch_sync.ledger.claims import Hold
from dbt_batch_sync.ledger.records import Reject
from dbt_batch_sync.ledger.state import Checkpoint, SyncState
from dbt_batch_sync.push import guards as guards_module
from dbt_batch_sync.push import session as session_module
from dbt_batch_sync.push import sync_push as push_module
from dbt_batch_sync.push.known import Pending
from dbt_batch_sync.push.pages import Histogram
from dbt_batch_sync.push.source import Source
from dbt_batch_sync.push.sync_push import SyncPush

COLUMNS = {"id": "varchar", "points": "bigint", "optin": "boolean"}
MAPPING = {
    "identifier": "id",
    "standard": {"email_marketing": "optin"},
    "custom": ["points"],
    "guards": {"min_rows": 0},
}
ONE = Knobs(chunk_rows=2, window_rows=2, in_flight=1, checkpoint_every=100)


def give(bench: Bench, points: int, names: str = "abcd", optin: bool | None = None) -> None:
    bench.set_rows(COLUMNS, [{"id": name, "points": points, "optin": optin} for name in names])
    assert bench.build()


def begin(bench: Bench) -> None:
    """Push one point for everybody."""
    bench.map(MAPPING)
    give(bench, 1)
    pushed = bench.push().pushed
    assert pushed is not None
    assert pushed.accepted == 4


def wrong_points(bench: Bench, points: int) -> list[str]:
    rejected = {key for key, _ in bench.rejects()}
    held = {name: found.get("points") for name, found in bench.profiles().items()}
    return [
        f"{name} has other points"
        for name in "abcd"
        if name not in rejected and (held.get(name) is None or held[name].value != points)
    ]


def went_back(bench: Bench, **push: Any) -> list[str]:
    """Values that a push sent without recording them revert."""
    begin(bench)
    give(bench, 2)
    bench.push(knobs=ONE, **push)
    bench.let_leases_expire()
    give(bench, 1)
    bench.push()
    return wrong_points(bench, 1)


def killed_after_a_request(bench: Bench) -> list[str]:
    return went_back(bench, trouble=Trouble("send", 1, "after"))


def failed_after_a_request(bench: Bench) -> list[str]:
    return went_back(bench, faults=[Fault(FaultKind.CUT_AFTER)])


def went_back_without_its_delta(bench: Bench) -> list[str]:
    """Like `went_back`, and the pushed delta is dropped."""
    begin(bench)
    give(bench, 2)
    bench.push()
    bench.execute("drop table people_delta")
    bench.set_rows(COLUMNS, [{"id": name, "points": 1} for name in "abcd"])
    try:
        bench.build()
    except DbtBaseException:
        return []
    bench.push()
    return wrong_points(bench, 1)


def one_chunk_fails_for_good(bench: Bench) -> list[str]:
    bench.map(MAPPING)
    give(bench, 1)
    bench.push(
        knobs=replace(ONE, in_flight=2), faults=[Fault(FaultKind.STATUS, When(nth=(1, 2)), status=500)]
    )
    bench.push()
    return wrong_points(bench, 1)


def reject_a_row(bench: Bench) -> None:
    """Batch rejects a row, and would accept it in the next push."""
    bench.map(MAPPING)
    give(bench, 1)
    bench.push(faults=[Fault(FaultKind.REFUSE_ROWS, custom_ids=("a",))])
    assert bench.build()
    bench.push()


def a_row_is_rejected(bench: Bench) -> list[str]:
    reject_a_row(bench)
    return wrong_points(bench, 1)


def two_pushes(bench: Bench) -> list[str]:
    begin(bench)
    give(bench, 2)
    before = bench.sandbox.stats.custom_ids
    bench.push(knobs=ONE, meanwhile=(1, lambda: bench.push() and None))
    sent = bench.sandbox.stats.custom_ids - before
    return [f"{name} was sent {count} times" for name, count in sent.items() if count > 1]


def others_go_on(bench: Bench) -> None:
    """The claim expires; then dbt and another push run."""
    bench.let_leases_expire()
    give(bench, 3)
    bench.push()


def overtaken(bench: Bench) -> list[str]:
    """A push sleeps in its request while dbt and another push run."""
    begin(bench)
    give(bench, 2)
    bench.push(knobs=replace(ONE, window_rows=4), asleep=(1, lambda: others_go_on(bench)))
    assert bench.build()
    bench.push()
    return wrong_points(bench, 3)


def asleep_between_two_requests(bench: Bench) -> list[str]:
    """A push sleeps between requests until its claim has expired; dbt and another push run; then it wakes up."""
    begin(bench)
    give(bench, 2)
    bench.push(knobs=ONE, meanwhile=(1, lambda: others_go_on(bench)))
    return wrong_points(bench, 3)


def withheld_behind_a_checkpoint(bench: Bench) -> list[str]:
    """A push dies after its first checkpoint. All consents are held back, and two of them are not yet
    settled.
    """
    bench.map(MAPPING)
    give(bench, 1, optin=False)
    bench.push()
    give(bench, 2, optin=True)
    bench.push(knobs=replace(ONE, checkpoint_every=1), trouble=Trouble("append:checkpoint", 1, "after"))
    found = {key for key, attribute in bench.rejects() if attribute == "batch__email_marketing"}
    settled = {row["custom_id"] for row in bench.table("_delta") if row["_batch_page"] == 0}
    return [f"the consent of {name} is not rejected with its row" for name in sorted(found ^ settled)]


def adopted_for_another_project(bench: Bench) -> list[str]:
    begin(bench)
    give(bench, 2)
    own = bench.output
    bench.output = replace(own, project_key="project_other")
    try:
        bench.push(adopt=True)
    finally:
        bench.output = own
    bench.push()
    return wrong_points(bench, 2)


def killed_between_rejects_and_checkpoint(bench: Bench) -> list[str]:
    bench.map(MAPPING)
    give(bench, 1)
    fault = Fault(FaultKind.REFUSE_ROWS, custom_ids=("b",))  # its page is settled after it
    bench.push(
        knobs=replace(ONE, checkpoint_every=1), faults=[fault], trouble=Trouble("append:rejects", 1, "before")
    )
    bench.let_leases_expire()
    assert bench.build()
    bench.push()
    return wrong_points(bench, 1)


def a_rejected_row_is_unchanged(bench: Bench) -> list[str]:
    reject_a_row(bench)
    return ["a was sent again"] * ("a" in bench.profiles())


def one_row_makes_a_request_bad(bench: Bench) -> list[str]:
    bench.map(MAPPING)
    give(bench, 1)
    bench.push(knobs=replace(ONE, chunk_rows=4), faults=[Fault(FaultKind.REJECT_CALL, custom_ids=("a",))])
    return [f"{key} is rejected" for key, _ in bench.rejects() if key != "a"]


def snapshot_is_emptied(bench: Bench) -> list[str]:
    """Its values are cleared in the model meanwhile."""
    begin(bench)
    give(bench, 1)
    bench.execute("delete from people_sent_snapshot")
    bench.set_rows(COLUMNS, [{"id": name} for name in "abcd"])
    try:
        bench.build()
    except DbtBaseException:
        return []
    bench.push()
    held = {name: found.get("points") for name, found in bench.profiles().items()}
    return [
        f"{name} keeps its points" for name, points in held.items() if points and points.value is not None
    ]


def subscribed_again(bench: Bench) -> list[str]:
    bench.map(MAPPING)
    for optin in (False, None, True):
        give(bench, 1, optin=optin)
        bench.push()
    found = {name: held["$email_marketing"].value for name, held in bench.profiles().items()}
    return [f"{name} is subscribed" for name, value in found.items() if value != "unsubscribed"]


def seen_twice(bench: Bench) -> list[str]:
    counts = bench.sandbox.events.seen_by("number")
    return [f"event {number} was sent {count} times" for number, count in counts.items() if count > 1]


def first_events(bench: Bench) -> list[str]:
    bench.map(EVENTS)
    bench.set_rows(EVENT_COLUMNS, events(3))
    assert bench.build()
    bench.push()
    return [
        f"event {number} was sent without being asked for"
        for number in bench.sandbox.events.seen_by("number")
    ]


def begin_events(bench: Bench, count: int = 6) -> None:
    """Build the first events after an empty delta."""
    bench.map({**EVENTS, "on_doubt": "skip"})
    for rows in ([], events(count)):
        bench.push()
        bench.set_rows(EVENT_COLUMNS, rows)
        assert bench.build()


def events_were_sent_before_a_kill(bench: Bench) -> list[str]:
    begin_events(bench)
    bench.push(trouble=Trouble("send", 1, "after"), force=True)
    bench.let_leases_expire()
    bench.push(force=True)
    return seen_twice(bench)


def no_answer_to_events(bench: Bench) -> list[str]:
    begin_events(bench)
    bench.push(faults=[Fault(FaultKind.CUT_AFTER, When(nth=(1,)))], force=True)
    return seen_twice(bench)


def events_stay_in_the_model(bench: Bench) -> list[str]:
    begin_events(bench)
    for _ in range(2):
        bench.push(force=True)
        assert bench.build()
    bench.push(force=True)
    return seen_twice(bench)


def dbt_runs_during_a_push_of_events(bench: Bench) -> list[str]:
    """Everything that was not in flight can still be sent."""
    begin_events(bench, 12)

    def run_dbt() -> None:
        with suppress(DbtBaseException):
            bench.build()

    bench.push(knobs=ONE, asleep=(1, run_dbt), force=True)
    bench.let_leases_expire()
    for _ in range(2):
        assert bench.build()
        bench.push(force=True)
    missing = set(range(12)) - set(bench.sandbox.events.seen_by("number"))
    return [*seen_twice(bench), *(f"event {number} was never sent" for number in missing)]


def send_anyway(self: SyncPush, body: bytes) -> Answer:
    return self.client.send(self.work.route, body)


def rejected_early(self: Source, rows: int) -> list[Reject]:
    due = [reject for row, reject in self.rejected if row <= rows + 1]
    self.rejected[:] = [(row, reject) for row, reject in self.rejected if row > rows + 1]
    return due


def rejected_late(self: Source, rows: int) -> list[Reject]:
    return rejected_early(self, rows - 2)


def no_intent(self: SyncPush, chunks: Any) -> Iterator[Any]:
    for chunk in chunks:
        self._sent = chunk.reached
        self._in_flight.append(chunk.keys)
        yield chunk


def closed_intent(self: SyncPush) -> Any:
    page = self._checkpoint.page
    return push_module.ended(self.hold.journal, self.run, self.work.output, page)


def rejects_last(self: SyncPush) -> None:
    rejects, self._rejects = self._rejects, []
    RECORD_PROGRESS(self)
    self._rejects = rejects
    self._append_rejects()


def reject_all(operations: int, call: Call, **_: object) -> list[PartialError]:
    answer = call(0, operations)
    if isinstance(answer, Accepted):
        return list(answer.errors)
    return [PartialError(index, None, answer.code, answer.message) for index in range(operations)]


def any_delta(self: Pending, of: str = "") -> list[str]:
    return [":delta_id is not null", *CONDITIONS(self, of)[1:]]


def nothing_speaks_against_it(*_: object) -> Iterator[str]:
    return iter(())


def all_that_was_sent(self: SyncPush) -> Checkpoint:
    return Checkpoint(self.work.histogram.page_of(self._reached) or 0)


RECORD_PROGRESS, CONDITIONS = SyncPush._record_progress, Pending.conditions

IN_PYTHON: dict[str, tuple[Callable[[Bench], list[str]], object, str, object]] = {
    "intent first": (killed_after_a_request, SyncPush, "_intended", no_intent),
    "a failed run leaves its intent open": (failed_after_a_request, SyncPush, "_ended", closed_intent),
    "a checkpoint is the settled prefix": (
        one_chunk_fails_for_good,
        SyncPush,
        "_reached_checkpoint",
        all_that_was_sent,
    ),
    "rejects are recorded": (a_row_is_rejected, Hold, "append_rejects", lambda *_: None),
    "rejects come before their checkpoint": (
        killed_between_rejects_and_checkpoint,
        SyncPush,
        "_record_progress",
        rejects_last,
    ),
    "a rejected request is halved": (one_row_makes_a_request_bad, sender_module, "find_rejected", reject_all),
    "a claim is read back": (two_pushes, SyncState, "others", lambda *_: ()),
    "what an overtaken push had in flight is in doubt": (
        overtaken,
        SyncPush,
        "_append_doubt",
        lambda _: None,
    ),
    "the claim is checked before each request": (asleep_between_two_requests, SyncPush, "_send", send_anyway),
    "a withheld consent is not rejected before its row": (
        withheld_behind_a_checkpoint,
        Source,
        "settled",
        rejected_early,
    ),
    "a withheld consent is rejected with its row": (
        withheld_behind_a_checkpoint,
        Source,
        "settled",
        rejected_late,
    ),
    "adopt checks the project": (
        adopted_for_another_project,
        session_module,
        "check_guards",
        lambda _, state, *__, **___: state.built,
    ),
}

IN_SQL: dict[str, tuple[Callable[[Bench], list[str]], str, str, str]] = {
    "up to the intent, rows are in doubt": (
        killed_after_a_request,
        "progress",
        r"'sent_page': .*",
        "'sent_page': none",
    ),
    "a lost delta is an error": (
        went_back_without_its_delta,
        "check_delta",
        r"\{% if lost and",
        "{% if false and",
    ),
    "an emptied snapshot is an error": (
        snapshot_is_emptied,
        "lost_rows",
        r"\{% elif merged.delta_id",
        "{% elif false and merged.delta_id",
    ),
    "a rejected row is parked": (
        a_rejected_row_is_unchanged,
        "open_parked",
        r"\{% if not run_query",
        "{% if true or not run_query",
    ),
    "an opt-out is remembered": (
        subscribed_again,
        "is_opted_out",
        r"(?s)case when .* else false end",
        "false",
    ),
}


OF_EVENTS: dict[str, tuple[Callable[[Bench], list[str]], object, str, object]] = {
    "a first push is confirmed": (first_events, guards_module, "tripped", nothing_speaks_against_it),
    "skip: what may have been sent is given up": (
        events_were_sent_before_a_kill,
        Histogram,
        "behind",
        lambda self, _: self,
    ),
    "skip: a request without an answer is not repeated": (
        no_answer_to_events,
        push_module,
        "RetryPolicy",
        lambda attempts, **_: RetryPolicy(attempts),
    ),
}

EVENTS_IN_SQL: dict[str, tuple[Callable[[Bench], list[str]], str, str, str]] = {
    "sent ids are remembered": (
        events_stay_in_the_model,
        "events__merge",
        r"\{% if merged %\}",
        "{% if false %}",
    ),
    "dbt waits for a push": (
        dbt_runs_during_a_push_of_events,
        "events__before_build",
        r"\{% if dbt_batch_sync",
        "{% if false and dbt_batch_sync",
    ),
}


def holds(bench: Bench, scenario: Callable[[Bench], list[str]], sound: set[object] = set()) -> None:  # noqa: B006
    """Each scenario ends well with its protections. Tried once."""
    if scenario not in sound:
        bench.reset()
        assert scenario(bench) == []
        sound.add(scenario)
    bench.reset()


def needed_in_sql(bench: Bench, found: tuple[Callable[[Bench], list[str]], str, str, str]) -> None:
    scenario, name, pattern, without = found
    holds(bench, scenario)
    macro = bench._dbt._manifest.macros[f"macro.dbt_batch_sync.{name}"]
    with_it = macro.macro_sql
    macro.macro_sql, count = re.subn(pattern, without, with_it)
    try:
        assert count == 1
        assert scenario(bench) != []
    finally:
        macro.macro_sql = with_it


@pytest.mark.parametrize("name", [*IN_PYTHON, *OF_EVENTS])
def test_each_protection_of_the_push_is_needed(
    bench: Bench, events_bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = events_bench if name in OF_EVENTS else bench
    scenario, owner, attribute, without = {**IN_PYTHON, **OF_EVENTS}[name]
    holds(own, scenario)
    monkeypatch.setattr(owner, attribute, without)
    assert scenario(own) != []


@pytest.mark.parametrize("name", IN_SQL)
def test_each_protection_of_dbt_run_is_needed(bench: Bench, name: str) -> None:
    needed_in_sql(bench, IN_SQL[name])


@pytest.mark.parametrize("name", EVENTS_IN_SQL)
def test_each_protection_of_events_is_needed(events_bench: Bench, name: str) -> None:
    needed_in_sql(events_bench, EVENTS_IN_SQL[name])


@dataclass(frozen=True)
class Check:
    """What a push checks before it sends: what is `changed` in the mapping or the output, or by `sql`, since the delta
    was built, and the function without it. `force`: it holds even with `--force`.
    """

    without: tuple[object, str, object] = (guards_module, "stops", nothing_speaks_against_it)
    mapping: Mapping[str, object] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    sql: str = ""
    force: bool = True


LAST = "update batch_sync_journal set {} where event = 'built' and exits > 0"
GUARD = (guards_module, "tripped", nothing_speaks_against_it)
CHECKS = {
    "the mapping is that of the delta": Check(mapping={"on_null": "keep"}),
    "a delta of --empty is never pushed": Check(sql=LAST.format("mode = 'empty'")),
    "only_from": Check(output={"only_from": ("prod",)}),
    "the target is that of the delta": Check(target="prod"),
    "the Batch project is the same": Check(
        sql="update batch_sync_journal set project_hash = 'another' where event = 'intent'"
    ),
    "the delta is the one that was built": Check(
        (Pending, "conditions", any_delta), sql="update people_delta set _batch_delta_id = 'another'"
    ),
    "an empty model": Check(GUARD, force=False),
    "min_rows": Check(GUARD, {"guards": {"min_rows": 4}}, sql=LAST.format("model_rows = 3"), force=False),
    "max_exit_ratio": Check(
        GUARD,
        {"guards": {"min_rows": 0, "max_exit_ratio": 0.9}},
        sql=LAST.format("model_rows = 3"),
        force=False,
    ),
    "max_change_ratio": Check(
        GUARD,
        {"guards": {"min_rows": 0, "max_change_ratio": 0.9}},
        sql=LAST.format("model_rows = 3"),
        force=False,
    ),
}
EMPTIED = {**MAPPING, "on_exit": "clear"}


@pytest.fixture(scope="module")
def emptied(bench: Bench) -> list[str]:
    """A delta of an emptied model, which clears every profile. Returns the statements that restore its tables."""
    bench.reset()
    begin(bench)
    bench.map(EMPTIED)
    give(bench, 1, "")
    names = ("people_delta", "people_sent_snapshot", "batch_sync_journal", "batch_sync_rejects")
    bench.execute(
        "create schema saved", *(f"create table saved.{name} as from main.{name}" for name in names)
    )
    return [f"create or replace table main.{name} as from saved.{name}" for name in names]


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_before_a_push_is_needed(
    bench: Bench, emptied: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    check = CHECKS[name]
    monkeypatch.setattr(bench, "output", replace(bench.output, **check.output))
    monkeypatch.setattr(bench, "target", check.target)
    bench.map({**EMPTIED, **check.mapping})
    bench.execute(*emptied, *([check.sql] if check.sql else []))
    bench.sandbox.reset()
    stopped = bench.push(force=check.force).pushed
    assert stopped is not None
    assert stopped.status == "failed"
    assert not bench.sandbox.profiles
    monkeypatch.setattr(*check.without)
    bench.push(force=check.force)
    assert len(bench.sandbox.profiles) == 4, "every profile should be cleared"
