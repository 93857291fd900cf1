"""Explains failed requests to users, and what to check.

Uses only statuses, codes and fixed words; no values or keys.
"""

from __future__ import annotations

from dbt_batch_sync.batch_api.answers import Answer, Broken, BrokenKind, Busy, Fatal, Rejected

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
        what = f"{_fatal(answer.status)}{_codes(answer.status, answer.code)}"
        return f"Batch {what}. Check {_advice(answer.status)}"
    if isinstance(answer, Rejected):
        return f"Batch rejected the content of a call{_codes(answer.status, answer.code)}"
    if isinstance(answer, Busy):
        asked = "" if answer.retry_after is None else f", and asked to wait {answer.retry_after:.0f} s"
        return f"Batch can't take calls now{_codes(answer.status, answer.code)}{asked}"
    if isinstance(answer, Broken):
        return _BROKEN[answer.kind] + (f" ({answer.detail})" if answer.detail else "")
    return "Batch accepted the call"


def _codes(status: int | None, *words: str) -> str:
    parts = [] if status is None else [f"HTTP {status}"]
    return f" ({', '.join(parts + [word for word in words if word])})" if parts else ""


def _fatal(status: int | None) -> str:
    if status is None:
        return "could not be trusted: TLS certificate verification failed"
    if status in (401, 403):
        return "rejected the credentials"
    if status == 404:
        return "answered that there is no such address"
    return "answered with a redirect, which is not followed" if status < 400 else "rejected the call"


def _advice(status: int | None) -> str:
    if status is None:
        return f"`api_url` {_OUTPUT}; behind a proxy that inspects TLS, set REQUESTS_CA_BUNDLE to its CA file"
    if status in (401, 403):
        return f"`rest_api_key` and `project_key` {_OUTPUT}"
    if status == 404:
        return f"`api_url` and `api_version` {_OUTPUT}"
    return f"`api_url` {_OUTPUT}" if status < 400 else f"the settings {_OUTPUT}"
