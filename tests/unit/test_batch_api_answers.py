"""Answers from Batch, from proxies, and from hostile servers."""

from __future__ import annotations

import json
from typing import Any

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
    check_indexes,
    parse,
    read_bulk,
    retry_after,
)

NOW = 1_760_000_000.0


def answer(status: int, document: Any, headers: dict[str, str] | None = None) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse(status, headers or {}, body, NOW, read_bulk)


def partial(*errors: Any) -> Any:
    return {"code": "SUCCESS_WITH_PARTIAL_ERRORS", "errors": list(errors)}


def test_success() -> None:
    assert answer(202, {"code": "SUCCESS"}) == Accepted()
    assert answer(202, {"code": "SUCCESS", "errors": []}) == Accepted()
    assert answer(200, {"code": "SUCCESS"}) == Accepted()


def test_partial_errors_never_show_their_reasons() -> None:
    got = answer(
        202,
        partial(
            {
                "category": "INVALID_ATTRIBUTE",
                "bulk_index": 3,
                "attribute": "date(birthdate)",
                "reason": "'1989' is not a date",
            },
            {"category": "INVALID_IDENTIFIER", "bulk_index": 0, "reason": "jane@example.com"},
            {"bulk_index": 9, "attribute": "jane@example.com"},
        ),
    )
    assert got == Accepted(
        (
            PartialError(3, "birthdate", "INVALID_ATTRIBUTE", "'1989' is not a date"),
            PartialError(0, None, "INVALID_IDENTIFIER", "jane@example.com"),
            PartialError(9, None, "", ""),
        )
    )
    assert "jane" not in repr(got)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>502 Bad Gateway</html>",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"SUCCESS"',
        b"{}",
        b'{"code": null}',
        b'{"code": ["SUCCESS"]}',
        b'{"code": "QUEUED"}',
        b'{"code": "SUCCESS_WITH_PARTIAL_ERRORS"}',
        b'{"code": "SUCCESS_WITH_PARTIAL_ERRORS", "errors": []}',
        b'{"code": "SUCCESS_WITH_PARTIAL_ERRORS", "errors": {"0": {}}}',
        b'{"code": "SUCCESS", "errors": "many"}',
        b"[" * 200_000,
        b'{"code": ' + b"9" * 100_000 + b"}",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_an_unreadable_202_has_an_unknown_outcome(body: bytes) -> None:
    got = answer(202, body)
    assert isinstance(got, Broken)
    assert got.kind is BrokenKind.ANSWER


@pytest.mark.parametrize("index", [None, True, -1, 1.0, "0", [], 10**4_000], ids=repr)
def test_a_partial_error_without_an_operation_is_not_dropped(index: Any) -> None:
    got = answer(202, partial({"bulk_index": 0}, {"bulk_index": index, "attribute": "points"}))
    assert isinstance(check_indexes(got, 10), Broken)


def test_indexes_are_checked_against_the_call() -> None:
    got = answer(202, partial({"bulk_index": 199}))
    assert check_indexes(got, 200) == got
    assert check_indexes(got, 199) == Broken(BrokenKind.ANSWER, "bulk_index out of range")
    assert check_indexes(Busy(503), 0) == Busy(503)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Rejected(400, "MALFORMED_BODY", "the body is malformed")),
        (413, Rejected(413, "MALFORMED_BODY", "the body is malformed")),
        (422, Rejected(422, "MALFORMED_BODY", "the body is malformed")),
        (301, Fatal(301, "MALFORMED_BODY")),
        (401, Fatal(401, "MALFORMED_BODY")),
        (403, Fatal(403, "MALFORMED_BODY")),
        (404, Fatal(404, "MALFORMED_BODY")),
        (418, Fatal(418, "MALFORMED_BODY")),
        (408, Busy(408, None, "MALFORMED_BODY")),
        (429, Busy(429, None, "MALFORMED_BODY")),
        (500, Busy(500, None, "MALFORMED_BODY")),
        (502, Busy(502, None, "MALFORMED_BODY")),
        (503, Busy(503, None, "MALFORMED_BODY")),
        (504, Busy(504, None, "MALFORMED_BODY")),
    ],
)
def test_the_status_decides(status: int, expected: Answer) -> None:
    assert (
        answer(status, {"error_code": "MALFORMED_BODY", "error_message": "the body is malformed"}) == expected
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error_code": 7, "error_message": ["x"]}', b"[" * 99_999]
)
def test_an_error_needs_no_body(body: bytes) -> None:
    assert answer(401, body) == Fatal(401)
    assert answer(503, body) == Busy(503)


def test_an_error_quoting_the_key_is_not_shown() -> None:
    got = answer(401, {"error_code": "sk_live_abc", "error_message": "key deadbeefcafe is unknown"})
    assert got == Fatal(401)


def test_a_status_outside_of_http_is_broken() -> None:
    assert answer(102, b"") == Broken(BrokenKind.ANSWER, "status 102")
    assert answer(999, b"") == Broken(BrokenKind.ANSWER, "status 999")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("999999999", 999_999_999.0),
        ("Thu, 09 Oct 2025 08:53:50 GMT", 30.0),
        ("Thu, 09 Oct 2025 08:53:10 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("9" * 5_000, None),
        ("Thu, 99 Oct 2025 08:53:50 GMT", None),
        ("Thu, 09 Oct 99999999999 08:53:50 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_in_both_forms(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
    assert answer(503, b"", {"retry-after": value}) == Busy(503, seconds)


@pytest.mark.parametrize(
    ("date", "seconds"), [("Thu, 09 Oct 2025 10:00:00 GMT", 20.0), ("yesterday", 4_020.0), (None, 4_020.0)]
)
def test_a_retry_after_date_counts_from_the_date_of_the_answer(date: str | None, seconds: float) -> None:
    headers = {"retry-after": "Thu, 09 Oct 2025 10:00:20 GMT", **({"date": date} if date else {})}
    assert parse(503, headers, b"", NOW, read_bulk) == Busy(503, seconds)
