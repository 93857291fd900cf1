"""The routes of exports: files of profiles, written in the background, with links that expire."""

from __future__ import annotations

import calendar
import json
import shutil
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Literal

from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.limits import RATES, Rate
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

# Up to this many are written before the answer, exactly as they are; more in the background.
_AT_ONCE = 20_000

Status = Literal["CREATED", "PENDING", "RUNNING", "SUCCESS", "ERROR"]
_STATES: tuple[Status, ...] = ("CREATED", "PENDING", "RUNNING")


@dataclass
class Export:
    """`files` are complete once `written` is set."""

    id: str
    attributes: tuple[str, ...]
    asked_at: float
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    written: threading.Event = field(default_factory=threading.Event)

    def status(self, now: float, settings: SandboxSettings) -> Status:
        """The states in turn, a third of the time each."""
        passed = now - self.asked_at
        if passed < settings.export_seconds:
            return _STATES[int(3 * passed / settings.export_seconds)]
        return settings.export_result if self.written.is_set() else "RUNNING"


class Exports:
    """The caller serializes calls. `clear` deletes the files, and so does garbage collection."""

    def __init__(self, world: World, store: ProfileStore) -> None:
        self._world, self._store = world, store
        self.exports: dict[str, Export] = {}
        self._links: dict[str, tuple[Path, float]] = {}
        self._folder: Path | None = None

    def routes(self) -> list[Route]:
        return [
            Route("POST", "profiles/export", _read_export, self._export, self._cost),
            Route("GET", "exports/view", _read_id, self._view),
            Route("GET", "exports/download", _read_id, self._download),
            Route("GET", "_files/{token}", itemgetter("token"), self._file, base="link"),
        ]

    def status(self, export: Export) -> Status:
        return export.status(self._world.seconds(), self._world.settings)

    def clear(self) -> None:
        """Deletes all files."""
        for export in self.exports.values():
            shutil.rmtree(export.folder, ignore_errors=True)
        self.exports.clear()
        self._links.clear()

    def _cost(self, read: tuple[tuple[str, ...], bool]) -> Mapping[Rate, float]:
        settings, with_segment = self._world.settings, read[1]
        costs: dict[Rate, float] = {RATES["audiences"]: 1} if settings.share_rate else {}
        if with_segment:
            costs[RATES["exports"]] = 1
        elif settings.exports_per_hour is not None:
            costs[Rate("exports", settings.exports_per_hour / 3_600, 1.0)] = 1
        return costs

    def _export(self, call: Call) -> Reply:
        settings = self._world.settings
        name = "export_" + uuid.uuid4().hex
        folder = self._own_folder() / name
        folder.mkdir()
        export = Export(name, call.read[0], self._world.seconds(), folder)
        self.exports[export.id] = export
        if len(self.exports) > _KEPT:
            oldest = self.exports.pop(next(iter(self.exports)))
            shutil.rmtree(oldest.folder, ignore_errors=True)
        write = partial(_write, export, self._store, settings)
        if len(self._store.profiles) <= _AT_ONCE:
            write()
        else:
            threading.Thread(target=write, daemon=True).start()
        return reply_json(202, {"id": export.id})

    def _own_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="batch-sandbox-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def _view(self, call: Call) -> Reply:
        export = self.exports.get(call.read)
        if export is None:
            raise refuse(404, "EXPORT_NOT_FOUND", "there is no such export")
        status = self.status(export)
        links = [f"{call.tally.address}exports/download?id={name}" for name in export.files]
        files = [{"url": link} for link in links] if status == "SUCCESS" else []
        return reply_json(200, {"id": export.id, "status": status, "files": files})

    def _download(self, call: Call) -> Reply:
        found = [export.files[call.read] for export in self.exports.values() if call.read in export.files]
        if not found:
            raise refuse(404, "FILE_NOT_FOUND", "there is no such file")
        now = self._world.seconds()
        self._links = {token: link for token, link in self._links.items() if now < link[1]}
        token = uuid.uuid4().hex
        self._links[token] = (found[0], now + self._world.settings.export_link_seconds)
        root = call.tally.address.rsplit("/", 2)[0]
        return Reply(307, b"", (("location", f"{root}/_files/{token}"),))

    def _file(self, call: Call) -> Reply:
        path, until = self._links.get(call.read, (None, 0.0))
        if path is None or self._world.seconds() >= until or not path.exists():
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
            raise BrokenRuleError("INVALID_FILTER", "filter: must name what it filters by")
    return tuple(attributes), "filter" in body


def _read_id(parameters: Mapping[str, str]) -> str:
    return str(members(dict(parameters), {"id"})["id"])


def _write(export: Export, store: ProfileStore, settings: SandboxSettings) -> None:
    """All profiles as they are when they are written: one JSON object per line, at least one file."""
    try:
        file, lines = _next_file(export), 0
        for profiles in store.chunks(_CHUNK):
            for custom_id, attributes in profiles:
                if lines >= settings.export_file_profiles or file.tell() >= MAX_FILE:
                    file.close()
                    file, lines = _next_file(export), 0
                file.write(_line(custom_id, attributes, export.attributes, settings))
                lines += 1
        file.close()
    except FileNotFoundError:  # deleted meanwhile, with its folder
        return
    finally:
        export.written.set()


def _next_file(export: Export) -> BinaryIO:
    name = "file_" + uuid.uuid4().hex
    path = export.folder / name
    file = path.open("wb")
    export.files[name] = path
    return file


def _line(
    custom_id: str, held: Mapping[str, TypedValue], wanted: tuple[str, ...], settings: SandboxSettings
) -> bytes:
    attributes: dict[str, object] = {}
    for name in wanted:
        typed = held.get(name)
        if typed is not None:
            wrapped = settings.export_names == "wrapped" and typed.type in ("date", "url")
            attributes[f"{typed.type}({name})" if wrapped else name] = _exported(typed, settings)
        elif settings.export_nulls == "null":
            attributes[name] = None
    row = {"identifiers": {"custom_id": custom_id}, "attributes": attributes}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _exported(typed: TypedValue, settings: SandboxSettings) -> object:
    value = typed.value
    if isinstance(value, tuple):
        listed = list(reversed(value)) if settings.export_arrays == "unordered" else list(value)
        return json.dumps(listed, ensure_ascii=False) if settings.export_arrays == "text" else listed
    if typed.type == "date":
        return _exported_date(str(value), settings.export_dates)
    if settings.export_scalars == "text":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def _exported_date(value: str, form: str) -> object:
    seconds = calendar.timegm(time.strptime(value, "%Y-%m-%dT%H:%M:%SZ"))
    forms: dict[str, object] = {
        "milliseconds": seconds * 1000,
        "seconds": seconds,
        "fraction": value.replace("Z", ".000Z"),
        "offset": value.replace("Z", "+00:00"),
        "plain": value.replace("T", " ").removesuffix("Z"),
        "day": value.removesuffix("T00:00:00Z"),
    }
    return forms.get(form, value)
