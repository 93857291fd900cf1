"""The routes of audiences: lists of custom ids with attributes for personalization."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

from dbt_batch_sync.sandbox.deletions import ERASED
from dbt_batch_sync.sandbox.gate import refuse
from dbt_batch_sync.sandbox.indexing import Indexing, State
from dbt_batch_sync.sandbox.limits import RATES, Rate
from dbt_batch_sync.sandbox.operations import check_custom_id
from dbt_batch_sync.sandbox.record import Violation
from dbt_batch_sync.sandbox.replies import Reply, reply_json
from dbt_batch_sync.sandbox.routes import (
    Call,
    Route,
    World,
    entries,
    exists,
    members,
    missing,
    not_found,
    read_number,
)
from dbt_batch_sync.sandbox.rules import read_key
from dbt_batch_sync.sandbox.values import BrokenRuleError, TypedValue

MAX_IDS = 10_000
MAX_ATTRIBUTES = 15
MAX_LISTED = 100

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TYPES = frozenset(("string", "integer", "float", "date", "url", "string_array"))


@dataclass
class Audience:
    """`members` are attributes by custom id; attributes are by name without wrapper."""

    name: str
    display_name: str | None
    created: str
    updated: str
    members: dict[str, dict[str, TypedValue]] = field(default_factory=dict)

    def described(self) -> dict[str, object]:
        """As in `list` and `view`."""
        return {
            "name": self.name,
            "display_name": self.display_name,
            "type": "CUSTOM_ID",
            "nb_ids": len(self.members),
            "created": self.created,
            "updated": self.updated,
        }


class Change(NamedTuple):
    """The change of one id. Only `add` has attributes."""

    action: Literal["add", "remove"]
    custom_id: str
    attributes: dict[str, TypedValue]


def read_name(value: object) -> str:
    """Raises BrokenRuleError."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BrokenRuleError("INVALID_NAME", "an audience's name is 1 to 255 of A-Z, a-z, 0-9, _ and -")
    return value


def _read_attributes(raw: object) -> dict[str, TypedValue]:
    if not isinstance(raw, dict) or len(raw) > MAX_ATTRIBUTES:
        raise BrokenRuleError("INVALID_ATTRIBUTES", f"attributes: an object of at most {MAX_ATTRIBUTES}")
    attributes: dict[str, TypedValue] = {}
    for key, value in raw.items():
        name, read, _ = read_key(key)
        if name.startswith("$"):
            raise BrokenRuleError("INVALID_NAME", "an audience has no standard attributes")
        if key.startswith("date(") and type(value) is int:
            typed = TypedValue("date", value)  # Unix time
        elif value is None:
            raise BrokenRuleError("INVALID_VALUE", f"{key}: null is no value of an audience's attribute")
        else:
            typed = read(value)  # type: ignore[assignment]  # a change of an array is refused below
        if not isinstance(typed, TypedValue) or typed.type not in _TYPES:
            raise BrokenRuleError("INVALID_TYPE", f"{key}: must be a string, number, date, url or array")
        if name in attributes:
            raise BrokenRuleError("DUPLICATE_ATTRIBUTE", f"{name}: twice for one id")
        attributes[name] = typed
    return attributes


def _read_change(raw: object) -> Change:
    change = members(raw, {"action", "id"}, {"attributes"})
    if change["action"] == "add":
        return _added(change)
    if change["action"] != "remove":
        raise BrokenRuleError("INVALID_ACTION", "action: add or remove")
    if "attributes" in change:
        raise BrokenRuleError("INVALID_ATTRIBUTES", "attributes come with the action add only")
    check_custom_id(change["id"])
    return Change("remove", change["id"], {})


def _read_added(raw: object) -> Change:
    return _added(members(raw, {"id"}, {"attributes"}))


def _added(added: Mapping[str, Any]) -> Change:
    check_custom_id(added["id"])
    return Change("add", added["id"], _read_attributes(added.get("attributes", {})))


def _read_ids(read: Callable[[object], Change], document: object) -> tuple[str, list[Change]]:
    body = members(document, {"name", "ids"})
    changes = []
    for index, raw in enumerate(entries(body["ids"], "ids", MAX_IDS)):
        try:
            changes.append(read(raw))
        except BrokenRuleError as broken:
            raise BrokenRuleError(broken.category, f"id {index}: {broken.reason}") from None
    return read_name(body["name"]), changes


