"""Any answer is either parsed or `Broken`, in bounded time, and never leaks a value."""

from __future__ import annotations

import io
import json
import math
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection

from dbt_batch_sync.batch_api import client as client_module
from dbt_batch_sync.batch_api.answers import (
    Accepted,
    Answer,
    Broken,
    BrokenKind,
    Busy,
    Fatal,
    Rejected,
    check_indexes,
    describe,
    parse,
    read_bulk,
    retry_after,
)
from dbt_batch_sync.batch_api.client import Client
from dbt_batch_sync.batch_api.reasons import MAX_REASON, attribute_name, clean_reason, machine_code
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.kinds.profiles import UPDATE

NOW = 1_760_000_000.0
OFTEN = settings(max_examples=300, deadline=None)
SECRET = "x7-secret@example.com"
"""Answers may quote it; our texts must never contain it."""

# --- Input

numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 2**63, -1, True, 1.0, 1e308, -0.0]),
)
controls = st.text(st.sampled_from("\x00\x07\x1b[31m\r\n\t\x7f\x85\u2028\u202e\ud800é😀'’_ "), max_size=40)
phrases = st.lists(
    st.sampled_from(
        ["invalid", "value", "is not a date", SECRET, "0612345678", "’s", "a_b", "null_null", "é"]
    ),
    max_size=12,
).map(" ".join)
texts = st.one_of(
    st.text(max_size=40),
    controls,
    phrases,
    st.builds(
        str.__mul__,
        st.sampled_from(["invalid ", SECRET, "null_", "\x1b[2J", "…", "'", "A_"]),
        st.integers(0, 400),
    ),
)
trees = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
names = st.one_of(
    texts,
    trees,
    st.sampled_from(
        ["date(birthdate)", "url(site)", "$email_address", "points", f"date({SECRET})", "points\n"]
    ),
)
entries = st.one_of(
    trees,
    st.fixed_dictionaries(
        {},
        optional={
            "bulk_index": st.integers(0, 5) | numbers | trees,
            "attribute": names,
            "category": st.sampled_from(["INVALID_ATTRIBUTE", "A" * 65, "summer_sale"]) | names,
            "reason": names,
        },
    ),
    st.builds(
        lambda index, name, reason: {
            "bulk_index": index,
            "attribute": name,
            "reason": reason,
            "category": reason,
        },
        st.integers(0, 5),
        names,
        texts,
    ),
)
codes = st.sampled_from(["SUCCESS", "SUCCESS_WITH_PARTIAL_ERRORS", "success"])
documents = st.one_of(
    trees,
    st.fixed_dictionaries({"code": codes | trees, "errors": st.lists(entries, max_size=4) | trees}),
    st.fixed_dictionaries({"code": codes, "errors": st.lists(entries, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"error_code": names, "error_message": names}),
)


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def repeated_keys(first: Any, second: Any) -> bytes:
    """An object in which every key is repeated."""
    pairs = ",".join(
        f"{json.dumps(key)}:{json.dumps(value)}"
        for document in (first, second)
        for key, value in (document.items() if isinstance(document, dict) else ())
    )
    return f"{{{pairs}}}".encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A truncated or corrupted document."""
    body = bytearray(encoded(draw(documents)))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3)):
        if body:
            body[place % len(body)] = byte
    return bytes(body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body)


HOSTILE = (
    b"",
    b"[" * 200_000,
    b'{"code":' * 100_000,
    b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[' + b"[" * 100_000,
    b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":' + b"9" * 5_000 + b"}]}",
    b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":' + b"9" * 4_000 + b"}]}",
    b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":1e999}]}',
    b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":NaN}]}',
    b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":-0}]}',
    b'\xef\xbb\xbf{"code":"SUCCESS"}',
    '{"code":"SUCCESS"}'.encode("utf-16"),
    b'{"code":"SUCCESS"}\x00',
    b'{"code":"\xff\xfe"}',
    b'{"code":"\\ud800"}',
    b'{"error_code":"\\ud800","error_message":"\\ud800 invalid \\u0000"}',
)
bodies = st.one_of(
    st.binary(max_size=60),
    documents.map(encoded),
    damaged(),
    st.builds(repeated_keys, documents, documents),
    st.sampled_from(HOSTILE),
)
statuses = st.one_of(
    st.sampled_from([200, 202, 202, 202, 301, 400, 401, 404, 408, 413, 422, 429, 500, 503]),
    st.integers(-1, 1_000),
)
dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Thu", "Xyz", ""]),
    st.integers(-1, 99),
    st.sampled_from(["Jan", "Feb", "december", "Foo", "٣"]),
    st.sampled_from([1970, 2025, 0, 99, 9999, 10_000, 10**30, "²"]),
    st.integers(0, 30),
    st.integers(0, 70),
    st.integers(0, 70),
    st.sampled_from(["GMT", "+0000", "-9999", "+99999999", "EST", "", "-0000"]),
)
header_values = st.one_of(
    st.text(max_size=20),
    dates,
    st.integers().map(str),
    st.sampled_from(["gzip", "identity", "", "9" * 5_000, "٣", "1.5"]),
)
header_names = st.sampled_from(["Retry-After", "retry-after", "DATE", "Content-Encoding", "X-Other"])
headers = st.dictionaries(header_names, header_values, max_size=4)

# --- Parsed answers

_CODE = re.compile(r"[A-Z_]{0,64}")
_NAME = re.compile(r"\$?[a-z0-9_]{1,30}")


def check(answer: Answer) -> None:
    """Assert that an answer contains only what its class promises."""
    if isinstance(answer, Accepted):
        for error in answer.errors:
            assert type(error.index) is int
            assert error.index >= 0
            assert error.attribute is None or _NAME.fullmatch(error.attribute)
            assert _CODE.fullmatch(error.category)
    elif isinstance(answer, Broken):
        assert len(answer.detail) <= 80
        assert answer.detail.isprintable()
    else:
        assert _CODE.fullmatch(answer.code)
    if isinstance(answer, Busy) and answer.retry_after is not None:
        assert math.isfinite(answer.retry_after)
        assert answer.retry_after >= 0
    told = describe(answer)
    assert told.isprintable()
    assert len(told) <= 700
    told.encode()
    assert SECRET not in repr(answer) + told


@OFTEN
@given(statuses, headers, bodies)
@example(202, {}, b"[" * 200_000)
@example(429, {"Retry-After": "Thu, 1 Jan 99999999999999 00:00:00 GMT"}, b"")
def test_every_answer_has_a_known_class(status: int, sent: dict[str, str], body: bytes) -> None:
    answer = parse(status, sent, body, NOW, read_bulk)
    check(answer)
    if status in (408, 429) or 500 <= status < 600:
        assert isinstance(answer, Busy)
    elif status in (400, 413, 422):
        assert isinstance(answer, Rejected)
    elif 300 <= status < 500:
        assert isinstance(answer, Fatal)
    elif 200 <= status < 300:
        assert isinstance(answer, Accepted | Broken)
    else:
        assert answer == Broken(BrokenKind.ANSWER, f"status {status}")


@pytest.mark.parametrize("status", [202, 400, 401, 429, 503])
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_known_tricks(body: bytes, status: int) -> None:
    check(parse(status, {}, body, NOW, read_bulk))


@OFTEN
@given(st.lists(entries, min_size=1, max_size=6), codes, st.integers(1, 6))
def test_partial_errors_are_neither_dropped_nor_misassigned(
    given: list[Any], code: str, operations: int
) -> None:
    """Every error belongs to an operation, or else the whole answer is broken."""
    answer = parse(202, {}, encoded({"code": code, "errors": given}), NOW, read_bulk)
    check(answer)
    indexes = [entry.get("bulk_index") if isinstance(entry, dict) else None for entry in given]
    usable = code != "success" and all(type(each) is int and each >= 0 for each in indexes)
    assert isinstance(answer, Accepted) is usable
    if isinstance(answer, Accepted):
        assert [error.index for error in answer.errors] == indexes
        inside = all(index < operations for index in indexes)
        assert isinstance(check_indexes(answer, operations), Accepted) is inside
    # No call accepts errors that can't be assigned to an operation.
    assert isinstance(check_indexes(answer, 0), Broken)


@OFTEN
@given(bodies)
def test_a_success_is_never_invented(body: bytes) -> None:
    """Only an object with a known code is a success."""
    answer = parse(202, {}, body, NOW, read_bulk)
    if isinstance(answer, Accepted):
        document = json.loads(body)
        assert document["code"] in ("SUCCESS", "SUCCESS_WITH_PARTIAL_ERRORS")
        assert bool(answer.errors) is bool(document.get("errors"))
        assert answer.errors or document["code"] == "SUCCESS"


@OFTEN
@given(names)
def test_codes_and_names_have_their_format(text: object) -> None:
    assert _CODE.fullmatch(machine_code(text))
    name = attribute_name(text)
    assert name is None or (_NAME.fullmatch(name) and name in str(text))


@OFTEN
@given(texts, texts, texts, st.text(min_size=8, max_size=300).filter(str.isalnum))
def test_a_reason_never_quotes_a_value(before: str, after: str, key: str, value: str) -> None:
    """Anywhere in the reason, whole or truncated."""
    operation = encoded({"identifiers": {"custom_id": key}, "attributes": {"list": [value]}}).decode()
    for quoted in (value, value.upper(), value[:6], json.dumps(value), f"<{value}>"):
        kept = clean_reason(f"{before} {quoted} {after}", operation)
        assert len(kept) <= MAX_REASON
        assert kept.isprintable()
        assert value not in kept
        assert SECRET not in kept


@OFTEN
@given(header_values)
def test_retry_after_is_none_or_seconds(value: str) -> None:
    pause = retry_after(value, NOW)
    assert pause is None or (math.isfinite(pause) and pause >= 0)


LARGE: dict[str, Callable[[], bytes]] = {
    "errors": lambda: encoded(
        {
            "code": "SUCCESS_WITH_PARTIAL_ERRORS",
            "errors": [{"bulk_index": 1, "attribute": "points", "category": "A_B", "reason": SECRET * 20}]
            * 3_000,
        }
    ),
    "reason": lambda: encoded({"error_code": "A" * 4_000_000, "error_message": "null_" * 800_000}),
    "apostrophes": lambda: encoded({"error_message": "a" + "'" * 4_000_000}),
    "blanks": lambda: b" " * 4_000_000,
    "digits": lambda: b'{"code":' + b"9" * 4_000_000 + b"}",
    "fraction": lambda: b'{"code":0.' + b"9" * 4_000_000 + b"}",
    "keys": lambda: encoded({f"{number}": number for number in range(200_000)}),
    "objects": lambda: b'{"code":' * 500_000,
    "entries": lambda: b'{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[' + b"{}," * 1_000_000 + b"{}]}",
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_answer_is_read_in_bounded_time(kind: str) -> None:
    body = LARGE[kind]()
    for status in (202, 400):
        began = time.process_time()
        answer = parse(status, {}, body, NOW, read_bulk)
        assert time.process_time() - began < 5.0
        check(Accepted(answer.errors[:100]) if isinstance(answer, Accepted) else answer)


# --- Sockets

lines = st.one_of(
    st.sampled_from(
        [
            b"HTTP/1.1 202 Accepted",
            b"HTTP/1.0 200",
            b"HTTP/1.1 503 x",
            b"HTTP/1.1 100 Continue",
            b"HTTP/1.1 204 No",
        ]
    ),
    st.sampled_from(
        [b"HTTP/9.9 202 x", b"HTTP/1.1 99999 x", b"HTTP/1.1 -1 x", b"SSH-2.0-x", b"", b"HTTP/1.1 302 x"]
    ),
    st.binary(max_size=20),
)
fields = st.one_of(
    st.builds(b"Content-Length: %d".__mod__, st.integers(-2, 2**70)),
    st.sampled_from(
        [
            b"Transfer-Encoding: chunked",
            b"Content-Length: x",
            b"Content-Length: 2, 3",
            b"Content-Encoding: gzip",
            b"Location: http://[::1",
            b"Set-Cookie: a=b",
            b"Connection: close",
            b"Retry-After: \xff\xfe",
            b": empty",
            b" folded",
            b"X" * 70_000,
        ]
    ),
    st.binary(max_size=20),
)
chunked = st.lists(
    st.builds(
        lambda size, data: size + b"\r\n" + data + b"\r\n",
        st.sampled_from([b"0", b"5", b"-1", b"zz", b"", b"f" * 40, b"5;x=y", b"1" * 70_000]),
        st.binary(max_size=8),
    ),
    max_size=4,
).map(b"".join)


@st.composite
def exchanges(draw: st.DrawFn) -> bytes:
    """Bytes that a server sends before it closes the connection: almost HTTP, or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=100))
    body = draw(bodies.filter(lambda body: len(body) < 5_000) | chunked)
    listed = draw(st.lists(fields, max_size=3))
    if draw(st.booleans()):
        listed.append(b"Content-Length: %d" % len(body))
    if draw(st.integers(0, 9)) == 0:
        listed = [*listed * 50]
    return b"\r\n".join([draw(lines), *listed, b"", body])


