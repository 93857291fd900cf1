"""Delivery of any rows, with any answers in any order."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dbt_batch_sync.batch_api.answers import (
    Accepted,
    Answer,
    Broken,
    BrokenKind,
    Busy,
    Fatal,
    PartialError,
    Rejected,
    check_indexes,
    parse,
    read_bulk,
)
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.delivery.chunks import Chunk, chunk_rows
from dbt_batch_sync.delivery.halving import FIRST_CHECK, MostlyRejected, find_rejected
from dbt_batch_sync.delivery.pacing import Pacer, Timing, pacer_for
from dbt_batch_sync.delivery.sender import Delivery, Interrupted, Settled
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.kind import Route
from dbt_batch_sync.kinds.profiles import MASS_UPDATE, UPDATE

# --- chunks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row's operations are numbered: `[row, 0, text]`, `[row, 1, text]`, …"""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    rows: tuple[Row, ...]
    sizes: tuple[int, ...]  # of the record batches, repeated cyclically
    text: pa.DataType
    offset: int
    max_operations: int
    max_bytes: int


def operation(row: int, number: int, text: str) -> str:
    return json.dumps([row, number, text], ensure_ascii=False)


TEXTS = st.text(st.sampled_from('aé𝄞"\\\n\u2028'), max_size=30)
ROWS = st.builds(Row, st.lists(TEXTS, max_size=4).map(tuple) | st.tuples(TEXTS))
CASES = st.builds(
    Case,
    rows=st.lists(ROWS, max_size=40).map(tuple),
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=5).map(tuple),
    text=st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
    offset=st.integers(0, 3),
    max_operations=st.integers(1, 8),
    max_bytes=st.integers(20, 250),
)


def batches(case: Case) -> Iterator[pa.RecordBatch]:
    at = turn = 0
    while at < len(case.rows) or turn == 0:
        size = case.sizes[turn % len(case.sizes)] or (1 if turn > len(case.sizes) else 0)
        numbers = range(at, min(at + size, len(case.rows)))
        texts = [[operation(n, i, t) + "," for i, t in enumerate(case.rows[n].texts)] for n in numbers]
        pad: list[Any] = [None] * case.offset
        columns = {
            "key": pa.array(["pad"] * case.offset + [f"k{n}" for n in numbers], case.text),
            "operation": pa.array(pad + [t[0] if t else None for t in texts], case.text),
            "extra": pa.array(pad + [t[1:] or None for t in texts], pa.list_(pa.string())),
        }
        yield pa.RecordBatch.from_pydict(columns).slice(case.offset)
        at += len(numbers)
        turn += 1


def expected_operations(case: Case) -> list[list[str]]:
    """The operations to send for each row: those before the first oversized one."""
    expected = []
    for number, row in enumerate(case.rows):
        texts = [operation(number, index, text) for index, text in enumerate(row.texts)]
        fits = [len(text.encode()) + 2 <= case.max_bytes for text in texts]
        expected.append(texts[: fits.index(False)] if False in fits else texts)
    return expected


@given(CASES)
@settings(max_examples=300, deadline=None)
def test_chunks_hold_every_operation_once_within_the_limits(case: Case) -> None:
    chunks = list(chunk_rows(batches(case), case.max_operations, case.max_bytes))
    expected = expected_operations(case)
    sent: list[list[str]] = [[] for _ in case.rows]
    oversized: set[int] = set()
    covered = 0
    for number, chunk in enumerate(chunks, start=1):
        body = chunk.body()
        operations = json.loads(body)
        assert len(body) <= case.max_bytes
        assert len(operations) == len(chunk) <= case.max_operations
        keys = [chunk.rows_of(index)[0] for index in range(len(chunk))]
        assert len(set(keys)) == len(keys)
        assert keys == [f"k{row}" for row, _, _ in operations]
        for row, index, text in operations:
            assert len(sent[row]) == index
            sent[row].append(operation(row, index, text))
        oversized |= {int(key[1:]) for key in chunk.oversized}
        assert chunk.number == number
        covered += chunk.rows
        assert all(sent[row] == expected[row] for row in range(covered))
        assert covered <= chunk.reached
        assert not any(sent[chunk.reached :])
        check_parts(chunk, operations)
    assert sent == expected
    assert covered == len(case.rows)
    assert oversized == {row for row, texts in enumerate(expected) if len(texts) < len(case.rows[row].texts)}
    assert sum(chunk.sent for chunk in chunks) == sum(bool(texts) for texts in expected)


