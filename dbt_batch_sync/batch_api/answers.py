"""Batch's answers as a closed set of values. `parse` is a pure function of status, headers and body.

Accepted   2xx whose body says so; may name rows and attributes that were rejected
Rejected   400, 413, 422: the call as a whole; a smaller one may pass
Fatal      another 4xx, or a redirect: no other call will fare better
Busy       408, 429 and every 5xx: later
Broken     no answer, or one that can't be understood: the outcome is unknown, and writes can be repeated

Free text is kept for `reasons.clean_reason`, which compares it with what was sent. Never shown unfiltered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from dbt_batch_sync.batch_api.reasons import attribute_name, machine_code

_SUCCESS: Final = "SUCCESS"
_PARTIAL: Final = "SUCCESS_WITH_PARTIAL_ERRORS"
_MAX_TEXT: Final = 1_000


@dataclass(frozen=True, slots=True)
class PartialError:
    """One rejection in an accepted request: of the operation at `index` in the body, or of an attribute, by
    its wire name without a wrapper. If the answer names no valid attribute, the operation counts as rejected,
    so that nothing of it is recorded as sent. `category` is a machine code or empty, `reason` Batch's text,
    which may quote a value.
    """

    index: int
    attribute: str | None
    category: str
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Batch queued everything except `errors`. `token` identifies a change that is applied later; `document`
    is the answer to a request that is not about rows.
    """

    errors: tuple[PartialError, ...] = ()
    token: str = ""
    document: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Batch rejected the whole request for its content. `message` is unfiltered, for `clean_reason`."""

    status: int
    code: str = ""
    message: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Fatal:
    """No request can succeed until somebody changes something. No `status`: an untrusted certificate."""

    status: int | None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Busy:
    """Batch can't accept the request now. `retry_after` is in seconds, if the answer has it."""

    status: int
    retry_after: float | None = None
    code: str = ""


class BrokenKind(str, Enum):
    """Why an exchange ended without a usable answer."""

    CONNECT = "connect"  # nothing was sent
    TIMEOUT = "timeout"
    CUT = "cut"
    ANSWER = "answer"  # an answer that we can't understand
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Broken:
    """The result is unknown. `detail` is a few fixed words or an exception's class name."""

    kind: BrokenKind
    detail: str = ""


Answer = Accepted | Rejected | Fatal | Busy | Broken

Read = Callable[[dict[str, object]], Accepted | Broken]
"""Interprets the JSON object of a 2xx answer."""


def parse(status: int, headers: Mapping[str, str], body: bytes, now: float, read: Read) -> Answer:
    """Interprets one HTTP answer. `now`: seconds since the epoch, for an answer without `Date`.

    The status decides; the body only adds codes and partial errors. `batch_api.md` says to retry 429, 500 and
    503 [Q]; 408 and every other 5xx (such as 502 and 504 from a gateway) are handled like them. 413 and 422
    are not documented; both blame the content, so the request is split as after a 400.
    """
    document = _json_object(body)
    if 200 <= status < 300:
        return Broken(BrokenKind.ANSWER, "no JSON object") if document is None else read(document)
    error = document or {}
    code = machine_code(error.get("error_code"))
    if status in (408, 429) or 500 <= status < 600:
        sent_at = _seconds(headers.get("date", ""))
        return Busy(
            status, retry_after(headers.get("retry-after", ""), now if sent_at is None else sent_at), code
        )
    if status in (400, 413, 422):
        return Rejected(status, code, _text(error.get("error_message")))
    if 300 <= status < 500:
        return Fatal(status, code)
    return Broken(BrokenKind.ANSWER, f"status {status}")


def check_indexes(answer: Answer, operations: int) -> Answer:
    """The same answer, or `Broken` if a partial error names an operation that was not in the request.

    Such an error belongs to no row, and dropping it would lose a rejection.
    """
    if isinstance(answer, Accepted) and any(error.index >= operations for error in answer.errors):
        return Broken(BrokenKind.ANSWER, "bulk_index out of range")
    return answer