@contextmanager
def answering(said: bytes) -> Iterator[Client]:
    """A client whose server has already sent its answer and closed its side."""
    ours, theirs = socket.socketpair()
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)

    def connect(_: object) -> socket.socket:
        if ours.fileno() == -1:
            raise OSError("only one connection per call")
        return ours

    with (
        ours,
        theirs,
        mock.patch.object(HTTPConnection, "_new_conn", connect),
        closing(
            Client(
                Output(api_url="http://127.0.0.1:1", rest_api_key="key", project_key="project", timeout=5.0)
            )
        ) as client,
    ):
        yield client


@settings(max_examples=150, deadline=None)
@given(exchanges())
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 300)
@example(b"HTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}")
def test_any_bytes_from_the_server_give_an_answer(said: bytes) -> None:
    with answering(said[:150_000]) as client:
        check(client.send(UPDATE, b"[]"))


def test_a_valid_answer_arrives() -> None:
    said = b'HTTP/1.1 202 Accepted\r\nContent-Length: 18\r\n\r\n{"code":"SUCCESS"}'
    with answering(said) as client:
        assert client.send(UPDATE, b"[]") == Accepted()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(1, 40), st.sampled_from(["", "gzip", "deflate", "br, gzip"]))
def test_an_answer_is_read_up_to_the_limit_and_never_decompressed(
    size: int, limit: int, encoding: str
) -> None:
    raw = HTTPResponse(
        io.BytesIO(b"x" * size), headers={"Content-Encoding": encoding}, status=202, preload_content=False
    )
    response = requests.Response()
    response.raw = raw
    with (
        mock.patch.object(client_module, "MAX_ANSWER_BYTES", limit),
        mock.patch.object(client_module, "_READ_BYTES", 7),
    ):
        body = client_module._read(response)
    assert body == (b"x" * size if size <= limit else None)
    assert raw.tell() <= limit + 7
