"""Catalogs: items with typed fields, sent whole."""
# Limits are marked as in docs/batch-api.md: [D] unless a comment says otherwise.

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbt_batch_sync.batch_api.answers import read_token
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.attributes import (
    ATTRIBUTE_NAME,
    CUSTOM_RULES,
    MAX_NAME,
    AttributeType,
    Rules,
    TypedAttribute,
)
from dbt_batch_sync.kinds.kind import Container, Document, Fragment, Kind, Route, Step
from dbt_batch_sync.kinds.listing import Entry, attributes, check_number, column, read_output
from dbt_batch_sync.mapping.mapping import Attribute, Guards, Mapping, OnExit, guards_field
from dbt_batch_sync.mapping.validation import Spot, choice, read_by, text, word

if TYPE_CHECKING:
    from dbt_batch_sync.connections.outputs import Output
    from dbt_batch_sync.ledger.state import Built

NAME = "catalog"
ITEM_ID = "item_id"
MAX_FIELDS = 25
MAX_ITEMS = 2_000_000
MAX_CATALOGS = 5

TYPES: dict[AttributeType, str] = {
    AttributeType.STRING: "string",
    AttributeType.INTEGER: "integer",
    AttributeType.FLOAT: "float",
    AttributeType.BOOLEAN: "bool",
    AttributeType.DATE: "date",
    AttributeType.URL: "url",
    AttributeType.STRING_ARRAY: "array",
}
"""Batch's names of field types."""

RULES = Rules(
    {
        **CUSTOM_RULES,
        AttributeType.STRING: replace(CUSTOM_RULES[AttributeType.STRING], max_length=10_000),
        AttributeType.STRING_ARRAY: replace(CUSTOM_RULES[AttributeType.STRING_ARRAY], max_length=64),
    },
    max_items=15,
)

EDIT = Route("catalogs/items/edit", "catalogs/items/edit", max_rows=200, read=read_token, rate=1_000, calls=5)


_read_name = word("a catalog's name", ATTRIBUTE_NAME, f"1 to {MAX_NAME} of a-z, 0-9 and _")
# [U]: same as attributes


@dataclass(frozen=True)
class _Form:
    kind: str = read_by(text("a kind"), NAME)
    identifier: str = read_by(column, "", required="the column with the ids of the items")
    catalog: str = read_by(_read_name, "", required="the name of the catalog in Batch")
    fields: tuple[Attribute, ...] = read_by(attributes(Entry), (), required="the columns that become fields")
    on_exit: OnExit = read_by(choice({"remove": OnExit.FLAG, "ignore": OnExit.IGNORE}), OnExit.FLAG)
    output: str | None = read_by(read_output, None)
    guards: Guards = guards_field(
        Guards(max_exit_ratio=0.2), "min_rows", "max_change_ratio", "max_exit_ratio"
    )


def _mapping(written: _Form, spot: Spot, mapping: Mapping) -> Mapping:
    check_number(written.fields, MAX_FIELDS, spot.at("fields"))
    if not written.fields and not spot.refused("fields"):
        spot.at("fields").refuse(f"must list 1 to {MAX_FIELDS} columns")
    # Without removals, nothing leaves Batch.
    stay = written.on_exit is OnExit.IGNORE
    guards = replace(written.guards, max_exit_ratio=None) if stay else written.guards
    return replace(mapping, attributes=written.fields, guards=guards, container=written.catalog)


def _stops(mapping: Mapping, built: Built, output: Output) -> Iterator[str]:
    stay = mapping.on_exit is OnExit.IGNORE
    rows = built.known_rows + built.inserts if stay else built.model_rows
    if rows > MAX_ITEMS:
        yield f"the catalog would have {rows:,} items, and Batch takes at most {MAX_ITEMS:,}"


def _adapt(mapping: Mapping, attributes: Sequence[TypedAttribute], found: Document | None) -> Step | None:
    """Creates the catalog or adds fields. Fields that are not in the mapping stay as they are."""
    name, wanted = mapping.container, {each.name: TYPES[each.type] for each in attributes}
    have = _fields(found or {})
    added = {each: type_ for each, type_ in wanted.items() if each not in have}
    said = ", ".join(f"{each} {type_}" for each, type_ in added.items())
    if found is None:
        listed = [{"name": each, "type": type_} for each, type_ in added.items()]
        does = f"create the catalog `{name}` with the fields {said} (a project has {MAX_CATALOGS} catalogs)"
        return Step("catalogs/create", {"name": name, "fields": listed}, does)
    _check_fields(name, wanted, have)
    if not added:
        return None
    changes = [{"action": "add", "name": each, "type": type_} for each, type_ in added.items()]
    does = f"add to the catalog `{name}` the fields {said}"
    return Step("catalogs/update", {"name": name, "fields": changes}, does)


def _fields(found: Document) -> dict[str, str]:
    """The types of a catalog's fields, by name."""
    listed = found.get("fields")
    return {
        str(each["name"]): str(each["type"])
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and {"name", "type"} <= each.keys()
    }


def _check_fields(name: str, wanted: dict[str, str], have: dict[str, str]) -> None:
    """Raises Stopped for a changed type or too many fields, which you must resolve."""
    changed = [each for each in wanted if each in have and have[each] != wanted[each]]
    if changed:
        said = ", ".join(
            f"`{each}` is {have[each]} in Batch and {wanted[each]} in the model" for each in changed
        )
        raise Stopped(
            f"Batch can't change the type of a field of the catalog `{name}`: {said}. Map the column "
            "under another `name`, cast it in the model, or remove the field in Batch"
        )
    if len(have | wanted) > MAX_FIELDS:
        raise Stopped(
            f"the catalog `{name}` would have {len(have | wanted)} fields, and Batch takes at most "
            f"{MAX_FIELDS}: remove fields that the mapping does not have in Batch"
        )


CATALOG = Kind(
    name=NAME,
    noun="item",
    key=ITEM_ID,
    form=_Form,
    mapping=_mapping,
    # Whether an edit merges or replaces is [U], so it always has the whole item.
    fragment=Fragment(
        opening='{"action":"add","id":',
        middle=',"attributes":{',
        ending="}}",
        max_members=MAX_FIELDS,
        max_arrays=MAX_FIELDS,
        bare=',"attributes":{}}',
        removal=('{"action":"remove","id":', "}"),
    ),
    routes=(EDIT,),
    repeatable=True,  # an item is written whole
    rules=RULES,
    stops=_stops,
    container=Container("catalogs", "items", "items", _adapt),
    max_targets=MAX_CATALOGS,
    on_resend="all items are sent again; items that others added to the catalog stay",
)
