"""Claims: in any order of steps and with any pauses, two pushes never send at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from dbt_batch_sync.errors import Stopped, WarehouseError
from dbt_batch_sync.ledger.claims import BEAT_SECONDS, Hold, Timing, contend
from dbt_batch_sync.ledger.records import Event
from dbt_batch_sync.ledger.state import LEASE_SECONDS, SyncState, state_of

START = datetime(2026, 4, 1, 6)
GAMES = 10_000
PAUSES = (0.0, 0.0, 0.001, 0.01, 0.1, 0.5, 1.0, 1.0, 5.0, 12.0, 19.0, 59.9, 61.0)


@dataclass
class World:
    """A journal and the true time, which may differ from a host's clock."""

    seconds: float = 0.0
    events: list[Event] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def state(self) -> SyncState:
        return state_of("people", self.events, self.now)


class Push:
    """A push that claims a sync and sends, as a sequence of steps that can be interleaved.

    An append takes two steps: it is made, and later it appears in the journal. The claim's lifetime follows
    `Hold`; the tests `test_a_hold_…` below check `Hold` itself.
    """

    def __init__(self, world: World, name: str, chance: random.Random) -> None:
        self.world = world
        self.name = name
        self.heard_at = 0.0
        self.holds = False
        self._chance = chance

    @property
    def may_send(self) -> bool:
        return self.holds and self.world.seconds - self.heard_at < LEASE_SECONDS

    def steps(self) -> Generator[None, None, None]:
        contending = contend("people", self.name, self._chance.random)
        answer: SyncState | None = None
        try:
            while True:
                step = contending.send(answer)
                answer = None
                if step == "read":
                    yield
                    answer = self.world.state()
                elif step in ("claimed", "released"):
                    if step == "claimed":
                        self.heard_at = self.world.seconds
                    yield from self._append(step)
                else:
                    yield
        except StopIteration:
            self.holds = True
        except Stopped:
            return
        for _ in range(self._chance.randrange(6)):
            if not self.may_send:
                return
            yield from self._append("beat")
        yield
        self.holds = False
        yield from self._append("released")

    def _append(self, event: Any) -> Generator[None, None, None]:
        began = self.world.seconds
        made = Event(self.world.now, "people", event, run_id=self.name, host="elsewhere")
        yield
        self.world.events.append(made)
        if self.world.seconds - self.heard_at < LEASE_SECONDS:
            self.heard_at = began
        yield


def play(seed: int) -> int:
    """Interleave three pushes. Returns how many held the sync; fails if two could send at once."""
    chance, world = random.Random(seed), World()
    pushes = [Push(world, name, chance) for name in "abc"]
    games = {push.name: push.steps() for push in pushes}
    held: set[str] = set()
    while games:
        name = chance.choice(list(games))
        world.seconds += chance.choice(PAUSES)
        try:
            next(games[name])
        except StopIteration:
            del games[name]
        sending = {push.name for push in pushes if push.may_send}
        assert len(sending) < 2, (seed, sending)
        held |= sending
    return len(held)


def test_two_pushes_never_hold_a_sync_at_once() -> None:
    held = [play(seed) for seed in range(GAMES)]
    # If no push ever held the sync, the test would prove nothing.
    assert held.count(0) < GAMES * 0.7
    assert sum(count > 1 for count in held) > GAMES / 50


