"""Audiences: lists of custom ids with attributes for personalization.

Limits are marked as in docs/batch-api.md: [D] unless a comment says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from dbt_batch_sync.batch_api.answers import read_token
from dbt_batch_sync.errors import Stopped
from dbt_batch_sync.kinds.attributes import CUSTOM_ID, CUSTOM_RULES, AttributeType, Rules, TypedAttribute
from dbt_batch_sync.kinds.kind import Fragment, Kind, Route, Step, Talk
from dbt_batch_sync.kinds.listing import (
    Entry,
    Listed,
    attributes_of,
    check_types,
    column,
    entries,
    read_output,
)
from dbt_batch_sync.mapping.mapping import Guards, Location, Mapping, OnExit, guards_field
from dbt_batch_sync.mapping.validation import Spot, optional, read_by, text, word

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
class _Form:
    """The keys of `batch_sync`."""

    kind: str = read_by(text("a kind"), NAME)
    identifier: str = read_by(column, "", required="the column with the `custom_id` of the members")
    audience: str = read_by(_read_name, "", required="the name of the audience in Batch")
    display_name: str | None = read_by(optional(text("the name that the dashboard shows")), None)
    attributes: Listed[Entry] = read_by(entries(Entry), ())
    output: str | None = read_by(read_output, None)
    guards: Guards = guards_field(
        Guards(max_exit_ratio=0.5), "min_rows", "max_change_ratio", "max_exit_ratio"
    )


def _mapping(form: object, spot: Spot, sync: str, where: Location) -> Mapping:
    written = cast("_Form", form)
    check_types(written.attributes, TYPES, spot.at("attributes"), MAX_ATTRIBUTES)
    return Mapping(
        sync=sync,
        kind=AUDIENCE,
        identifier=written.identifier,
        attributes=attributes_of(written.attributes, "attributes"),
        output=written.output,
        guards=written.guards,
        where=where,
        on_exit=OnExit.FLAG,
        target=f"audience {written.audience}",
        settings=written,
    )


def _envelope(mapping: Mapping) -> tuple[bytes, bytes]:
    name = json.dumps(cast("_Form", mapping.settings).audience)
    return f'{{"name":{name},"ids":['.encode(), b"]}"


class _Audience:
    """The audience of a mapping in Batch. It is never replaced or removed."""

    def compare(
        self, talk: Talk, mapping: Mapping, attributes: Sequence[TypedAttribute], *, begun: bool
    ) -> Step | None:
        written = cast("_Form", mapping.settings)
        if talk.get("audiences/view", {"name": written.audience}) is not None:
            return None
        if begun:
            raise Stopped(
                f"the audience `{written.audience}` is not in Batch any more: it was removed or "
                "renamed. To create it again with all members, run: "
                f"dbt-batch-sync resend --all --select {mapping.sync}, then dbt run and push"
            )
        shown_as = {"display_name": written.display_name} if written.display_name else {}
        document = {"name": written.audience, **shown_as, "type": "custom_ids"}
        return Step("audiences/create", document, f"create the audience `{written.audience}`")

    def is_applied(self, talk: Talk, mapping: Mapping, token: str) -> bool:
        name = cast("_Form", mapping.settings).audience
        found = talk.get("audiences/view", {"name": name, "indexing_token": token})
        state = found.get("indexing_state") if found else None
        if found is None or state == "REPLACED":
            how = "was removed" if found is None else "was replaced by someone else"
            raise Stopped(
                f"the audience `{name}` {how} after its members were sent, and no longer matches the model. "
                f"Send all members again: dbt-batch-sync resend --all --select {mapping.sync}, then dbt run "
                "and push"
            )
        return state == "APPLIED"

    def size(self, talk: Talk, mapping: Mapping) -> int | None:
        found = talk.get("audiences/view", {"name": cast("_Form", mapping.settings).audience})
        count = found.get("nb_ids") if found else None
        return count if isinstance(count, int) else None


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
    envelope=_envelope,
    container=_Audience(),
    on_resend="all members are added again; ids that others added to the audience stay",
)
