"""Audiences: lists of custom ids with attributes for personalization."""
# Limits are marked as in docs/batch-api.md: [D] unless a comment says otherwise.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dbt_batch_sync.batch_api.answers import read_token
from dbt_batch_sync.kinds.attributes import CUSTOM_ID, CUSTOM_RULES, AttributeType, Rules, TypedAttribute
from dbt_batch_sync.kinds.kind import Container, Document, Fragment, Kind, Route, Step
from dbt_batch_sync.kinds.listing import Entry, attributes, check_number, column, read_output
from dbt_batch_sync.mapping.mapping import Attribute, Guards, Mapping, OnExit, guards_field
from dbt_batch_sync.mapping.validation import Spot, choice, optional, read_by, text, word

NAME = "audience"
MAX_ATTRIBUTES = 15

TYPES = tuple(each for each in CUSTOM_RULES if each is not AttributeType.BOOLEAN)

UPDATE = Route(
    "audiences/update",
    "audiences/update",
    max_rows=10_000,
    read=read_token,
    calls=1,  # for all requests about audiences [Q]
    max_in_flight=1,
)


_read_name = word("an audience's name", r"[A-Za-z0-9_-]{1,255}", "1 to 255 of A-Z, a-z, 0-9, _ and -")


@dataclass(frozen=True)
class _Entry(Entry):
    type: AttributeType | None = read_by(optional(choice(TYPES)), None)


@dataclass(frozen=True)
class _Form:
    kind: str = read_by(text("a kind"), NAME)
    identifier: str = read_by(column, "", required="the column with the `custom_id` of the members")
    audience: str = read_by(_read_name, "", required="the name of the audience in Batch")
    display_name: str | None = read_by(optional(text("the name that the dashboard shows")), None)
    attributes: tuple[Attribute, ...] = read_by(attributes(_Entry), ())
    output: str | None = read_by(read_output, None)
    guards: Guards = guards_field(
        Guards(max_exit_ratio=0.5), "min_rows", "max_change_ratio", "max_exit_ratio"
    )


def _mapping(written: _Form, spot: Spot, mapping: Mapping) -> Mapping:
    check_number(written.attributes, MAX_ATTRIBUTES, spot.at("attributes"))
    return replace(mapping, on_exit=OnExit.FLAG, container=written.audience)


def _adapt(mapping: Mapping, attributes: Sequence[TypedAttribute], found: Document | None) -> Step | None:
    if found is not None:
        return None
    shown_as = {"display_name": mapping.display_name} if mapping.display_name else {}
    document = {"name": mapping.container, **shown_as, "type": "custom_ids"}
    return Step("audiences/create", document, f"create the audience `{mapping.container}`")


AUDIENCE = Kind(
    name=NAME,
    noun="member",
    key=CUSTOM_ID,
    form=_Form,
    mapping=_mapping,
    # Whether a second `add` merges or replaces attributes is [U], so an add always carries all of them.
    fragment=Fragment(
        opening='{"action":"add","id":',
        middle=',"attributes":{',
        ending="}}",
        max_members=MAX_ATTRIBUTES,
        max_arrays=MAX_ATTRIBUTES,
        bare="}",
        removal=('{"action":"remove","id":', "}"),
    ),
    routes=(UPDATE,),
    repeatable=True,  # the last action on an id wins
    rules=Rules({each: CUSTOM_RULES[each] for each in TYPES}),
    container=Container("audiences", "ids", "nb_ids", _adapt, replaceable=True),
    on_resend="all members are added again; ids that others added to the audience stay",
)