def retry_after(value: str, now: float) -> float | None:
    """Seconds to wait according to `Retry-After`, a number or a date; None if it is neither. `now` is Batch's
    clock if possible, so that a wrong local clock does no harm.
    """
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", value, re.ASCII):
        return float(value)
    until = _seconds(value)
    return None if until is None else max(0.0, until - now)


def _seconds(date: str) -> float | None:
    """Seconds since the epoch; None if it is no HTTP date."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def read_bulk(document: dict[str, object]) -> Accepted | Broken:
    """Reads the answer to a bulk request, which lists rejected operations by index."""
    code, errors = document.get("code"), document.get("errors") or []
    if code == _SUCCESS and not errors:
        return Accepted()
    if code not in (_SUCCESS, _PARTIAL):
        return Broken(BrokenKind.ANSWER, "unknown code")
    if not isinstance(errors, list) or not errors:
        return Broken(BrokenKind.ANSWER, "partial errors without a list of them")
    known = tuple(error for error in map(_parse_error, errors) if error is not None)
    if len(known) < len(errors):
        return Broken(BrokenKind.ANSWER, "partial error without a bulk_index")
    return Accepted(known)


def read_token(document: dict[str, object]) -> Accepted | Broken:
    """Reads the answer to a change that is applied later."""
    token = document.get("indexing_token")
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,200}", token):
        return Broken(BrokenKind.ANSWER, "no indexing_token")
    return Accepted(token=token)


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # ValueError covers bad UTF-8 and integers too long to read
        return None
    return document if isinstance(document, dict) else None


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _parse_error(entry: object) -> PartialError | None:
    index = entry.get("bulk_index") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or type(index) is not int or index < 0:
        return None
    return PartialError(
        index,
        attribute_name(entry.get("attribute")),
        machine_code(entry.get("category")),
        _text(entry.get("reason")),
    )


_OUTPUT = "of the output in profiles.yml (`dbt_batch_sync`)"
_BROKEN = {
    BrokenKind.CONNECT: f"Batch could not be reached: check the network, the proxy, and `api_url` {_OUTPUT}",
    BrokenKind.TIMEOUT: f"Batch did not respond within `timeout` {_OUTPUT}",
    BrokenKind.CUT: "the connection to Batch broke before a complete answer",
    BrokenKind.ANSWER: "unexpected response; is a proxy answering instead of Batch?",
    BrokenKind.TOO_LARGE: "the response was too large to read",
}


def describe(answer: Answer) -> str:
    """One or two sentences about an answer that is not `Accepted`, without a final period."""
    if isinstance(answer, Fatal):
        what, check = _fatal(answer.status)
        return f"Batch {what}{_codes(answer.status, answer.code)}. Check {check}"
    if isinstance(answer, Rejected):
        return f"Batch rejected the content of a call{_codes(answer.status, answer.code)}"
    if isinstance(answer, Busy):
        asked = "" if answer.retry_after is None else f", and asked to wait {answer.retry_after:.0f} s"
        return f"Batch can't take calls now{_codes(answer.status, answer.code)}{asked}"
    if isinstance(answer, Broken):
        return _BROKEN[answer.kind] + (f" ({answer.detail})" if answer.detail else "")
    return "Batch accepted the call"


def _codes(status: int | None, code: str) -> str:
    parts = [f"HTTP {status}" if status is not None else "", code]
    return f" ({', '.join(filter(None, parts))})" if any(parts) else ""


def _fatal(status: int | None) -> tuple[str, str]:
    """What happened, and what to check."""
    url = f"`api_url` {_OUTPUT}"
    if status is None:
        bundle = "behind a proxy that inspects TLS, set REQUESTS_CA_BUNDLE to its CA file"
        return "could not be trusted: TLS certificate verification failed", f"{url}; {bundle}"
    if status in (401, 403):
        return "rejected the credentials", f"`rest_api_key` and `project_key` {_OUTPUT}"
    if status == 404:
        return "answered that there is no such address", f"`api_url` and `api_version` {_OUTPUT}"
    if status < 400:
        return "answered with a redirect, which is not followed", url
    return "rejected the call", f"the settings {_OUTPUT}"
