"""Wrong, missing and truncated answers, as faults put them on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from harness.faults import Fault, FaultKind
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dbt_batch_sync.sandbox.app import respond as as_sent
from dbt_batch_sync.sandbox.replies import Reply, failure, retry_after_header, success

_TRANSPORT = "tests.transport"
_CHUNK = 256 * 1024


class Delivery(Enum):
    """How an answer is sent."""

    CLOSED = "closed"  # nothing is sent; the connection is closed
    RESET = "reset"  # nothing is sent; the connection is reset
    TRUNCATED = "truncated"
    HUGE = "huge"
    DRIPPED = "dripped"


@dataclass(frozen=True)
class FaultyReply(Reply):
    """`padding` (bytes) is used by HUGE, `pause` (seconds between bytes) by DRIPPED."""

    delivery: Delivery | None = None
    padding: int = 0
    pause: float = 0.0


def faulty(fault: Fault, reply: Reply | None, now: datetime) -> Reply:
    """The answer that the client gets instead of `reply`. `reply` is None if nothing was applied."""
    answer = _ANSWERS.get(fault.kind)
    if answer is not None:
        return answer(fault, now)
    whole = reply or success([])
    if whole.path is not None:
        whole = Reply(whole.status, whole.path.read_bytes(), whole.headers)
    return FaultyReply(
        whole.status,
        whole.body,
        whole.headers,
        delivery=_DELIVERIES[fault.kind],
        padding=fault.size,
        pause=fault.seconds,
    )


def _status(fault: Fault, now: datetime) -> Reply:
    status = fault.status or (429 if fault.kind is FaultKind.STORM else 503)
    if status < 300:
        return dataclasses.replace(success([]), status=status)
    after = fault.retry_after
    header = None if after is None else retry_after_header(after, now, as_date=fault.retry_after_date)
    return failure(status, fault.category, fault.reason, header)


def _cut(fault: Fault, _now: datetime) -> Reply:
    return FaultyReply(0, b"", delivery=Delivery.RESET if fault.reset else Delivery.CLOSED)


def _garbage(fault: Fault, _now: datetime) -> Reply:
    return Reply(fault.status or 202, b"<html>not \xff what was asked for", (("content-type", "text/html"),))


def _redirect(fault: Fault, _now: datetime) -> Reply:
    return Reply(fault.status or 307, b"", (("location", fault.location),))


_ANSWERS: dict[FaultKind, Callable[[Fault, datetime], Reply]] = {
    FaultKind.STATUS: _status,
    FaultKind.STORM: _status,
    FaultKind.CUT_BEFORE: _cut,
    FaultKind.CUT_AFTER: _cut,
    FaultKind.GARBAGE: _garbage,
    FaultKind.REDIRECT: _redirect,
}
_DELIVERIES = {
    FaultKind.TRUNCATE: Delivery.TRUNCATED,
    FaultKind.HUGE: Delivery.HUGE,
    FaultKind.DRIP: Delivery.DRIPPED,
}


def with_transport(app: ASGIApp) -> ASGIApp:
    """Gives responses access to their connection: ASGI has no way to close it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        cycle = send.__self__  # type: ignore[attr-defined]  # uvicorn's, of one request and its answer
        scope.setdefault("extensions", {})[_TRANSPORT] = cycle.transport
        await app(scope, receive, send)

    return wrapped


def respond(reply: Reply, stopping: asyncio.Event) -> Response:
    """The response that sends a reply in its way."""
    if not isinstance(reply, FaultyReply):
        return as_sent(reply)
    if reply.delivery in (Delivery.CLOSED, Delivery.RESET):
        return _CutResponse(reset=reply.delivery is Delivery.RESET)
    if reply.delivery is Delivery.TRUNCATED:
        return _BrokenResponse(reply.body, reply.status, dict(reply.headers))
    return _EndlessResponse(reply, stopping)


def _transport_of(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
    return transport


async def _closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _CutResponse(Response):
    """Closes (FIN) or resets (RST) the connection instead of answering."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transport_of(scope)
        if self._reset:
            # Zero linger turns the close into a reset.
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        transport.abort()
        await _closed(receive)


class _BrokenResponse(Response):
    """Sends the head and half of the body, with the full length in the head, then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        _transport_of(scope).close()  # data already written is still flushed
        await _closed(receive)


class _EndlessResponse(Response):
    """A body without a length: `padding` extra bytes, or one byte every `pause` seconds.

    Stops early when `stopping` is set. Memory doesn't grow with the padding.
    """

    def __init__(self, reply: FaultyReply, stopping: asyncio.Event) -> None:
        super().__init__(b"", reply.status, dict(reply.headers))
        del self.headers["content-length"]
        self._reply, self._stopping = reply, stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        transport = _transport_of(scope)
        if self._reply.delivery is Delivery.HUGE:
            await self._pad(transport, send)
        body = self._reply.body
        size = 1 if self._reply.delivery is Delivery.DRIPPED else len(body)
        for start in range(0, len(body), size):
            if transport.is_closing() or self._stopping.is_set():
                break
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
            if self._reply.pause:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._reply.pause)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pad(self, transport: asyncio.Transport, send: Send) -> None:
        # Leading blanks are valid JSON.
        left, blanks = self._reply.padding, b" " * _CHUNK
        while left > 0 and not transport.is_closing() and not self._stopping.is_set():
            await send({"type": "http.response.body", "body": blanks[:left], "more_body": True})
            left -= _CHUNK
            await asyncio.sleep(0)