def check_parts(chunk: Chunk, operations: list[Any]) -> None:
    middle = len(operations) // 2
    assert json.loads(chunk.body(0, middle)) + json.loads(chunk.body(middle)) == operations


@given(CASES)
@settings(max_examples=150, deadline=None)
def test_a_chunk_covers_as_many_rows_as_possible(case: Case) -> None:
    """Within one record batch, a chunk covers every row that has nothing left to send."""
    whole = Case(case.rows, (1_000,), case.text, case.offset, case.max_operations, case.max_bytes)
    # An oversized operation counts as left until it is listed.
    left = [
        len(texts) + (len(texts) < len(row.texts))
        for texts, row in zip(expected_operations(whole), whole.rows, strict=True)
    ]
    covered = 0
    for chunk in chunk_rows(batches(whole), whole.max_operations, whole.max_bytes):
        for row in [row for row, _, _ in json.loads(chunk.body())] + [
            int(key[1:]) for key in chunk.oversized
        ]:
            left[row] -= 1
        covered += chunk.rows
        assert sum(left[:covered]) == 0
        assert covered == len(left) or left[covered] > 0


# --- halving ------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=n)))
)
@settings(max_examples=300, deadline=None)
def test_halving_finds_exactly_the_bad_operations_within_its_bound(case: tuple[int, set[int]]) -> None:
    count, bad = case
    calls: list[tuple[int, int]] = []

    def call(start: int, stop: int) -> Accepted | Rejected:
        calls.append((start, stop))
        return Rejected(400) if any(start <= index < stop for index in bad) else Accepted()

    found: list[PartialError] | MostlyRejected
    try:
        found = find_rejected(count, call)
    except MostlyRejected as stopped:
        found = stopped
    assert len(calls) <= max(1, len(bad)) * (2 * math.log2(count) + 1)
    if isinstance(found, MostlyRejected):
        assert found.rejected == FIRST_CHECK * 2 ** int(math.log2(found.rejected / FIRST_CHECK))
        assert len(bad) > FIRST_CHECK
        assert len(calls) < 2 * count
    else:
        assert [each.index for each in found] == sorted(bad)


# --- pacing -------------------------------------------------------------------------------------------------


@given(
    st.sampled_from((UPDATE, MASS_UPDATE)),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 20) | st.just(0.0)), min_size=1, max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_a_strict_server_never_rejects_a_paced_client(
    endpoint: Route, calls: list[tuple[float, float]]
) -> None:
    limits = endpoint
    clock = [0.0]

    def wait(seconds: float) -> bool:
        clock[0] += seconds
        return False

    pacer = pacer_for(limits, now=lambda: clock[0])
    capacity = float(limits.burst or limits.max_rows)
    tokens, at = capacity, 0.0
    for share, pause in calls:
        clock[0] += pause
        profiles = max(1, round(share * limits.max_rows))
        assert pacer.acquire(profiles, wait)
        tokens = min(capacity, tokens + (clock[0] - at) * limits.rate) - profiles
        at = clock[0]
        assert tokens >= -1e-6


# --- several in flight --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Script:
    """The answers to a chunk's calls, how long its thread dawdles, and which operations get a 400."""

    answers: tuple[Answer, ...]
    dawdle: int
    bad: frozenset[int]
    stops: bool


HITCHES = st.sampled_from([Busy(503), Busy(429, 1.0), Broken(BrokenKind.CUT), Broken(BrokenKind.TIMEOUT)])
SCRIPTS = st.builds(
    Script,
    answers=st.lists(HITCHES, max_size=3).map(tuple) | st.sampled_from([(Fatal(401),), (Busy(503),) * 4]),
    dawdle=st.integers(0, 20),
    bad=st.frozensets(st.integers(0, 3), max_size=2),
    stops=st.sampled_from([False] * 7 + [True]),
)
FAST = Timing(time.monotonic, lambda event, _: event.is_set(), lambda: 0.0)
SIZE = 4


