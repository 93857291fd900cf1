"""The routes of catalogs: items with typed fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.indexing import Indexing, State
from dbt_batch_sync.sandbox.limits import RATES, Rate
from dbt_batch_sync.sandbox.record import Violation
from dbt_batch_sync.sandbox.replies import Reply, reply_json
from dbt_batch_sync.sandbox.routes import Call, Route, World, entries, exists, members, missing, not_found
from dbt_batch_sync.sandbox.rules import MAX_INTEGER, MIN_INTEGER, read_date, read_url
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.values import BrokenRuleError, Scalar

MAX_CATALOGS = 5
MAX_FIELDS = 25
MAX_ITEMS = 2_000_000
MAX_EDITS = 200
MAX_STRING = 10_000
MAX_ARRAY = 15
MAX_ARRAY_STRING = 64
MAX_ID = 511  # not documented: same as for profiles

_NAME = re.compile(r"[a-z0-9_]{1,30}")
_WRAPPED = ("date", "url")

Value = Scalar | tuple[str, ...]
Item = dict[str, Value]
Written = dict[str, Value | None]
"""The values of an edit; None for a null."""


@dataclass
class Catalog:
    """`fields` are types by name; `items` are values by id, by field name without wrapper."""

    name: str
    fields: dict[str, str]
    created: str
    updated: str
    items: dict[str, Item] = field(default_factory=dict)
    size: int = 0

    def put(self, item: str, values: Item | None) -> None:
        """Replaces an item; None removes it. `size` is in bytes; what Batch counts is not documented."""
        self.size += _size(values) - _size(self.items.get(item))
        if values is not None:
            self.items[item] = values
        else:
            self.items.pop(item, None)


class Edit(NamedTuple):
    """The change of one item. Only `add` has attributes, with keys as sent."""

    action: Literal["add", "remove"]
    item: str
    attributes: dict[str, object]


def read_name(value: object) -> str:
    """Raises BrokenRuleError."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BrokenRuleError("INVALID_NAME", "a name is 1 to 30 of a-z, 0-9 and _")
    return value


def _expected(passed: bool, key: str, expected: str) -> None:
    if not passed:
        raise BrokenRuleError("INVALID_VALUE", f"{key}: must be {expected}")


def _string(key: str, value: object) -> Value:
    _expected(isinstance(value, str) and 1 <= len(value) <= MAX_STRING, key, f"1 to {MAX_STRING} characters")
    return value  # type: ignore[return-value]


def _integer(key: str, value: object) -> Value:
    in_range = type(value) is int and MIN_INTEGER <= value <= MAX_INTEGER
    _expected(in_range, key, "a signed 64 bit integer")
    return value  # type: ignore[return-value]


def _float(key: str, value: object) -> Value:
    _expected(type(value) in (int, float) and math.isfinite(value), key, "a finite number")  # type: ignore[arg-type]
    return value  # type: ignore[return-value]


def _bool(key: str, value: object) -> Value:
    _expected(isinstance(value, bool), key, "true or false")
    return value  # type: ignore[return-value]


def _array(key: str, value: object) -> Value:
    items = value if isinstance(value, list) and len(value) <= MAX_ARRAY else []
    right = bool(items) and all(
        isinstance(item, str) and 1 <= len(item) <= MAX_ARRAY_STRING for item in items
    )
    _expected(right, key, f"1 to {MAX_ARRAY} strings of 1 to {MAX_ARRAY_STRING} characters")
    return tuple(items)


_READERS: dict[str, Callable[[str, object], Value]] = {
    "array": _array,
    "bool": _bool,
    "date": lambda _key, value: read_date(value).value,
    "float": _float,
    "integer": _integer,
    "string": _string,
    "url": lambda _key, value: read_url(value).value,
}


def read_item(
    fields: Mapping[str, str], attributes: Mapping[str, object], settings: SandboxSettings
) -> Written:
    """An item's values by name, without `date()` and `url()`. Raises BrokenRuleError."""
    keys: dict[str, str] = {}
    for name, kind in fields.items():
        if kind not in _WRAPPED or settings.item_names != "wrapped":
            keys[name] = name
        if kind in _WRAPPED and settings.item_names != "plain":
            keys[f"{kind}({name})"] = name
    if unknown := attributes.keys() - keys.keys():
        raise BrokenRuleError(
            "UNKNOWN_FIELD", f"{min(unknown)}: no field of the catalog, or not in this form"
        )
    item: Written = {}
    for key, value in attributes.items():
        is_null = value is None and settings.item_nulls == "clear"
        item[keys[key]] = None if is_null else _READERS[fields[keys[key]]](key, value)
    return item


