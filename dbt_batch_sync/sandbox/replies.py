"""What the sandbox answers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path

from dbt_batch_sync.sandbox.values import Refusal


@dataclass(frozen=True)
class Reply:
    """An answer. If there is a `path`, its body is that file.

    Status 0 closes the connection without an answer.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    path: Path | None = None


def reply_json(status: int, document: object) -> Reply:
    return Reply(status, json.dumps(document, ensure_ascii=False).encode())


def success(refusals: Sequence[tuple[int, Refusal]]) -> Reply:
    """202, with partial errors if there are any."""
    if not refusals:
        return Reply(202, b'{"code":"SUCCESS"}')
    errors = [
        {"category": category, "bulk_index": index, "attribute": attribute, "reason": reason}
        if attribute is not None
        else {"category": category, "bulk_index": index, "reason": reason}
        for index, (attribute, category, reason) in refusals
    ]
    return Reply(202, json.dumps({"code": "SUCCESS_WITH_PARTIAL_ERRORS", "errors": errors}).encode())


def failure(status: int, code: str, message: str, retry_after: str | None = None) -> Reply:
    """An error in the documented form."""
    body = json.dumps({"error_code": code, "error_message": message}).encode()
    reply = Reply(status, body)
    if retry_after is None:
        return reply
    return Reply(status, body, (*reply.headers, ("retry-after", retry_after)))


def retry_after_header(seconds: float, now: datetime, *, as_date: bool) -> str:
    """Whole seconds, rounded up, or the HTTP date of that time (`now` has a zone)."""
    if not as_date:
        return str(math.ceil(seconds))
    moment = math.ceil(now.timestamp() + seconds)
    return format_datetime(datetime.fromtimestamp(moment, timezone.utc), usegmt=True)
