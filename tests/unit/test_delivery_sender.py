"""Several chunks in flight: order, limits, retries, and all ways to end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from itertools import pairwise
from typing import ClassVar

import pyarrow as pa
import pytest

from dbt_batch_sync.batch_api.answers import (
    Accepted,
    Answer,
    Broken,
    BrokenKind,
    Busy,
    Fatal,
    PartialError,
    Rejected,
)
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.delivery import sender
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.delivery.pacing import SYSTEM_TIMING, Pacer, Timing
from dbt_batch_sync.delivery.sender import Delivery, Interrupted, Settled
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.ledger.records import Reject

PATIENCE = 5.0  # seconds to wait for another thread before the test fails
OK = Accepted()


class Clock:
    """Simulated time that advances only by waits."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.timing = Timing(self.now, self.wait, lambda: 0.0)

    def now(self) -> float:
        return sum(self.waits)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return event.is_set()


def chunks_of(count: int, size: int = 1) -> list[Chunk]:
    """Chunks with consecutively numbered operations."""
    keys = [f"{number:06d}" for number in range(count * size)]
    columns = {
        "key": pa.array(keys),
        "operation": pa.array([f"{int(key)}," for key in keys]),
        "extra": pa.nulls(len(keys), pa.list_(pa.string())),
    }
    return list(chunk_rows([pa.RecordBatch.from_pydict(columns)], size))


class Sending:
    """A delivery with adjustable settings that records what happened."""

    def __init__(
        self, answer: Callable[[list[int]], Answer], timing: Timing | None = None, pacer: Pacer | None = None
    ) -> None:
        self.answer = answer
        self.timing = timing or Clock().timing
        self.pacer = pacer or Pacer(0, 0, self.timing.now)
        self.stop = threading.Event()
        self.sent: list[list[int]] = []
        self.settled: list[Settled] = []
        self.read = 0
        self.most_held = 0
        self.begun: list[tuple[int, bool]] = []

    def send(self, body: bytes) -> Answer:
        operations: list[int] = json.loads(body)
        self.sent.append(operations)
        return self.answer(operations)

    def source(self, chunks: list[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            self.read += 1
            self.most_held = max(self.most_held, self.read - len(self.settled))
            yield chunk

    def open(
        self, chunks: Iterator[Chunk] | list[Chunk], in_flight: int = 4, drain: float = PATIENCE
    ) -> Iterator[Settled]:
        delivery = Delivery(
            self.send,
            self.pacer,
            RetryPolicy(max_attempts=4),
            self.stop,
            max_in_flight=in_flight,
            begun=lambda chunk, may_be_sent: self.begun.append((chunk.number, may_be_sent)),
            drain_seconds=drain,
            timing=self.timing,
        )
        return delivery.run(self.source(chunks) if isinstance(chunks, list) else chunks)

    def run(
        self, chunks: Iterator[Chunk] | list[Chunk], in_flight: int = 4, drain: float = PATIENCE
    ) -> list[int]:
        for settled in self.open(chunks, in_flight, drain):
            self.settled.append(settled)
        return self.numbers

    @property
    def numbers(self) -> list[int]:
        return [settled.chunk.number for settled in self.settled]


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("timed out waiting for another thread")


def test_chunks_arrive_once_and_settle_in_order() -> None:
    delivery = Sending(lambda _: OK)
    assert delivery.run(chunks_of(20, 3)) == list(range(1, 21))
    assert sorted(number for operations in delivery.sent for number in operations) == list(range(60))
    assert {settled.rejects for settled in delivery.settled} == {()}
    settled = delivery.settled[0]
    assert (settled.requests, settled.retries) == (1, 0)


def test_no_chunks_and_a_chunk_without_operations_need_no_call() -> None:
    delivery = Sending(lambda _: OK)
    assert delivery.run([]) == []
    nothing = pa.RecordBatch.from_pydict(
        {
            "key": ["a"],
            "operation": pa.nulls(1, pa.string()),
            "extra": pa.nulls(1, pa.list_(pa.string())),
        }
    )
    assert delivery.run(list(chunk_rows([nothing], 5))) == [1]
    assert delivery.sent == []
    assert delivery.settled[0].requests == 0


def test_a_slow_first_chunk_delays_the_others() -> None:
    def answer(operations: list[int]) -> Answer:
        if operations == [0]:
            until(
                lambda: len(delivery.sent) == 5
            )  # the chunk that was read ahead was sent as soon as a slot was free
        return OK

    delivery = Sending(answer)
    assert delivery.run(chunks_of(30)) == list(range(1, 31))
    assert delivery.most_held == 5


def test_max_in_flight() -> None:
    together = threading.Barrier(4)
    lock = threading.Lock()
    now = most = 0

    def answer(_: list[int]) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(PATIENCE)
        with lock:
            now -= 1
        return OK

    assert len(Sending(answer).run(chunks_of(8))) == 8
    assert most == 4


def test_busy_and_broken_calls_are_repeated_unchanged() -> None:
    clock = Clock()
    answers: Iterator[Answer] = iter([Busy(503), Broken(BrokenKind.CUT), Busy(500, 7.0), OK])
    delivery = Sending(lambda _: next(answers), clock.timing)
    delivery.run(chunks_of(1, 2))
    assert delivery.sent == [[0, 1]] * 4
    settled = delivery.settled[0]
    assert (settled.requests, settled.retries) == (4, 3)
    assert clock.waits == [1.0, 2.0, 7.0]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([OK], [True]),
        ([Fatal(None)], [True, False]),
        ([Broken(BrokenKind.CONNECT)] * 4, [True, False] * 4),
        ([Broken(BrokenKind.CONNECT), OK], [True, False, True]),
        # After a call that may have been sent, later failures don't change that.
        ([Broken(BrokenKind.CUT), *[Broken(BrokenKind.CONNECT)] * 3], [True]),
        ([Busy(503), *[Broken(BrokenKind.CONNECT)] * 3], [True]),
    ],
)
def test_uncertain_calls_are_reported(answers: list[Answer], told: list[bool]) -> None:
    left = iter(answers)
    delivery = Sending(lambda operations: next(left))
    if answers[-1] == OK:
        delivery.run(chunks_of(1))
    else:
        with pytest.raises(DeliveryError):
            delivery.run(chunks_of(1))
    assert delivery.begun == [(1, each) for each in told]