@pytest.mark.parametrize("broken", ["late renewal", "no reading back"])
def test_the_simulation_detects_a_broken_protocol(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def append(self: Push, event: Any) -> Generator[None, None, None]:
        began = self.world.seconds
        made = Event(self.world.now, "people", event, run_id=self.name, host="elsewhere")
        yield
        self.world.events.append(made)
        self.heard_at = began
        yield

    def careless(sync: str, run_id: str, chance: Any) -> Generator[Any, Any, Any]:
        state = yield "read"
        if state.others(run_id):
            raise Stopped("held")
        yield "claimed"

    if broken == "late renewal":
        monkeypatch.setattr(Push, "_append", append)
    else:
        monkeypatch.setitem(globals(), "contend", careless)
    with pytest.raises(AssertionError):
        list(map(play, range(GAMES)))


class Ledger:
    """A journal with a settable delay, which can also be unreachable."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.takes = 0.0
        self.down = False
        self.meanwhile: Callable[[], None] = lambda: None

    def stamp(self) -> datetime:
        return self.world.now

    def append(self, events: list[Event]) -> None:
        if self.down:
            raise WarehouseError("down")
        self.world.seconds += self.takes
        self.world.events += events
        self.meanwhile()

    def state(self, sync: str) -> SyncState:
        return self.world.state()


def hold(world: World, ledger: Ledger, name: str = "r1") -> Hold:
    def sleep(seconds: float) -> None:
        world.seconds += seconds

    timing = Timing(lambda: world.seconds, sleep, lambda: 0.5)
    return Hold(ledger, "people", name, timing)  # type: ignore[arg-type]


def test_a_hold_ends_without_heartbeats() -> None:
    world = World()
    held = hold(world, Ledger(world))
    held.take()
    world.seconds += LEASE_SECONDS - 1
    held.append([held.event("beat")])
    world.seconds += LEASE_SECONDS - 1
    held.check()
    assert held.seconds_left == pytest.approx(1)
    world.seconds += 1
    with pytest.raises(Stopped, match="another one may have taken over"):
        held.check()
    # Final, because another push may now hold the sync.
    with pytest.raises(Stopped):
        held.append([held.event("beat")])
    assert [event.event for event in world.events] == ["claimed", "beat"]


def test_a_hold_is_not_renewed_after_its_end() -> None:
    world = World()
    ledger = Ledger(world)
    held = hold(world, ledger)
    held.take()
    world.seconds += LEASE_SECONDS - 1
    ledger.takes = 2
    with pytest.raises(Stopped):
        held.append([held.event("beat")])
    with pytest.raises(Stopped):
        held.check()


def test_a_hold_counts_from_the_start_of_an_append() -> None:
    world = World()
    ledger = Ledger(world)
    held = hold(world, ledger)
    ledger.takes = 10
    held.take()
    assert held.seconds_left == LEASE_SECONDS - 10


def test_a_held_sync_is_refused_and_its_holder_named() -> None:
    world = World()
    hold(world, Ledger(world)).take()
    world.seconds += 15
    with pytest.raises(Stopped, match=r"already being pushed: .*run r1"):
        hold(world, Ledger(world), "r2").take()
    assert [(event.run_id, event.event) for event in world.events[1:]] == [
        ("r2", "claimed"),
        ("r2", "released"),
    ]
    world.seconds += LEASE_SECONDS - 15
    hold(world, Ledger(world), "r3").take()


def test_one_of_two_simultaneous_claims_succeeds() -> None:
    world = World()
    ledger, other = Ledger(world), hold(world, Ledger(world), "r2")
    met: list[str] = []

    def meet() -> None:
        ledger.meanwhile = lambda: None
        with pytest.raises(Stopped):
            other.take()
        assert world.seconds == pytest.approx(0.6 * (1 + 2 + 4 + 8 + 16) / 4), "each wait should double"
        met.append("r2")

    ledger.meanwhile = meet
    hold(world, ledger).take()
    assert met == ["r2"]


def test_heartbeats_fill_silences_and_stop_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    ledger = Ledger(world)
    held = hold(world, ledger)
    held.take()

    class Signal:
        """Waits by advancing the world's time, and stops after a number of waits."""

        def __init__(self) -> None:
            self.waits = 0

        def wait(self, seconds: float) -> bool:
            self.waits += 1
            world.seconds += seconds
            if self.waits == 2:
                ledger.down = True
            if self.waits == 4:
                ledger.down = False
            if self.waits == 6:
                held.finish([held.event("released")])
            return self.waits > 9

    held._beat(Signal())  # type: ignore[arg-type]
    names = [event.event for event in world.events]
    at = [(event.recorded_at - START).total_seconds() for event in world.events]
    assert names == ["claimed", "beat", "beat", "beat", "released"]
    assert at[1] == BEAT_SECONDS
    assert all(later - before < LEASE_SECONDS for before, later in pairwise(at))