class Audiences:
    """The project's audiences. The caller serializes calls.

    `discards` tells whether Batch discards a person's data.
    """

    def __init__(self, world: World, discards: Callable[[str], bool]) -> None:
        self._world = world
        self.discards = discards
        self._indexing = Indexing(world)
        self.audiences: dict[str, Audience] = {}

    def routes(self) -> list[Route]:
        """All requests share the rate of one per second."""

        def cost(_read: object) -> Mapping[Rate, float]:
            return {RATES["audiences"]: 1}

        def post(action: str, read: Any, settle: Any) -> Route:
            return Route("POST", f"audiences/{action}", read, settle, cost)

        return [
            post("create", self._read_create, self._create),
            post("update", partial(_read_ids, _read_change), partial(self._write, replace=False)),
            post("replace", partial(_read_ids, _read_added), partial(self._write, replace=True)),
            post("remove", self._read_remove, self._remove),
            Route("GET", "audiences/list", self._read_list, self._list, cost),
            Route("GET", "audiences/view", self._read_view, self._view, cost),
        ]

    def advance(self) -> None:
        """Applies what is due."""
        self._indexing.advance()

    def state(self, name: str) -> State:
        """Whether all its writes are applied."""
        return self._indexing.state(name, None)

    def forget(self, custom_id: str) -> None:
        """Removes an erased person from every audience."""
        for audience in self.audiences.values():
            audience.members.pop(custom_id, None)

    @staticmethod
    def _read_create(document: object) -> Audience:
        body = members(document, {"name", "type"}, {"display_name"})
        if body["type"] != "custom_ids":
            raise BrokenRuleError("INVALID_TYPE", "type: custom_ids")
        display_name = body.get("display_name")
        if "display_name" in body and not (isinstance(display_name, str) and display_name.strip()):
            raise BrokenRuleError("INVALID_NAME", "display_name: text")
        return Audience(read_name(body["name"]), display_name, "", "")

    def _create(self, call: Call) -> Reply:
        new: Audience = call.read
        if new.name in self.audiences:
            exists(self._world.settings, "audience")
        new.created = new.updated = self._world.moment()
        return self._indexing.accept(new.name, lambda: self.audiences.setdefault(new.name, new))

    def _write(self, call: Call, *, replace: bool) -> Reply:
        name, changes = call.read
        tally = call.tally
        tally.operations = len(changes)
        if any(change.custom_id in self._world.settings.reject_ids for change in changes):
            raise refuse(400, "REJECTED", "an id is rejected on demand")
        if self._world.settings.blacklisted == "reject" and any(
            change.action == "add" and self.discards(change.custom_id) for change in changes
        ):
            raise refuse(400, *ERASED)
        if len({change.custom_id for change in changes}) < len(changes):
            tally.violate(Violation.DUPLICATE_IDENTIFIER)
        if name not in self.audiences:
            missing(self._world.settings, "audience")
            return self._indexing.accept(name, lambda: None)
        tally.applied = len(changes)
        if replace:
            self._indexing.replace(name)
        return self._indexing.accept(name, lambda: self._apply(name, changes, replace=replace))

    def _apply(self, name: str, changes: list[Change], *, replace: bool) -> None:
        audience = self.audiences.get(name)
        if audience is None:  # removed meanwhile
            return
        if replace:
            audience.members.clear()
        merge = self._world.settings.second_write == "merge"
        for action, custom_id, attributes in changes:
            if action == "remove":
                audience.members.pop(custom_id, None)
            elif not self.discards(custom_id):
                held = audience.members.get(custom_id, {}) if merge else {}
                audience.members[custom_id] = {**held, **attributes}
        audience.updated = self._world.moment()

    @staticmethod
    def _read_remove(document: object) -> str:
        return read_name(members(document, {"name"})["name"])

    def _remove(self, call: Call) -> Reply:
        if self.audiences.pop(call.read, None) is None:
            missing(self._world.settings, "audience")
        return self._indexing.accept(call.read, lambda: None)

    @staticmethod
    def _read_list(parameters: Mapping[str, str]) -> tuple[int, int]:
        asked = members(dict(parameters), set(), {"from", "limit"})
        return read_number(asked, "from", 0, 0), read_number(asked, "limit", MAX_LISTED, 1, MAX_LISTED)

    def _list(self, call: Call) -> Reply:
        start, limit = call.read
        self.advance()
        names = list(self.audiences)
        shown = [self.audiences[name].described() for name in names[start : start + limit]]
        more = start + limit < len(names)
        answer = {"audiences": shown, "count": len(shown), "has_more": more}
        return reply_json(200, {**answer, "next_from": str(start + limit)} if more else answer)

    @staticmethod
    def _read_view(parameters: Mapping[str, str]) -> tuple[str, str | None]:
        asked = members(dict(parameters), {"name"}, {"indexing_token"})
        return read_name(asked["name"]), asked.get("indexing_token")

    def _view(self, call: Call) -> Reply:
        name, token = call.read
        audience = self.audiences.get(name)
        if audience is None:
            raise not_found("audience")
        state = self._indexing.state(name, token)
        return reply_json(200, {**audience.described(), "indexing_state": state})