def test_a_throttled_sender_holds_all_senders() -> None:
    class Spy(Pacer):
        holds: ClassVar[list[float]] = []

        def hold(self, seconds: float) -> None:
            self.holds.append(seconds)

    answers: Iterator[Answer] = iter([Busy(429, 30.0), Busy(503), Busy(429), OK])
    Sending(lambda _: next(answers), pacer=Spy(0, 0)).run(chunks_of(1))
    assert Spy.holds == [30.0, 4.0]


def test_a_held_sender_waits() -> None:
    clock = Clock()
    delivery = Sending(lambda _: OK, clock.timing)
    delivery.pacer.hold(12.0)
    delivery.run(chunks_of(1))
    assert clock.now() == 12.0


def test_every_call_is_paced_including_parts_and_retries() -> None:
    clock = Clock()
    answers: Iterator[Answer] = iter([Rejected(400), Busy(503), OK, Rejected(400), OK])
    delivery = Sending(lambda _: next(answers), clock.timing, Pacer(1, 0, clock.now))
    delivery.run(chunks_of(1, 4))
    assert delivery.sent == [[0, 1, 2, 3], [0, 1], [0, 1], [2], [3]]
    # There is no wait after the last call; the wait before a retry counts towards the pace.
    assert clock.now() == pytest.approx(4 + 2 + 2 + 1)


