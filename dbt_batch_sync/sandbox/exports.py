"""The routes of exports: files of profiles, written in the background, behind links that expire."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from operator import itemgetter
from pathlib import Path
from typing import Literal

from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.replies import Reply, reply_json
from dbt_batch_sync.sandbox.routes import Call, Route, World, entries, members
from dbt_batch_sync.sandbox.rules import plain_name, read_key
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.store import ProfileStore
from dbt_batch_sync.sandbox.values import BrokenRuleError, TypedValue

MAX_FILE = 100_000_000  # bytes
_MAX_ATTRIBUTES = 1_000
_CHUNK = 5_000
_KEPT = 20

Status = Literal["CREATED", "PENDING", "RUNNING", "SUCCESS", "ERROR"]


@dataclass
class Export:
    """`files` are complete when `written` is set."""

    id: str
    attributes: tuple[str, ...]
    asked_at: datetime
    delay: float
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    rows: int = 0
    written: threading.Event = field(default_factory=threading.Event)

    def status(self, now: datetime, *, fails: bool) -> Status:
        """One state after the other, while the delay passes."""
        passed = (now - self.asked_at).total_seconds()
        if passed < self.delay / 4:
            return "CREATED"
        if passed < self.delay / 2:
            return "PENDING"
        if passed < self.delay or not self.written.is_set():
            return "RUNNING"
        return "ERROR" if fails else "SUCCESS"


class Exports:
    """Its owner sees to it that calls come one at a time. The files are gone after `clear`."""

    def __init__(self, world: World, store: ProfileStore) -> None:
        self._world, self._store = world, store
        self.exports: dict[str, Export] = {}
        self._links: dict[str, tuple[Path, datetime]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "profiles/export", _read_export, self._export, self._cost),
            Route("GET", "exports/view", _read_id, self._view),
            Route("GET", "exports/download", _read_id, self._download),
            Route("GET", "_files/{token}", itemgetter("token"), self._file, base="link"),
        ]

    def clear(self) -> None:
        """Removes every file."""
        for export in self.exports.values():
            shutil.rmtree(export.folder, ignore_errors=True)
        self.exports.clear()
        self._links.clear()

    def _cost(self, read: tuple[tuple[str, ...], bool]) -> Mapping[str, float]:
        costs = {"exports": 1.0} if read[1] else {}
        return {**costs, "audiences": 1.0} if self._world.settings.share_rate else costs

    def _export(self, call: Call) -> Reply:
        settings = self._world.settings
        export = Export(
            "export_" + uuid.uuid4().hex,
            call.read[0],
            self._world.now(),
            settings.export_delay,
            Path(tempfile.mkdtemp(prefix="batch-sandbox-")),
        )
        self.exports[export.id] = export
        if len(self.exports) > _KEPT:
            oldest = self.exports.pop(next(iter(self.exports)))
            shutil.rmtree(oldest.folder, ignore_errors=True)
        writer = threading.Thread(target=_write, args=(export, self._store, settings), daemon=True)
        writer.start()
        return reply_json(202, {"id": export.id})

    def _view(self, call: Call) -> Reply:
        export = self.exports.get(call.read)
        if export is None:
            raise refuse(404, "EXPORT_NOT_FOUND", "there is no such export")
        status = export.status(self._world.now(), fails=self._world.settings.export_fails)
        links = [f"{call.tally.address}exports/download?id={name}" for name in export.files]
        files = [{"url": link} for link in links] if status == "SUCCESS" else []
        return reply_json(200, {"id": export.id, "status": status, "files": files})

    def _download(self, call: Call) -> Reply:
        found = [export.files[call.read] for export in self.exports.values() if call.read in export.files]
        if not found:
            raise refuse(404, "FILE_NOT_FOUND", "there is no such file")
        now = self._world.now()
        self._links = {token: link for token, link in self._links.items() if now < link[1]}
        token = uuid.uuid4().hex
        self._links[token] = (found[0], now + timedelta(seconds=self._world.settings.link_seconds))
        root = call.tally.address.rsplit("/", 2)[0]
        return Reply(307, b"", (("location", f"{root}/_files/{token}"),))

    def _file(self, call: Call) -> Reply:
        path, until = self._links.get(call.read, (None, self._world.now()))
        if path is None or self._world.now() >= until or not path.exists():
            raise refuse(403, "LINK_EXPIRED", "the link has expired, or never was")
        return Reply(200, b"", (("content-type", "application/octet-stream"),), path)


def _read_export(document: object) -> tuple[tuple[str, ...], bool]:
    body = members(document, {"export_type", "attributes", "identifiers"}, {"filter"})
    if body["export_type"] != "ATTRIBUTES":
        raise BrokenRuleError("INVALID_EXPORT_TYPE", "the sandbox exports the type ATTRIBUTES only")
    if body["identifiers"] != ["custom_id"]:
        raise BrokenRuleError("INVALID_IDENTIFIERS", 'the sandbox exports ["custom_id"] only')
    attributes = entries(body["attributes"], "attributes", _MAX_ATTRIBUTES)
    for name in attributes:
        if not isinstance(name, str) or plain_name(name) != name or read_key(name).name != name:
            raise BrokenRuleError("INVALID_NAME", "attributes are plain names")
    if "filter" in body:
        segment = members(body["filter"], {"segment"})["segment"]
        if not isinstance(segment, str) or not segment:
            raise BrokenRuleError("INVALID_FILTER", "filter: the name of a segment")
    return tuple(attributes), "filter" in body


def _read_id(parameters: Mapping[str, str]) -> str:
    return str(members(dict(parameters), {"id"})["id"])


def _write(export: Export, store: ProfileStore, settings: SandboxSettings) -> None:
    """All profiles as they are when their turn comes: one JSON object a line."""
    try:
        lines = size = 0
        file = None
        for profiles in store.chunks(_CHUNK):
            for custom_id, attributes in profiles:
                if file is None or lines >= settings.export_rows or size >= MAX_FILE:
                    if file is not None:
                        file.close()
                    name = "file_" + uuid.uuid4().hex
                    path = export.folder / name
                    file, export.files[name] = path.open("wb"), path
                    lines = size = 0
                size += file.write(_line(custom_id, attributes, export.attributes, settings))
                lines += 1
                export.rows += 1
        if file is not None:
            file.close()
    except FileNotFoundError:  # forgotten meanwhile, and its folder removed
        return
    finally:
        export.written.set()


def _line(
    custom_id: str, held: Mapping[str, TypedValue], wanted: tuple[str, ...], settings: SandboxSettings
) -> bytes:
    attributes: dict[str, object] = {}
    for name in wanted:
        typed = held.get(name)
        if typed is not None:
            key, value = exported(name, typed, settings)
            attributes[key] = value
        elif settings.export_nulls:
            attributes[name] = None
    row = {"identifiers": {"custom_id": custom_id}, "attributes": attributes}
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def exported(name: str, typed: TypedValue, settings: SandboxSettings) -> tuple[str, object]:
    """A key and a value in the forms that the settings choose."""
    kind, value = typed
    if kind == "date":
        return _exported_date(name, str(value), settings.export_dates)
    if kind == "url" and settings.export_urls == "wrapped":
        return f"url({name})", value
    if kind == "string_array" and settings.export_arrays == "text":
        return name, json.dumps(value, ensure_ascii=False)
    return name, value


def _exported_date(name: str, value: str, form: str) -> tuple[str, object]:
    if form == "wrapped":
        return f"date({name})", value
    if form == "plain":
        return name, value
    if form == "milliseconds":
        return name, value.replace("Z", ".000Z")
    moment = datetime.fromisoformat(value.replace("Z", "")).replace(tzinfo=timezone.utc)
    return name, int(moment.timestamp())
