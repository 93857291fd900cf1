"""Answers that are not sent, or not to the end.

ASGI has no word for that: the protocol has to hand over its transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dbt_batch_sync.sandbox.replies import Delivery, Reply

_TRANSPORT = "dbt_batch_sync.transport"
_CHUNK = 256 * 1024


class TransportProtocol(H11Protocol):
    """uvicorn's own HTTP/1.1 protocol, which puts the connection's transport into the scope's extensions."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner: ASGIApp = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[_TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = with_transport


def transport_of(scope: Scope) -> asyncio.Transport:
    """The connection of a request. Raises KeyError under another protocol than TransportProtocol."""
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
    return transport


async def _closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class CutResponse(Response):
    """Closes the connection (FIN), or resets it (RST), instead of an answer."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = transport_of(scope)
        if self._reset:
            # Lingering for no time at all turns the close into a reset.
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        transport.abort()
        await _closed(receive)


class BrokenResponse(Response):
    """The head and half of the body, under a length that promises all of it; then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport_of(scope).close()  # what was written goes out first
        await _closed(receive)


class EndlessResponse(Response):
    """A body without a length: `padding` bytes more than it needs, or a byte every `pause` seconds.

    Ends early when `stopping` is set. Memory does not grow with the padding.
    """

    def __init__(self, reply: Reply, stopping: asyncio.Event) -> None:
        super().__init__(b"", reply.status, dict(reply.headers))
        del self.headers["content-length"]
        self._reply, self._stopping = reply, stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        transport = transport_of(scope)
        if self._reply.delivery is Delivery.HUGE:
            await self._pad(transport, send)
        body = self._reply.body
        size = 1 if self._reply.delivery is Delivery.DRIPPED else len(body)
        for start in range(0, len(body), size):
            if transport.is_closing() or self._stopping.is_set():
                break
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
            if self._reply.pause:
                await wait(self._stopping, self._reply.pause)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pad(self, transport: asyncio.Transport, send: Send) -> None:
        # Blanks before a JSON document are JSON.
        left, blanks = self._reply.padding, b" " * _CHUNK
        while left > 0 and not transport.is_closing() and not self._stopping.is_set():
            await send({"type": "http.response.body", "body": blanks[:left], "more_body": True})
            left -= _CHUNK
            await asyncio.sleep(0)


async def wait(stopping: asyncio.Event, seconds: float) -> None:
    """Sleeps, but not longer than until the server stops."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def response_for(reply: Reply, stopping: asyncio.Event) -> Response:
    """The response that puts a reply on the wire the way it is to be delivered."""
    if reply.delivery in (Delivery.CLOSED, Delivery.RESET):
        return CutResponse(reset=reply.delivery is Delivery.RESET)
    if reply.delivery in (Delivery.HUGE, Delivery.DRIPPED):
        return EndlessResponse(reply, stopping)
    kind = BrokenResponse if reply.delivery is Delivery.TRUNCATED else Response
    return kind(reply.body, reply.status, dict(reply.headers))
