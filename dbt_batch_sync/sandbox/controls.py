"""Routes that Batch doesn't have: to inspect and control the sandbox.

They need no key. Unless the settings open them, they only answer clients on this machine that use a name of
this machine (another name would be a web page whose own name resolves to this address). Writes must be JSON,
which a web page can't send to another site without permission.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from dbt_batch_sync.connections.addresses import is_loopback
from dbt_batch_sync.sandbox.knobs import BadSettingError, changeable, read_settings
from dbt_batch_sync.sandbox.operations import read_operation
from dbt_batch_sync.sandbox.page import CONTENT_SECURITY_POLICY, Question, render
from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.record import RecordedRequest
from dbt_batch_sync.sandbox.replies import failure
from dbt_batch_sync.sandbox.search import parse
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.values import BrokenRuleError, TypedValue

_MAX_CONTROL_BODY = 1024 * 1024

Handler = Callable[[Request], Awaitable[Response]]


def control_routes(sandbox: Sandbox) -> list[Route]:
    """The page at `/`, and everything under `/_sandbox`."""
    controls = _Controls(sandbox)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/", controls.page),
        ("GET", "/favicon.ico", controls.nothing),
        ("GET", "/_sandbox/profiles", controls.profiles),
        ("GET", "/_sandbox/profiles/{custom_id:path}", controls.profile),
        ("POST", "/_sandbox/profiles/{custom_id:path}", controls.edit),
        ("DELETE", "/_sandbox/profiles/{custom_id:path}", controls.remove),
        ("GET", "/_sandbox/audiences/{name}", controls.audience),
        ("GET", "/_sandbox/catalogs/{name}", controls.catalog),
        ("GET", "/_sandbox/events", controls.events),
        ("GET", "/_sandbox/deletions", controls.deletions),
        ("GET", "/_sandbox/requests", controls.requests),
        ("GET", "/_sandbox/requests/{number:int}", controls.request),
        ("GET", "/_sandbox/stats", controls.stats),
        ("GET", "/_sandbox/settings", controls.settings),
        ("POST", "/_sandbox/settings", controls.change),
        ("POST", "/_sandbox/reset", controls.reset),
    ]
    return [Route(path, controls.guarded(route), methods=[method]) for method, path, route in table]


def _named_host(request: Request) -> str | None:
    try:
        return urlsplit("//" + request.headers.get("host", "")).hostname
    except ValueError:
        return None


class BadControlError(Exception):
    """A request to a control route that can't be carried out. The message says what is accepted."""


async def _document(request: Request) -> object:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadControlError("send JSON, with Content-Type: application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_CONTROL_BODY:
            raise BadControlError(f"at most {_MAX_CONTROL_BODY} bytes")
    try:
        return json.loads(body or b"null")
    except (ValueError, RecursionError):
        raise BadControlError("the body is not valid JSON") from None


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadControlError(f"`{name}` is a whole number")
    return int(text)


def _as_json(value: Profile | RecordedRequest) -> dict[str, object]:
    if isinstance(value, Profile):
        return {**_shallow(value), "attributes": _typed(value.attributes)}
    return {**_shallow(value), "body": _text(value.body), "answer": _text(value.answer)}


def _typed(attributes: Mapping[str, TypedValue]) -> dict[str, object]:
    return {name: typed._asdict() for name, typed in attributes.items()}


def _text(body: bytes | None) -> str | None:
    return body.decode("utf-8", "replace") if body is not None else None


def _shallow(value: object) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}  # type: ignore[arg-type]