def _read_fields(value: object) -> dict[str, str]:
    fields: dict[str, str] = {}
    for raw in entries(value, "fields", MAX_FIELDS):
        name, kind = read_name(members(raw, {"name", "type"})["name"]), raw["type"]
        if not isinstance(kind, str) or kind not in _READERS:
            raise BrokenRuleError("INVALID_TYPE", f"{name}: a type is one of {', '.join(_READERS)}")
        if name in fields:
            raise BrokenRuleError("DUPLICATE_FIELD", f"{name}: twice")
        fields[name] = kind
    return fields


def _read_field_change(raw: object) -> tuple[str, str | None]:
    """A field to add with its type, or to remove with None."""
    change = members(raw, {"action", "name"}, {"type"})
    if change["action"] == "add":
        ((name, kind),) = _read_fields([{"name": change["name"], "type": change.get("type")}]).items()
        return name, kind
    if change["action"] != "remove" or "type" in change:
        raise BrokenRuleError("INVALID_ACTION", "action: add with a type, or remove without one")
    return read_name(change["name"]), None


def _read_edit(raw: object) -> Edit:
    edit = members(raw, {"action", "id"}, {"attributes"})
    item, attributes = edit["id"], edit.get("attributes", {})
    if not isinstance(item, str) or not item.strip() or len(item) > MAX_ID:
        raise BrokenRuleError("INVALID_ID", f"an item's id is 1 to {MAX_ID} characters")
    if edit["action"] not in ("add", "remove"):
        raise BrokenRuleError("INVALID_ACTION", "action: add or remove")
    if not isinstance(attributes, dict) or (edit["action"] == "remove" and "attributes" in edit):
        raise BrokenRuleError("INVALID_ATTRIBUTES", "attributes: an object, with the action add only")
    return Edit(edit["action"], item, attributes)


