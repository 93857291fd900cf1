"""Every protection is needed: without it, a scenario that ends well ends with wrong data.

Covers the rows of docs/delivery-guarantees.md. A scenario returns what is wrong at the end, judged only by
Batch and the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from dbt_common.exceptions import DbtBaseException
from harness.bench import Bench, Knobs
from harness.faults import Fault, FaultKind, When
from harness.faulty import Trouble
from harness.faulty_sandbox import FaultyServer

from dbt_batch_sync.batch_api.answers import Answer
from dbt_batch_sync.ledger.claims import Hold
from dbt_batch_sync.ledger.records import Reject
from dbt_batch_sync.ledger.state import Checkpoint, SyncState
from dbt_batch_sync.push import session as session_module
from dbt_batch_sync.push import sync_push as push_module
from dbt_batch_sync.push.source import Source
from dbt_batch_sync.push.sync_push import SyncPush
from dbt_batch_sync.sandbox.server import SandboxSettings

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


def a_row_is_rejected(bench: Bench) -> list[str]:
    bench.map(MAPPING)
    give(bench, 1)
    bench.push(faults=[Fault(FaultKind.REFUSE_ROWS, custom_ids=("a",))])
    assert bench.build()
    bench.push()
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


def subscribed_again(bench: Bench) -> list[str]:
    bench.map(MAPPING)
    for optin in (False, None, True):
        give(bench, 1, optin=optin)
        bench.push()
    found = {name: held["$email_marketing"].value for name, held in bench.profiles().items()}
    return [f"{name} is subscribed" for name, value in found.items() if value != "unsubscribed"]


def send_anyway(self: SyncPush, body: bytes) -> Answer:
    return self.channel.client.send(self.channel.route, body)


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
    return push_module.ended(
        self.hold.journal, self.run, page=page, retention_days=self.work.output.retention_days
    )


def all_that_was_sent(self: SyncPush) -> Checkpoint:
    return Checkpoint(self.work.histogram.page_of(self._reached) or 0)


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
    "an opt-out is remembered": (
        subscribed_again,
        "is_opted_out",
        r"(?s)case when .* else false end",
        "false",
    ),
}


@pytest.mark.parametrize("name", IN_PYTHON)
def test_each_protection_of_the_push_is_needed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    scenario, owner, attribute, without = IN_PYTHON[name]
    bench.reset()
    assert scenario(bench) == []
    bench.reset()
    monkeypatch.setattr(owner, attribute, without)
    assert scenario(bench) != []


@pytest.mark.parametrize("name", IN_SQL)
def test_each_protection_of_dbt_run_is_needed(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    scenario, macro, pattern, without = IN_SQL[name]
    bench.reset()
    assert scenario(bench) == []
    settings = SandboxSettings(rate_limits=False)
    with FaultyServer(settings) as server:
        broken = Bench(tmp_path_factory.mktemp("broken"), server)
        found = broken._dbt._manifest.macros[f"macro.dbt_batch_sync.{macro}"]
        found.macro_sql, count = re.subn(pattern, without, found.macro_sql)
        assert count == 1
        assert scenario(broken) != []
