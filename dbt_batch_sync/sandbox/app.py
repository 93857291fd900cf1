"""The API's routes, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dbt_batch_sync.sandbox.connection import response_for, wait
from dbt_batch_sync.sandbox.controls import control_routes
from dbt_batch_sync.sandbox.gate import RefusedCallError, check_caller, check_content, refuse
from dbt_batch_sync.sandbox.limits import Endpoint
from dbt_batch_sync.sandbox.record import Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply
from dbt_batch_sync.sandbox.service import Sandbox

# A body too large is still read so far, so that its sender gets to see the answer.
_READ_ANYWAY = 64 * 1024 * 1024

Handler = Callable[[Request, Tally], Awaitable[Reply]]


def build_app(sandbox: Sandbox, stopping: asyncio.Event) -> Starlette:
    """The ASGI application, for `connection.TransportProtocol`. Waits end when `stopping` is set."""
    routes = _ApiRoutes(sandbox, stopping)
    app = Starlette(
        routes=[
            *control_routes(sandbox),
            Route("/{version}/profiles/update", routes.profiles("update"), methods=["POST"]),
            Route("/{version}/profiles/mass-update", routes.profiles("mass-update"), methods=["POST"]),
            Route("/{version}/exports/list", routes.exports, methods=["GET"]),
        ],
        exception_handlers={HTTPException: routes.unknown},
    )
    app.router.redirect_slashes = False
    return app


class _ApiRoutes:
    def __init__(self, sandbox: Sandbox, stopping: asyncio.Event) -> None:
        self._sandbox, self._stopping = sandbox, stopping

    def profiles(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request, tally: Tally) -> Reply:
            return await self._profiles(endpoint, request, tally)

        async def route(request: Request) -> Response:
            return await self._recorded(request, handle)

        return route

    async def exports(self, request: Request) -> Response:
        """Nothing is ever exported: a call that shows whether key and project are right."""

        async def handle(request: Request, tally: Tally) -> Reply:
            check_caller(self._sandbox.settings, request.path_params["version"], request.headers, tally)
            return Reply(200, b'{"exports":[]}')

        return await self._recorded(request, handle)

    async def unknown(self, request: Request, _error: Exception | None = None) -> Response:
        async def handle(_request: Request, tally: Tally) -> Reply:
            tally.violate(Violation.UNKNOWN_ROUTE)
            raise refuse(404, "ROUTE_NOT_FOUND", "no such route, or not with this method")

        return await self._recorded(request, handle)

    async def _profiles(self, endpoint: Endpoint, request: Request, tally: Tally) -> Reply:
        sandbox = self._sandbox
        body = await self._body(request, tally)
        check_caller(sandbox.settings, request.path_params["version"], request.headers, tally)
        check_content(request.headers, tally)
        if body is None:
            tally.violate(Violation.TOO_LARGE, f"{tally.size} bytes")
            raise refuse(400, "BODY_TOO_LARGE", f"at most {sandbox.settings.max_body_bytes} bytes a body")
        tally.body = body
        # In threads, so that other requests are taken in meanwhile.
        admitted = await asyncio.to_thread(sandbox.admit, endpoint, body, tally)
        await self._pause(admitted.decision.seconds(applied=False))
        reply = await asyncio.to_thread(sandbox.settle, admitted)
        await self._pause(admitted.decision.seconds(applied=True))
        return reply

    async def _body(self, request: Request, tally: Tally) -> bytes | None:
        """The body, or None if it is larger than allowed. Raises ClientDisconnect."""
        chunks: list[bytes] = []
        async for chunk in request.stream():
            tally.size += len(chunk)
            if tally.size > _READ_ANYWAY:
                break
            if tally.size > self._sandbox.settings.max_body_bytes:
                chunks.clear()
            else:
                chunks.append(chunk)
        return b"".join(chunks) if tally.size <= self._sandbox.settings.max_body_bytes else None

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await wait(self._stopping, seconds)

    async def _recorded(self, request: Request, handle: Handler) -> Response:
        sandbox = self._sandbox
        tally, began, at = sandbox.recorder.begin(), sandbox.clock(), sandbox.now().isoformat()
        status = 500  # unless an answer says otherwise: then the sandbox itself is broken
        try:
            try:
                reply = await handle(request, tally)
            except RefusedCallError as refused:
                reply = refused.reply
            await self._pause(sandbox.settings.latency)
            status, tally.answer = reply.recorded_status, reply.body
            return response_for(reply, self._stopping)
        except ClientDisconnect:
            status, tally.broken_upload = 0, True
            return Response()
        finally:
            sandbox.recorder.finish(
                tally,
                at=at,
                method=request.method,
                path=request.url.path,
                status=status,
                seconds=sandbox.clock() - began,
            )