class Catalogs:
    """The project's catalogs. The caller serializes calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._indexing = Indexing(world)
        self.catalogs: dict[str, Catalog] = {}

    def routes(self) -> list[Route]:
        def cost(_read: object) -> Mapping[Rate, float]:
            return {RATES["catalogs"]: 1}

        def cost_of_items(read: tuple[str, list[Edit]]) -> Mapping[Rate, float]:
            return {RATES["catalogs"]: 1, RATES["items"]: len(read[1])}

        def route(method: Any, action: str, read: Any, settle: Any, cost: Any = cost) -> Route:
            return Route(method, f"catalogs/{action}", read, settle, cost, since=6)

        return [
            route("POST", "create", self._read_create, self._create),
            route("POST", "update", self._read_update, self._update),
            route("POST", "items/edit", self._read_edits, self._edit, cost_of_items),
            route("GET", "view", self._read_view, self._view),
        ]

    def advance(self) -> None:
        """Applies what is due."""
        self._indexing.advance()

    def state(self, name: str) -> State:
        """Whether all its writes are applied."""
        return self._indexing.state(name, None)

    @staticmethod
    def _read_create(document: object) -> tuple[str, dict[str, str]]:
        body = members(document, {"name", "fields"})
        return read_name(body["name"]), _read_fields(body["fields"])

    def _create(self, call: Call) -> Reply:
        name, fields = call.read
        if name in self.catalogs:
            exists(self._world.settings, "catalog")
        elif len(self.catalogs) == MAX_CATALOGS:
            raise _broken(call, "TOO_MANY_CATALOGS", f"at most {MAX_CATALOGS} catalogs a project")
        else:
            now = self._world.moment()
            self.catalogs[name] = Catalog(name, fields, now, now)
        return reply_json(201, {})

    @staticmethod
    def _read_update(document: object) -> tuple[str, list[tuple[str, str | None]]]:
        body = members(document, {"name", "fields"})
        changes = [_read_field_change(raw) for raw in entries(body["fields"], "fields", 2 * MAX_FIELDS)]
        return read_name(body["name"]), changes

    def _update(self, call: Call) -> Reply:
        name, changes = call.read
        catalog = self.catalogs.get(name)
        if catalog is None:
            missing(self._world.settings, "catalog")
            return reply_json(202, {})
        fields = dict(catalog.fields)
        for changed, kind in changes:
            if kind is None:
                if fields.pop(changed, None) is None:
                    raise _broken(call, "UNKNOWN_FIELD", f"{changed}: no field of the catalog")
            elif changed in fields:
                raise _broken(
                    call, "FIELD_ALREADY_EXISTS", f"{changed}: exists; a field's type can't be altered"
                )
            else:
                fields[changed] = kind
        if not 1 <= len(fields) <= MAX_FIELDS:
            raise _broken(call, "INVALID_FIELDS", f"a catalog has 1 to {MAX_FIELDS} fields")
        for gone in catalog.fields.keys() - fields.keys():
            for item, values in list(catalog.items.items()):
                catalog.put(item, {name: value for name, value in values.items() if name != gone})
        catalog.fields, catalog.updated = fields, self._world.moment()
        return reply_json(202, {})

    @staticmethod
    def _read_edits(document: object) -> tuple[str, list[Edit]]:
        body = members(document, {"name", "items"})
        return read_name(body["name"]), [
            _read_edit(raw) for raw in entries(body["items"], "items", MAX_EDITS)
        ]

    def _edit(self, call: Call) -> Reply:
        settings, (name, edits) = self._world.settings, call.read
        call.tally.operations = len(edits)
        catalog = self.catalogs.get(name)
        if any(edit.item in settings.reject_ids for edit in edits):
            raise refuse(400, "REJECTED", "an item is rejected on demand")
        if len({edit.item for edit in edits}) < len(edits):
            call.tally.violate(Violation.DUPLICATE_IDENTIFIER)
        if catalog is None:
            missing(settings, "catalog")
            return self._indexing.accept(name, lambda: None)
        items: list[tuple[str, Written | None]] = []
        for index, (action, item, attributes) in enumerate(edits):
            try:
                added = read_item(catalog.fields, attributes, settings) if action == "add" else None
            except BrokenRuleError as broken:
                raise _broken(call, broken.category, f"item {index}: {broken.reason}") from None
            items.append((item, added))
        new = {item for item, values in items if values is not None and item not in catalog.items}
        if len(catalog.items) + len(new) > settings.max_items:
            raise _broken(call, "TOO_MANY_ITEMS", f"at most {settings.max_items:,} items a catalog")
        call.tally.applied = len(edits)
        return self._indexing.accept(name, lambda: self._apply(catalog, items))

    def _apply(self, catalog: Catalog, items: list[tuple[str, Written | None]]) -> None:
        merge = self._world.settings.second_write == "merge"
        for item, values in items:
            held = catalog.items.get(item, {}) if merge else {}
            written = {**held, **(values or {})}
            kept = {name: value for name, value in written.items() if value is not None}
            catalog.put(item, kept if values is not None else None)
        catalog.updated = self._world.moment()

    @staticmethod
    def _read_view(parameters: Mapping[str, str]) -> tuple[str, str | None]:
        asked = members(dict(parameters), {"name"}, {"indexing_token"})
        return read_name(asked["name"]), asked.get("indexing_token")

    def _view(self, call: Call) -> Reply:
        name, token = call.read
        catalog = self.catalogs.get(name)
        if catalog is None:
            raise not_found("catalog")
        state = self._indexing.state(name, token)
        return reply_json(
            200,
            {
                "name": name,
                "fields": [{"name": each, "type": kind} for each, kind in catalog.fields.items()],
                "items": len(catalog.items),
                "size": catalog.size,
                "created": catalog.created,
                "updated": catalog.updated,
                "indexing_state": state,
            },
        )


def _size(values: Item | None) -> int:
    return len(json.dumps(values)) if values is not None else 0


def _broken(call: Call, code: str, reason: str) -> Exception:
    call.tally.violate(Violation.REFUSED_CALL, reason)
    return refuse(400, code, reason)