def test_rejections_reach_their_rows() -> None:
    def answer(operations: list[int]) -> Answer:
        if 5 in operations:
            return Rejected(400, "MALFORMED")
        if 1 in operations:
            return Accepted((PartialError(operations.index(1), "points", "INVALID", ""),))
        return OK

    delivery = Sending(answer)
    delivery.run(chunks_of(1, 8))
    settled = delivery.settled[0]
    assert settled.rejects == (
        Reject("000005", None, "MALFORMED", "batch"),
        Reject("000001", "points", "INVALID", "batch"),
    )
    assert settled.retries == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Fatal(401, "UNAUTHORIZED"),
            ["HTTP 401", "UNAUTHORIZED", "`rest_api_key`", "Gave up after 1 request in 0 s"],
        ),
        (Fatal(404), ["`api_version`"]),
        (Busy(503), ["HTTP 503", "`max_attempts`", "Gave up after 4 requests in 7 s"]),
        (Broken(BrokenKind.CONNECT, "ConnectTimeout"), ["ConnectTimeout", "Gave up after 4 requests in 7 s"]),
        (Busy(429, 900.0), ["wait 900 s", "300 s", "after 1 request in"]),
        (Accepted((PartialError(1, None, "", ""),)), ["bulk_index out of range", "4 requests"]),
    ],
)
def test_failures_say_what_to_do(answer: Answer, words: list[str]) -> None:
    delivery = Sending(lambda _: answer)
    with pytest.raises(DeliveryError) as caught:
        delivery.run(chunks_of(1))
    assert [word for word in words if word not in str(caught.value)] == []
    assert delivery.settled == []


def test_chunks_in_flight_are_settled_when_another_fails() -> None:
    failed = threading.Event()

    def answer(operations: list[int]) -> Answer:
        if operations == [2]:
            until(lambda: len(delivery.sent) == 4)
            failed.set()
            return Fatal(401)
        assert failed.wait(PATIENCE)
        return OK

    delivery = Sending(answer)
    with pytest.raises(DeliveryError, match="401"):
        delivery.run(chunks_of(50))
    assert delivery.numbers == [1, 2]
    assert (
        len(delivery.sent) <= 4 + 3
    )  # an answer before the failure was known may have let another call start


