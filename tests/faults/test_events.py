"""Events and kills: `resend` loses none, `skip` duplicates none, and both report how many are uncertain."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from harness.bench import EVENT_COLUMNS, EVENTS, Bench, Knobs, Outcome, events
from harness.faults import Fault, FaultKind, When
from harness.faulty import Trouble


@pytest.fixture
def bench(events_bench: Bench) -> Bench:
    events_bench.reset()
    return events_bench


def seen(bench: Bench) -> Counter[Any]:
    return bench.sandbox.events.seen_by("number")


class History:
    """What pushes reported, and the final assertions on it."""

    def __init__(self, bench: Bench, on_doubt: str) -> None:
        self.bench = bench
        self.on_doubt = on_doubt
        self.unsure = 0
        bench.map({**EVENTS, "on_doubt": on_doubt})
        bench.set_rows(EVENT_COLUMNS, [])
        bench.build()
        bench.push()

    def push(self, **options: Any) -> Outcome:
        outcome = self.bench.push(**options)
        self.unsure += outcome.pushed.unsure if outcome.pushed else 0
        return outcome

    def finish(self) -> None:
        """Build and push until nothing is left."""
        for _ in range(3):
            self.bench.let_leases_expire()
            assert self.bench.build()
            outcome = self.push()
            assert outcome.pushed is not None
            assert outcome.pushed.status in ("succeeded", "partial"), outcome.pushed.error
        assert outcome.requests == 0

    def check(self, ids: range) -> None:
        counts = seen(self.bench)
        assert counts.keys() <= set(ids)
        assert not self.bench.sandbox.stats.violations, self.bench.sandbox.stats.examples
        lost = [n for n in ids if not counts[n]]
        again = [n for n in ids if counts[n] > 1]
        assert not (again if self.on_doubt == "skip" else lost), (lost, again)
        assert len(lost) + len(again) <= self.unsure, (lost, again, self.unsure)


POINTS = (
    "append:claimed",
    "append:intent",
    "append:rejects",
    "append:checkpoint",
    "append:ended",
    "fetch",
    "send",
)
EVERY_WRITE = [
    pytest.param(
        Trouble(point, nth, when),
        marks=[] if nth == times and (when == "after" or point == "send") else pytest.mark.thorough,
        id=f"{when} {point} {nth}",
    )
    for point, times in (
        ("append:claimed", 1), ("append:intent", 2), ("send", 3), ("append:rejects", 1), ("append:checkpoint", 2),
        ("append:ended", 1), ("fetch", 4),
    )
    for nth in range(1, times + 1)
    for when in ("before", "after")
]  # fmt: skip


@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
@pytest.mark.parametrize("trouble", EVERY_WRITE)
def test_killed_at_every_write(bench: Bench, on_doubt: str, trouble: Trouble) -> None:
    history = History(bench, on_doubt)
    bench.set_rows(EVENT_COLUMNS, [*events(14), {**events(1, 14)[0], "customer": "e", "name": "Not a name"}])
    bench.build()
    assert history.push(trouble=trouble).killed
    before = seen(bench)
    history.finish()
    history.check(range(14))
    if on_doubt == "skip":
        doubtful = [n for n in range(14) if not seen(bench)[n]]
        assert not set(doubtful) & set(before)
        assert history.unsure <= 3 * 4, "more than the calls in flight are in doubt"


@pytest.mark.parametrize(
    "trouble", [Trouble("send", 1, "after"), Trouble("append:checkpoint", 1, "after")], ids=str
)
def test_a_first_push_that_was_killed_stays_confirmed(bench: Bench, trouble: Trouble) -> None:
    bench.map({**EVENTS, "on_doubt": "resend"})
    bench.set_rows(EVENT_COLUMNS, events(14))
    bench.build()
    stopped = bench.push().pushed
    assert stopped is not None
    assert "first push" in str(stopped.error)
    assert bench.push(trouble=trouble, force=True).killed
    bench.let_leases_expire()
    assert bench.build()
    pushed = bench.push().pushed
    assert pushed is not None
    assert pushed.error is None
    assert seen(bench).keys() == set(range(14))


@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
def test_mostly_bad_events_are_settled_and_the_others_sent_once(bench: Bench, on_doubt: str) -> None:
    history = History(bench, on_doubt)
    rows = [{**events(1)[0], "id": n, "customer": f"p{n:03}"} for n in range(100)]
    good = {10, 60, 99}
    bad = tuple(f"p{n:03}" for n in range(100) if n not in good)
    bench.set_rows(EVENT_COLUMNS, rows)
    bench.build()
    fault = Fault(FaultKind.REJECT_CALL, custom_ids=bad)
    pushed = history.push(faults=[fault], knobs=Knobs(chunk_rows=100, window_rows=0)).pushed
    assert pushed is not None
    assert (pushed.status, pushed.accepted, pushed.rejected_rows) == ("partial", 3, 97)
    history.finish()
    assert seen(bench) == dict.fromkeys(good, 1)


@pytest.mark.parametrize("rebuilt", [True, False])
@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
def test_a_killed_push_does_not_report_the_doubt_it_settled(
    bench: Bench, on_doubt: str, rebuilt: bool
) -> None:
    """The next push reports it, with this delta or the next."""
    history = History(bench, on_doubt)
    bench.set_rows(EVENT_COLUMNS, events(14))
    bench.build()
    assert history.push(trouble=Trouble("send", 1, "after")).killed
    bench.let_leases_expire()
    assert history.push(trouble=Trouble("append:checkpoint", 1, "after")).killed
    assert history.unsure == 0
    bench.let_leases_expire()
    if rebuilt:
        assert bench.build()
    last = history.push()
    assert last.pushed is not None
    assert last.pushed.unsure >= 1
    history.finish()
    history.check(range(14))


def play(bench: Bench, on_doubt: str, seed: int) -> None:
    """Pushes that die, lose their connection or meet failing servers, with new events in between."""
    chance = random.Random(seed)
    history = History(bench, on_doubt)
    bench.sandbox.change(event_errors=chance.choice(["none", "name", "place"]))
    count = 0
    for _ in range(chance.randint(2, 4)):
        count += chance.randint(1, 14)
        bench.set_rows(EVENT_COLUMNS, events(count))
        died = chance.randint(1, 25) if chance.random() < 0.2 else None
        bench.build(dies_at=died) or bench.build()
        for _ in range(chance.randint(1, 2)):
            knobs = Knobs(
                chunk_rows=chance.randint(1, 3), window_rows=chance.choice([0, 1, 4]), in_flight=chance.randint(1, 3),
                checkpoint_every=chance.randint(1, 3), max_attempts=chance.randint(1, 3), seed=chance.random().__hash__(),
            )  # fmt: skip
            history.push(trouble=_trouble(chance), faults=_faults(chance), knobs=knobs)
            bench.let_leases_expire()
    history.finish()
    history.check(range(count))


def _trouble(chance: random.Random) -> Trouble | None:
    if chance.random() < 0.3:
        return None
    act = chance.choice(["kill", "kill", "fail", "lose"])
    return Trouble(chance.choice(POINTS), chance.randint(1, 4), chance.choice(["before", "after"]), act)


def _faults(chance: random.Random) -> list[Fault]:
    kinds = (FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER, FaultKind.GARBAGE, FaultKind.TRUNCATE)
    if chance.random() < 0.5:
        return []
    when = When(nth=(chance.randint(1, 4),))
    if chance.random() < 0.4:
        return [Fault(FaultKind.STATUS, when, status=chance.choice([400, 429, 500, 502, 503]))]
    return [Fault(chance.choice(kinds), when)]


@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
@pytest.mark.parametrize("seed", range(3))
def test_random_kills(bench: Bench, on_doubt: str, seed: int) -> None:
    play(bench, on_doubt, seed)


@pytest.mark.thorough
@pytest.mark.parametrize("on_doubt", ["resend", "skip"])
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_random_kills(bench: Bench, on_doubt: str, seed: int) -> None:
    play(bench, on_doubt, seed)
