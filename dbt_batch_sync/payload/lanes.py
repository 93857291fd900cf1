"""Record batches worked on in several threads at once, and their rows given back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Work: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""What a lane does: batches of rows in, the same rows in the same order out, in batches of any size."""

_HELD = 2
"""Finished batches that a lane holds before it waits for them to be taken."""


def in_lanes(
    batches: Iterator[pa.RecordBatch], work: Work, lanes: int, position: str, after: int
) -> Generator[pa.RecordBatch, None, None]:
    """Deals batches to lanes in turn; yields what they make of them in the order of the column `position`,
    which counts the rows from `after` + 1 on.

    One lane works in the caller's thread, and so does a single batch. An error ends the result behind the
    last row before it. Rows that a lane leaves out, or gives out of order, are never given back: the result
    ends before them, so whoever needs every row has to count.
    """
    first = list(islice(batches, lanes))
    deal = _Deal(first, batches, len(first) or 1)
    if deal.lanes == 1:
        yield from _in_order(work(deal.hand(0)), position, after)
        return
    running = [_Lane(work, deal.hand(number)) for number in range(deal.lanes)]
    try:
        for lane in running:
            lane.thread.start()
        yield from _merged(running, position, after)
    finally:
        deal.end()
        for lane in running:
            lane.leave()


class _Deal:
    """Gives each lane every n-th batch. A lane that is ahead lays aside what is another's."""

    def __init__(self, first: list[pa.RecordBatch], rest: Iterator[pa.RecordBatch], lanes: int) -> None:
        self.lanes = lanes
        self._hands = [deque(first[number::lanes]) for number in range(lanes)]
        self._rest = rest
        self._next = len(first) % lanes
        self._over = False
        self._lock = Lock()

    def hand(self, lane: int) -> Iterator[pa.RecordBatch]:
        while (batch := self._take(lane)) is not None:
            yield batch

    def _take(self, lane: int) -> pa.RecordBatch | None:
        with self._lock:
            while not self._over and not self._hands[lane]:
                batch = next(self._rest, None)
                if batch is None:
                    self._over = True
                else:
                    self._hands[self._next].append(batch)
                    self._next = (self._next + 1) % self.lanes
            return self._hands[lane].popleft() if self._hands[lane] else None

    def end(self) -> None:
        """No lane gets another batch."""
        with self._lock:
            self._over = True
            for hand in self._hands:
                hand.clear()


@dataclass
class _Lane:
    """A thread at work. Its results end with None, or with the error that ended it."""

    work: Work
    hand: Iterator[pa.RecordBatch]
    results: SimpleQueue[pa.RecordBatch | BaseException | None] = field(default_factory=SimpleQueue)
    room: Semaphore = field(default_factory=lambda: Semaphore(_HELD))
    pieces: deque[pa.RecordBatch] = field(default_factory=deque)
    ended: bool = False
    left: bool = False
    thread: Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = Thread(target=self._run, name="render", daemon=True)

    def _run(self) -> None:
        try:
            for batch in self.work(self.hand):
                self.room.acquire()
                if self.left:
                    break
                self.results.put(batch)
        except BaseException as error:  # noqa: BLE001  (raised in the thread that asks for the rows)
            self.results.put(error)
        else:
            self.results.put(None)

    def leave(self) -> None:
        """Ends the thread, soon: what it has in hand is worked on, nothing else is."""
        self.left = True
        self.room.release()
        if self.thread.ident is not None:
            self.thread.join()


def _merged(lanes: list[_Lane], position: str, after: int) -> Iterator[pa.RecordBatch]:
    failure: BaseException | None = None
    while True:
        starting = (each for each in lanes if each.pieces)
        ready = next((each for each in starting if _start(each.pieces[0], position) == after + 1), None)
        if ready is not None:
            piece = ready.pieces.popleft()
            after += piece.num_rows
            yield piece
            continue
        lane = next((each for each in lanes if not (each.pieces or each.ended)), None)
        if lane is None:
            break
        result = lane.results.get()
        if isinstance(result, pa.RecordBatch):
            lane.room.release()
            lane.pieces.extend(_runs(result, position))
        else:
            lane.ended, failure = True, failure or result
    if failure is not None:
        raise failure


def _in_order(batches: Iterator[pa.RecordBatch], position: str, after: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for piece in _runs(batch, position):
            if _start(piece, position) != after + 1:
                return
            after += piece.num_rows
            yield piece


def _runs(batch: pa.RecordBatch, position: str) -> Iterator[pa.RecordBatch]:
    """A batch, cut where the rows of another lane are missing."""
    jumps = pc.indices_nonzero(pc.not_equal(pc.pairwise_diff(batch.column(position)).slice(1), 1))
    start = 0
    for jump in (*jumps.to_pylist(), batch.num_rows - 1):
        if jump >= start:
            yield batch.slice(start, jump + 1 - start)
        start = jump + 1


def _start(piece: pa.RecordBatch, position: str) -> int:
    return int(piece.column(position)[0].as_py())