class _Controls:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def guarded(self, handler: Handler) -> Handler:
        async def route(request: Request) -> Response:
            client = request.client.host if request.client else None
            here = is_loopback(client) and is_loopback(_named_host(request))
            if self._sandbox.settings.controls == "loopback" and not here:
                return _failed(403, "only from this machine; the setting `controls` opens it")
            try:
                return await handler(request)
            except BadControlError as error:
                return _failed(400, str(error))

        return route

    async def page(self, request: Request) -> Response:
        asked = request.query_params
        question = Question(
            view=asked.get("view", "profiles"),
            search=asked.get("q", ""),
            offset=_number(request, "offset", 0),
            profile=asked.get("profile"),
            name=asked.get("name"),
            request=_number(request, "request", 0),
        )
        headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": "no-store"}
        html = await asyncio.to_thread(render, self._sandbox, question)
        return HTMLResponse(html, headers=headers)

    async def nothing(self, _request: Request) -> Response:
        return Response(status_code=204)

    async def profiles(self, request: Request) -> Response:
        """`?limit=100&offset=0&q=`: the profiles that q finds, as on the page, oldest first, and their
        `total`.
        """
        found, total = self._sandbox.store.page(
            _number(request, "limit", 100),
            _number(request, "offset", 0),
            parse(request.query_params.get("q", "")),
        )
        return JSONResponse({"total": total, "profiles": [_as_json(profile) for profile in found]})

    async def profile(self, request: Request) -> Response:
        profile = self._sandbox.store.profile(request.path_params["custom_id"])
        if profile is None:
            return _failed(404, "no such profile")
        return JSONResponse(_as_json(profile))

    async def edit(self, request: Request) -> Response:
        """Writes attributes, as for the API, `{"points": 3, "date(joined)": null}`, as if edited by hand."""
        document = {
            "identifiers": {"custom_id": request.path_params["custom_id"]},
            "attributes": await _document(request),
        }
        try:
            operation = read_operation(document)
        except BrokenRuleError as broken:
            raise BadControlError(broken.reason) from None
        if operation.refused:
            raise BadControlError(f"{operation.refused[0].attribute}: {operation.refused[0].reason}")
        if self._sandbox.discards(operation.custom_id or ""):
            raise BadControlError("this person was erased: Batch discards their data for now")
        self._sandbox.store.apply([(0, operation)], self._sandbox.now().isoformat())
        return await self.profile(request)

    async def remove(self, request: Request) -> Response:
        if not self._sandbox.store.remove(request.path_params["custom_id"]):
            return _failed(404, "no such profile")
        return Response(status_code=204)

    async def audience(self, request: Request) -> Response:
        """With all members."""
        with self._sandbox.reading():
            audience = self._sandbox.audiences.audiences.get(request.path_params["name"])
            if audience is None:
                return _failed(404, "no such audience")
            members = {custom_id: _typed(attributes) for custom_id, attributes in audience.members.items()}
            return JSONResponse({**audience.described(), "members": members})

    async def catalog(self, request: Request) -> Response:
        """With all items."""
        with self._sandbox.reading():
            catalog = self._sandbox.catalogs.catalogs.get(request.path_params["name"])
            return JSONResponse(_shallow(catalog)) if catalog else _failed(404, "no such catalog")

    async def events(self, request: Request) -> Response:
        """The last events, newest first. `?by=order_id` counts all events by an attribute."""
        log, by = self._sandbox.events, request.query_params.get("by")
        if by is not None:
            return JSONResponse({"total": log.total, "seen": log.seen_by(by)})
        last = [{**stored._asdict(), "event": stored.event._asdict()} for stored in reversed(log.last)]
        return JSONResponse({"total": log.total, "repeated": log.repeated, "events": last})

    async def deletions(self, _request: Request) -> Response:
        """Every request, oldest first."""
        with self._sandbox.reading():
            found = [_shallow(each) for each in self._sandbox.deletions.requests.values()]
        for each in found:
            each["asked_at"], each["due_at"] = str(each["asked_at"]), str(each["due_at"])
        return JSONResponse({"deletions": found})

    async def requests(self, request: Request) -> Response:
        """Newest first. `?bodies=1` includes stored bodies and answers, as text."""
        entries = [_as_json(entry) for entry in reversed(self._sandbox.recorder.requests)]
        if not _number(request, "bodies", 0):
            for entry in entries:
                del entry["body"], entry["answer"]
        return JSONResponse({"requests": entries})

    async def request(self, request: Request) -> Response:
        number = request.path_params["number"]
        for entry in self._sandbox.recorder.requests:
            if entry.number == number:
                return JSONResponse(_as_json(entry))
        return _failed(404, "no such request, or no longer kept")

    async def stats(self, request: Request) -> Response:
        """`?custom_ids=1` includes the applied operations by custom_id."""
        custom_ids = bool(_number(request, "custom_ids", 0))
        counts = _shallow(self._sandbox.recorder.stats(custom_ids=custom_ids))
        if not custom_ids:
            del counts["custom_ids"]
        return JSONResponse({**counts, "profiles": len(self._sandbox.store.profiles)})

    async def settings(self, _request: Request) -> Response:
        """Settings that can be changed while the sandbox runs."""
        return JSONResponse(changeable(self._sandbox.settings))

    async def change(self, request: Request) -> Response:
        """Changes the named settings: `{"latency": 0.5, "reject_ids": ["C-1"]}`."""
        try:
            changes = read_settings(await _document(request))
        except BadSettingError as error:
            raise BadControlError(str(error)) from None
        self._sandbox.settings = dataclasses.replace(self._sandbox.settings, **changes)
        return await self.settings(request)

    async def reset(self, request: Request) -> Response:
        """Deletes everything, except what an object keeps: `{"profiles": false}`."""
        parts = ("profiles", "stats")
        chosen = await _document(request) or {}
        if not isinstance(chosen, Mapping) or not all(
            key in parts and isinstance(value, bool) for key, value in chosen.items()
        ):
            raise BadControlError(f"an object of {', '.join(parts)}, each true or false")
        self._sandbox.reset(**chosen)
        return JSONResponse({"reset": [part for part in parts if chosen.get(part, True)]})


def _failed(status: int, message: str) -> Response:
    reply = failure(status, "SANDBOX", message)
    return Response(reply.body, reply.status, dict(reply.headers))