def test_a_call_after_the_settled_prefix_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could overwrite what the next push sends. Only the wait for calls in flight ends it."""
    failed, released, ended = threading.Event(), threading.Event(), threading.Event()

    def answer(operations: list[int]) -> Answer:
        if operations == [0]:
            until(lambda: len(delivery.sent) == 2)
            failed.set()
            return Fatal(401)
        assert failed.wait(PATIENCE)
        released.wait(PATIENCE)
        ended.set()
        return OK

    def waiting(futures: Sequence[Future[object]], timeout: float | None = None) -> object:
        if len(futures) > 1:
            released.set()
        return wait(futures, timeout)

    monkeypatch.setattr(sender, "wait", waiting)
    delivery = Sending(answer)
    with pytest.raises(DeliveryError):
        delivery.run(chunks_of(2))
    assert ended.is_set()


def test_too_many_rejections_are_a_failure() -> None:
    delivery = Sending(lambda _: Rejected(400, "MALFORMED"))
    with pytest.raises(
        DeliveryError, match=r"MALFORMED.*rejected one by one: 25 rows, and 16 of 16 samples"
    ) as caught:
        delivery.run(chunks_of(1, 1_000))
    assert "push again" in str(caught.value)
    assert len(delivery.sent) < 100


def test_settled_chunks_survive_a_failing_source() -> None:
    def source() -> Iterator[Chunk]:
        yield from chunks_of(3)
        raise OSError("the warehouse is unreachable")

    delivery = Sending(lambda _: OK)
    with pytest.raises(OSError, match="unreachable"):
        delivery.run(source())
    assert delivery.numbers == [1, 2, 3]


def test_exceptions_of_the_send_function_are_raised() -> None:
    def answer(operations: list[int]) -> Answer:
        if operations == [3]:
            raise ZeroDivisionError
        return OK

    delivery = Sending(answer)
    with pytest.raises(ZeroDivisionError):
        delivery.run(chunks_of(10))
    assert delivery.numbers == [1, 2, 3][: len(delivery.numbers)]


def test_a_stop_settles_calls_in_flight_and_starts_none() -> None:
    def answer(_: list[int]) -> Answer:
        until(lambda: len(delivery.sent) >= 4)
        delivery.stop.set()
        return OK

    delivery = Sending(answer)
    with pytest.raises(Interrupted):
        delivery.run(chunks_of(50))
    assert delivery.numbers == [1, 2, 3, 4]
    assert len(delivery.sent) == 4


def test_a_stop_before_the_start_sends_nothing() -> None:
    delivery = Sending(lambda _: OK)
    delivery.stop.set()
    with pytest.raises(Interrupted):
        delivery.run(chunks_of(5))
    assert delivery.sent == []
    assert delivery.read == 0


def test_a_stop_after_the_last_chunk_is_no_interruption() -> None:
    ended = threading.Event()

    def source() -> Iterator[Chunk]:
        yield from chunks_of(2)
        ended.set()

    def answer(_: list[int]) -> Answer:
        assert ended.wait(PATIENCE)
        until(lambda: len(delivery.sent) == 2)
        delivery.stop.set()
        return OK

    delivery = Sending(answer)
    assert delivery.run(source()) == [1, 2]


@pytest.mark.parametrize("what", ["retry", "pace"])
def test_a_stop_ends_waits(what: str) -> None:
    pacer = Pacer(0, 0) if what == "retry" else Pacer(0.001, 1)

    def answer(operations: list[int]) -> Answer:
        threading.Timer(0.05, delivery.stop.set).start()
        return Busy(503, 200.0) if what == "retry" else OK

    delivery = Sending(answer, SYSTEM_TIMING, pacer)
    with pytest.raises(Interrupted):
        delivery.run(chunks_of(3))
    assert delivery.numbers == ([] if what == "retry" else [1])


def test_the_wait_for_calls_in_flight_is_bounded() -> None:
    release = threading.Event()

    def answer(operations: list[int]) -> Answer:
        delivery.stop.set()
        return OK if operations == [0] else (release.wait(PATIENCE), OK)[1]

    delivery = Sending(answer, SYSTEM_TIMING)
    try:
        with pytest.raises(Interrupted):
            delivery.run(chunks_of(3), drain=0.05)
        assert delivery.numbers in ([], [1])
    finally:
        release.set()


@pytest.mark.parametrize("leave", ["close", "interrupt"])
def test_closing_the_delivery_does_not_block(leave: str) -> None:
    release = threading.Event()

    def answer(operations: list[int]) -> Answer:
        if operations != [0]:
            release.wait(PATIENCE)
        return OK

    delivery = Sending(answer, SYSTEM_TIMING)
    generator = delivery.open(chunks_of(50))
    try:
        assert next(generator).chunk.number == 1
        if leave == "close":
            generator.close()  # type: ignore[attr-defined]
        else:
            with pytest.raises(KeyboardInterrupt):
                generator.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        sent = len(delivery.sent)
    finally:
        release.set()
    until(lambda: not any(thread.name.startswith("batch-sender") for thread in threading.enumerate()))
    assert len(delivery.sent) <= sent + 1  # one call may just have been starting


def test_threads_end_with_the_delivery() -> None:
    Sending(lambda _: OK).run(chunks_of(10))
    until(lambda: not any(thread.name.startswith("batch-sender") for thread in threading.enumerate()))


def test_chunk_numbers_are_consecutive_for_any_order_of_answers() -> None:
    answered = [threading.Event() for _ in range(40)]

    def answer(operations: list[int]) -> Answer:
        number = operations[0]
        if number % 2 == 0:
            assert answered[number + 1].wait(PATIENCE)
        answered[number].set()
        return OK

    delivery = Sending(answer)
    delivery.run(chunks_of(40))
    assert all(after - before == 1 for before, after in pairwise(delivery.numbers))
    assert len(delivery.numbers) == 40
