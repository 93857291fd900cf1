"""The client's settings and error messages. tests/faults covers what goes over the wire."""

from __future__ import annotations

import ssl
from contextlib import closing

import pytest
import requests
import urllib3.exceptions

from dbt_batch_sync.batch_api.answers import (
    Accepted,
    Answer,
    Broken,
    BrokenKind,
    Busy,
    Fatal,
    Rejected,
    describe,
)
from dbt_batch_sync.batch_api.client import Client, classify
from dbt_batch_sync.batch_api.transport import Upload, bearer
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.kinds.profiles import PROFILES

KEY = "sk-0123456789abcdef"


def test_no_repr_contains_a_key() -> None:
    auth = bearer(KEY, "project_secret")
    with closing(
        Client(Output(api_url="https://api.batch.com", rest_api_key=KEY, project_key="project_secret"))
    ) as client:
        assert KEY not in repr(client)
    assert "secret" not in repr(auth)
    assert KEY not in repr(auth)


def test_limits_are_as_documented() -> None:
    assert [(e.path, e.max_rows, e.rate, e.burst) for e in PROFILES.routes] == [
        ("profiles/update", 200, 300, 1_000),
        ("profiles/mass-update", 10_000, 10_000, 0),
    ]


def test_an_upload_to_a_slow_reader_times_out() -> None:
    times = iter([0.0, 1.0, 5.0, 5.1])
    upload = Upload(bytes(1_000_000), 5.0, clock=lambda: next(times))
    assert len(upload) == 1_000_000
    pieces = iter(upload)
    assert len(next(pieces)) == len(next(pieces)) == 256 * 1024
    with pytest.raises(TimeoutError):
        next(pieces)


def test_an_upload_is_the_body() -> None:
    body = bytes(range(256)) * 5_000
    assert b"".join(Upload(memoryview(body), 5.0)) == body


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            requests.ConnectTimeout("https://api.batch.com/secret"),
            Broken(BrokenKind.CONNECT, "ConnectTimeout"),
        ),
        (requests.exceptions.ProxyError("secret"), Broken(BrokenKind.CONNECT, "ProxyError")),
        (
            requests.ConnectionError(urllib3.exceptions.NewConnectionError(None, "secret")),  # type: ignore[arg-type]
            Broken(BrokenKind.CONNECT, "ConnectionError"),
        ),
        (requests.ReadTimeout("secret"), Broken(BrokenKind.TIMEOUT, "ReadTimeout")),
        (
            requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted", TimeoutError("secret"))),
            Broken(BrokenKind.TIMEOUT, "ConnectionError"),
        ),
        (requests.ConnectionError("secret"), Broken(BrokenKind.CUT, "ConnectionError")),
        (ConnectionResetError("secret"), Broken(BrokenKind.CUT, "ConnectionResetError")),
        (requests.exceptions.SSLError("bad record"), Broken(BrokenKind.CONNECT, "SSLError")),
        (caused(requests.exceptions.SSLError(), ssl.SSLCertVerificationError("secret")), Fatal(None)),
    ],
)
def test_transport_errors_are_classified_by_type(error: BaseException, expected: Answer) -> None:
    assert classify(error) == expected


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Fatal(401, "UNAUTHORIZED"), ["HTTP 401", "UNAUTHORIZED", "`rest_api_key`", "`project_key`"]),
        (Fatal(403), ["HTTP 403", "`rest_api_key`"]),
        (Fatal(404), ["HTTP 404", "`api_url`", "`api_version`"]),
        (Fatal(302), ["HTTP 302", "redirect", "`api_url`"]),
        (Fatal(418), ["HTTP 418", "profiles.yml"]),
        (Fatal(None), ["TLS", "REQUESTS_CA_BUNDLE"]),
        (Rejected(400, "MALFORMED"), ["HTTP 400", "MALFORMED"]),
        (Busy(503, 900.0), ["HTTP 503", "900 s"]),
        (Broken(BrokenKind.CONNECT, "ConnectTimeout"), ["network", "`api_url`", "ConnectTimeout"]),
        (Broken(BrokenKind.TIMEOUT), ["`timeout`"]),
        (Broken(BrokenKind.ANSWER, "no JSON object"), ["no JSON object"]),
        (Accepted(), ["accepted"]),
    ],
)
def test_messages_name_the_error_and_what_to_check(answer: Answer, words: list[str]) -> None:
    text = describe(answer)
    assert [word for word in words if word not in text] == []
    assert not text.endswith(".")


def test_a_message_never_quotes_an_answer() -> None:
    assert "jane" not in describe(Rejected(400, "MALFORMED", "jane is no e-mail address"))
