"""Finds the operations that a request was rejected for, by halving it until each is isolated.

Bound: with k rejected operations among n, at most k·(2·log2 n + 1) requests. If the first half of a rejected
range is accepted, the cause is in the second half, so it is split at once. Otherwise, the bound fails when n
is not a power of two.

If most of a chunk is bad, the cause is not in its rows. After `FIRST_CHECK` rejections, and each time their
number has doubled, up to `PROBES` operations spread over the rest are sent alone. If more than half of them
are rejected, the search ends. (The share of rejections so far would be misleading: bad rows may be neighbors
among good ones.)

Rows that must not be sent twice are not sampled. Their search ends early only if none of `UNACCEPTED`
operations was accepted, so that nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from dbt_batch_sync.batch_api.answers import Accepted, PartialError, Rejected

FIRST_CHECK: Final = 25
PROBES: Final = 16
UNACCEPTED: Final = 200
_SMALL_REST: Final = 4 * PROBES  # fewer are tried to the end, which takes at most two requests each

Call = Callable[[int, int], "Accepted | Rejected"]


@dataclass(eq=False)
class MostlyRejected(Exception):
    """The search was stopped. Counts rejected operations and probes; no probes if rows can't be repeated."""

    rejected: int
    probes_rejected: int
    probes: int
    answer: Rejected


def find_rejected(operations: int, call: Call, *, repeatable: bool = True) -> list[PartialError]:
    """Sends all operations. If they are rejected, sends ever smaller parts until each is accepted or rejected
    alone. `call` sends those from a start up to, but not including, a stop. Unless `repeatable`, an accepted
    operation is never sent again, by this search or after it. Raises MostlyRejected.

    Returns the errors by index in the chunk. An operation that was rejected alone is an error, too.
    """
    search = _Search(operations, call, repeatable)
    if operations:
        search.visit(0, operations, guilty=False)
    return search.errors


class _Search:
    def __init__(self, operations: int, call: Call, repeatable: bool) -> None:
        self._operations = operations
        self._call = call
        self._repeatable = repeatable
        self._accepted = False
        self._next_check = FIRST_CHECK
        self._rejected = 0
        self.errors: list[PartialError] = []

    def visit(self, start: int, stop: int, guilty: bool) -> bool:
        """Settles a range (`guilty`: known to be rejected). Returns whether it was rejected as a whole."""
        if not guilty or stop - start == 1:
            answer = self._call(start, stop)
            if isinstance(answer, Accepted):
                self._accepted = True
                self.errors += (replace(error, index=error.index + start) for error in answer.errors)
                return False
            if stop - start == 1:
                self._reject(start, answer)
                return True
        middle = (start + stop) // 2
        first = self.visit(start, middle, guilty=False)
        self.visit(middle, stop, guilty=not first)
        return True

    def _reject(self, index: int, answer: Rejected) -> None:
        self._rejected += 1
        self.errors.append(PartialError(index, None, answer.code, answer.message))
        if not self._repeatable:
            large = self._operations > FIRST_CHECK + _SMALL_REST
            if large and not self._accepted and self._rejected == min(self._operations, UNACCEPTED):
                raise MostlyRejected(self._rejected, 0, 0, answer)
            return
        rest = self._operations - index - 1
        if self._rejected < self._next_check or rest <= _SMALL_REST:
            return
        self._next_check *= 2
        probes = [index + 1 + rest * number // PROBES for number in range(PROBES)]
        bad = sum(isinstance(self._call(probe, probe + 1), Rejected) for probe in probes)
        if bad * 2 > PROBES:
            raise MostlyRejected(self._rejected, bad, PROBES, answer)
