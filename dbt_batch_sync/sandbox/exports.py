"""Exports of profiles: asked for, waited for, and downloaded as files of one JSON object a line.

How values look in the files is not documented: each unknown form has a setting.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NoReturn

from dbt_batch_sync.sandbox.gate import RefusedCallError, refuse
from dbt_batch_sync.sandbox.limits import Rate, TokenBucket
from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.record import Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply, failure, retry_after_header
from dbt_batch_sync.sandbox.rules import read_key
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.values import BrokenRuleError, Scalar, TypedValue

_KEYS = frozenset(("export_type", "attributes", "identifiers", "filter"))
_STATES = ("CREATED", "PENDING", "RUNNING")


@dataclass(frozen=True)
class Export:
    """What was asked for, and the profiles as they were then."""

    id: str
    attributes: tuple[str, ...]
    profiles: tuple[Profile, ...]
    created: float
    files: tuple[tuple[str, int, int], ...]
    """Id, and from which profile up to which one."""


class Exports:
    """The exports of one sandbox. For several threads."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._lock = threading.Lock()
        self._exports: dict[str, Export] = {}
        self._links: dict[str, tuple[Export, int, int, float]] = {}
        self._bucket: tuple[float | None, TokenBucket] | None = None

    def create(self, body: bytes, tally: Tally) -> Reply:
        """202 with the export's id. Raises RefusedCallError."""
        attributes = _read_request(body, tally)
        self._pace(tally)
        profiles = tuple(self._sandbox.store.snapshot().values())
        step = self._sandbox.settings.export_file_profiles
        files = tuple(
            (f"file_{uuid.uuid4().hex}", start, min(start + step, len(profiles)))
            for start in range(0, max(1, len(profiles)), step)
        )
        export = Export(f"export_{uuid.uuid4().hex}", attributes, profiles, self._sandbox.clock(), files)
        with self._lock:
            self._exports[export.id] = export
        return Reply(202, json.dumps({"id": export.id}).encode())

    def view(self, export_id: str, base: str) -> Reply:
        """Its state, and once it has succeeded its files. Raises RefusedCallError: 404."""
        with self._lock:
            export = self._exports.get(export_id)
        if export is None:
            raise refuse(404, "EXPORT_NOT_FOUND", "no such export")
        state = self._state(export)
        urls = [f"{base}/exports/download?id={name}" for name, _, _ in export.files]
        files = [{"url": url} for url in urls] if state == "SUCCESS" else []
        return Reply(200, json.dumps({"id": export.id, "status": state, "files": files}).encode())

    def download(self, file_id: str, base: str) -> Reply:
        """307 to a link that needs no key and expires. Raises RefusedCallError: 404."""
        with self._lock:
            found = next(
                (
                    (export, start, end)
                    for export in self._exports.values()
                    for name, start, end in export.files
                    if name == file_id and self._state(export) == "SUCCESS"
                ),
                None,
            )
            if found is None:
                raise refuse(404, "FILE_NOT_FOUND", "no such file")
            token = uuid.uuid4().hex
            until = self._sandbox.clock() + self._sandbox.settings.export_link_seconds
            self._links[token] = (*found, until)
        return Reply(307, b"", (("location", f"{base}/_files/{token}"),))

    def file(self, token: str) -> Reply | Iterator[bytes]:
        """The lines of a file behind a link."""
        with self._lock:
            found = self._links.get(token)
        if found is None or self._sandbox.clock() >= found[3]:
            return failure(403, "EXPIRED", "the link has expired")
        export, start, end, _ = found
        return _lines(export, start, end, self._sandbox.settings)

    def _state(self, export: Export) -> str:
        settings = self._sandbox.settings
        waited, takes = self._sandbox.clock() - export.created, settings.export_seconds
        if waited < takes:
            return _STATES[int(waited / takes * len(_STATES))]
        return settings.export_result

    def _pace(self, tally: Tally) -> None:
        settings = self._sandbox.settings
        hourly = settings.exports_per_hour
        if hourly is None or not settings.rate_limits:
            return
        with self._lock:
            if self._bucket is None or self._bucket[0] != hourly:
                self._bucket = (hourly, TokenBucket(Rate(hourly / 3600, 1.0), self._sandbox.clock))
            wait = self._bucket[1].take(1)
        if wait:
            tally.throttled = True
            header = retry_after_header(wait, self._sandbox.now(), as_date=False)
            raise RefusedCallError(failure(429, "TOO_MANY_REQUESTS", "too many exports an hour", header))


def _read_request(body: bytes, tally: Tally) -> tuple[str, ...]:
    """The attributes that are asked for."""

    def wrong(message: str) -> NoReturn:
        tally.violate(Violation.MALFORMED, message)
        raise refuse(400, "INVALID_EXPORT", message)

    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        wrong("not valid JSON")
    if not isinstance(asked, dict) or asked.keys() - _KEYS:
        wrong(f"an object of {', '.join(sorted(_KEYS))}")
    if asked.get("export_type") != "ATTRIBUTES":
        wrong("the sandbox exports ATTRIBUTES")
    if asked.get("identifiers") != ["custom_id"]:
        wrong('identifiers are ["custom_id"]')
    names = asked.get("attributes")
    if not isinstance(names, list) or not names:
        wrong("attributes are a list of names")
    if not all(isinstance(name, str) and _is_plain_name(name) for name in names):
        wrong("attributes are plain names")
    return tuple(names)


def _is_plain_name(name: str) -> bool:
    try:
        return read_key(name).nullable
    except BrokenRuleError:
        return False


def _lines(export: Export, start: int, end: int, settings: SandboxSettings) -> Iterator[bytes]:
    lines: list[str] = []
    for profile in export.profiles[start:end]:
        attributes = dict(_shown(export.attributes, profile.attributes, settings))
        line = {"identifiers": {"custom_id": profile.custom_id}, "attributes": attributes}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        if len(lines) == 1000:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def _shown(
    names: tuple[str, ...], held: Mapping[str, TypedValue], settings: SandboxSettings
) -> Iterator[tuple[str, object]]:
    for name in names:
        typed = held.get(name)
        if typed is None:
            if settings.export_nulls == "null":
                yield name, None
            continue
        wrapped = settings.export_names == "wrapped" and typed.type in ("date", "url")
        yield f"{typed.type}({name})" if wrapped else name, _value(typed, settings)


def _value(typed: TypedValue, settings: SandboxSettings) -> object:
    value = typed.value
    if isinstance(value, tuple):
        listed = list(reversed(value)) if settings.export_arrays == "unordered" else list(value)
        return json.dumps(listed, ensure_ascii=False) if settings.export_arrays == "text" else listed
    if typed.type == "date":
        return _date(str(value), settings.export_dates)
    if settings.export_scalars == "text":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def _date(value: str, form: str) -> Scalar:
    moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    seconds = round((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds())
    forms: dict[str, Scalar] = {
        "milliseconds": seconds * 1000,
        "seconds": seconds,
        "fraction": value.replace("Z", ".000Z"),
        "offset": value.replace("Z", "+00:00"),
        "plain": value.replace("T", " ").removesuffix("Z"),
        "day": value.removesuffix("T00:00:00Z"),
    }
    return forms.get(form, value)
