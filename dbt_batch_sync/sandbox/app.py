"""The API's routes, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from dbt_batch_sync.sandbox.controls import control_routes
from dbt_batch_sync.sandbox.gate import (
    RefusedCallError,
    check_app_caller,
    check_caller,
    check_content,
    check_link,
    refuse,
    shown_path,
)
from dbt_batch_sync.sandbox.record import Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply
from dbt_batch_sync.sandbox.routes import Route as ApiRoute
from dbt_batch_sync.sandbox.service import Sandbox

# A body that is too large is still read up to here, so that its sender sees the answer.
_READ_ANYWAY = 64 * 1024 * 1024

Handler = Callable[[Request, Tally], Awaitable[Reply]]


def respond(reply: Reply) -> Response:
    """The response for a reply."""
    if reply.path is not None:
        return FileResponse(reply.path, reply.status, dict(reply.headers))
    return Response(reply.body, reply.status, dict(reply.headers))


def build_app(
    sandbox: Sandbox, stopping: asyncio.Event, respond: Callable[[Reply], Response] = respond
) -> Starlette:
    """The ASGI application. Waits end when `stopping` is set."""
    routes = _ApiRoutes(sandbox, stopping, respond)
    app = Starlette(
        routes=[
            *control_routes(sandbox),
            *(
                Route(_prefix(route) + route.path, routes.handler(name), methods=[route.method])
                for name, route in sandbox.routes.items()
            ),
        ],
        exception_handlers={HTTPException: routes.unknown},
    )
    app.router.redirect_slashes = False
    return app


def _prefix(route: ApiRoute) -> str:
    return {"version": "/{version}/", "app": "/1.0/{app_key}/", "link": "/"}[route.base]


class _ApiRoutes:
    def __init__(
        self, sandbox: Sandbox, stopping: asyncio.Event, respond: Callable[[Reply], Response]
    ) -> None:
        self._sandbox, self._stopping, self._respond = sandbox, stopping, respond

    def handler(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request, tally: Tally) -> Reply:
            return await self._call(name, request, tally)

        async def route(request: Request) -> Response:
            return await self._recorded(request, handle)

        return route

    async def unknown(self, request: Request, _error: Exception | None = None) -> Response:
        async def handle(_request: Request, tally: Tally) -> Reply:
            tally.violate(Violation.UNKNOWN_ROUTE)
            raise refuse(404, "ROUTE_NOT_FOUND", "no such route, or not with this method")

        return await self._recorded(request, handle)

    async def _call(self, name: str, request: Request, tally: Tally) -> Reply:
        sandbox = self._sandbox
        route = sandbox.routes[name]
        parts = dict(request.path_params)
        version, app_key = parts.pop("version", ""), parts.pop("app_key", "")
        tally.address = f"{request.base_url}{version}/"
        source: bytes | Mapping[str, str] | None = {**request.query_params, **parts}
        if route.method == "POST":
            source = await self._body(request, tally)
        if route.base == "link":
            check_link(request.headers, tally)
        elif route.base == "app":
            check_app_caller(sandbox.settings, app_key, request.headers, tally)
        else:
            check_caller(sandbox.settings, version, request.headers, tally, route.since)
        if route.method == "POST":
            check_content(request.headers, tally)
        if source is None:
            tally.violate(Violation.TOO_LARGE, f"{tally.size} bytes")
            raise refuse(400, "BODY_TOO_LARGE", f"at most {sandbox.settings.max_body_bytes} bytes a body")
        if isinstance(source, bytes):
            tally.body = source
        # In threads, so that other requests are accepted meanwhile.
        admitted = await asyncio.to_thread(sandbox.admit, name, source, tally)
        return await asyncio.to_thread(sandbox.settle, admitted)

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

    async def _pause(self) -> None:
        if self._sandbox.settings.latency > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._sandbox.settings.latency)

    async def _recorded(self, request: Request, handle: Handler) -> Response:
        sandbox = self._sandbox
        tally, began, at = sandbox.recorder.begin(), sandbox.clock(), sandbox.now().isoformat()
        tally.arrived = began
        status = 500  # unless an answer replaces it: the sandbox failed
        try:
            try:
                reply = await handle(request, tally)
            except RefusedCallError as refused:
                reply = refused.reply
            await self._pause()
            status, tally.answer = reply.status, reply.body
            return self._respond(reply)
        except ClientDisconnect:
            status, tally.broken_upload = 0, True
            return Response()
        finally:
            sandbox.recorder.finish(
                tally,
                at=at,
                method=request.method,
                path=shown_path(request.url.path, sandbox.settings.app_keys),
                status=status,
                seconds=sandbox.clock() - began,
            )