@given(st.lists(SCRIPTS, max_size=25), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_delivery_yields_a_settled_prefix(scripts: list[Script], in_flight: int) -> None:
    stop = threading.Event()
    turns = [iter(script.answers) for script in scripts]
    lock = threading.Lock()
    accepted: set[int] = set()
    done: list[Settled] = []

    def send(body: bytes) -> Answer:
        operations: list[int] = json.loads(body)
        script = scripts[operations[0] // SIZE]
        for _ in range(script.dawdle):
            time.sleep(0)
        if script.stops:
            stop.set()
        with lock:
            hitch = next(turns[operations[0] // SIZE], None)
            if hitch is not None:
                return hitch
            if any(number % SIZE in script.bad for number in operations):
                return Rejected(400)
            accepted.update(operations)
            return Accepted()

    keys = [f"{number:04d}" for number in range(len(scripts) * SIZE)]
    batch = pa.RecordBatch.from_pydict(
        {
            "key": pa.array(keys, pa.string()),
            "operation": pa.array([f"{int(key)}," for key in keys], pa.string()),
            "extra": pa.nulls(len(keys), pa.list_(pa.string())),
        }
    )
    ending: BaseException | None = None
    try:
        delivery = Delivery(
            send, NoHold(0, 0), RetryPolicy(max_attempts=4), stop, max_in_flight=in_flight, timing=FAST
        )
        for settled in delivery.run(chunk_rows([batch], SIZE)):
            # By the time it is yielded, everything in it is accepted or rejected.
            done.append(settled)
            check_outcome(settled, scripts[len(done) - 1], accepted)
    except (DeliveryError, Interrupted) as error:
        ending = error
    assert [settled.chunk.number for settled in done] == list(range(1, len(done) + 1))
    fails = [any(isinstance(a, Fatal) for a in s.answers) or len(s.answers) == 4 for s in scripts]
    assert not any(fails[: len(done)])
    if ending is None:
        assert len(done) == len(scripts)
    elif isinstance(ending, DeliveryError):
        assert any(fails)
        if not stop.is_set() and in_flight == 1:
            assert len(done) == fails.index(True)
    else:
        assert stop.is_set()


class NoHold(Pacer):
    """A pacer without shared `Retry-After` waits."""

    def hold(self, seconds: float) -> None:
        return None


def check_outcome(settled: Settled, script: Script, accepted: set[int]) -> None:
    first = (settled.chunk.number - 1) * SIZE
    rejected = {int(row.key) for row in settled.rejects}
    assert rejected == {first + index for index in script.bad}
    assert set(range(first, first + SIZE)) - rejected <= accepted
    assert settled.retries == len(script.answers)


# --- answers ------------------------------------------------------------------------------------------------

SECRET = "Zyxw9"  # not part of any vocabulary, code or attribute name
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just(f"value {SECRET} is bad"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ERRORS = st.lists(
    JSON
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("bulk_index", "attribute", "category", "reason"), JSON)
    )
    | st.fixed_dictionaries({"bulk_index": st.integers(0, 9)}, optional={"reason": JSON, "attribute": JSON}),
    max_size=4,
)
DOCUMENTS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from(["SUCCESS", "SUCCESS_WITH_PARTIAL_ERRORS"]) | JSON,
        "errors": ERRORS | JSON,
        "error_code": JSON,
        "error_message": JSON,
    },
)


@given(
    st.integers(0, 999) | st.sampled_from([200, 202, 400, 401, 429, 503]),
    st.dictionaries(st.sampled_from(["Retry-After", "Date", "Content-Encoding"]), st.text(max_size=40)),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60),
)
@settings(max_examples=500, deadline=None)
def test_no_answer_breaks_the_parser_or_leaks_a_value(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    answer = check_indexes(parse(status, headers, body, 0.0, read_bulk), 10)
    assert SECRET not in repr(answer)
    if isinstance(answer, Accepted):
        assert all(0 <= error.index < 10 for error in answer.errors)
        assert (b"errors" in body) >= bool(answer.errors)
