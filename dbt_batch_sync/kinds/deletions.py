"""Deletions: requests to erase people by Batch's older API, one for each person and app."""
# Limits are marked as in docs/batch-api.md: [D] unless a comment says otherwise.

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dbt_batch_sync.batch_api.answers import Accepted
from dbt_batch_sync.kinds.attributes import CUSTOM_ID, AttributeType, Rules
from dbt_batch_sync.kinds.kind import Fragment, Kind, Route
from dbt_batch_sync.kinds.listing import column, read_output
from dbt_batch_sync.mapping.mapping import Attribute, Guards, Mapping, OnNull, guards_field
from dbt_batch_sync.mapping.validation import Spot, optional, read_by, text

if TYPE_CHECKING:
    from dbt_batch_sync.connections.outputs import Output
    from dbt_batch_sync.ledger.state import Built

NAME = "deletions"
CONFIRM = "erase"
REQUESTED_AT = "requested_at"
"""The column of the request's time, which is never sent."""

MAX_ROWS = 100

CALLS_PER_SECOND: Final = 1
"""[U] Batch documents no rate limit for this endpoint; our own choice."""

TOKEN_NAMES: Final = ("token", "request_token", "id")
"""[U] Possible names of the token in an answer."""

TOKEN_DAYS: Final = 20
"""How long Batch answers for a token: 20 to 30 days."""

NOT_FOUND: Final = "user not found"
"""Batch's error beside `done` for somebody it did not have."""

LOOK_AGAIN_SECONDS: Final = 30.0
"""[U] Batch doesn't document how long an erasure takes."""


def read_request(document: dict[str, object]) -> Accepted:
    """Reads the answer to a request. Without a token, it is accepted but can't be tracked."""
    found = (document.get(name) for name in TOKEN_NAMES)
    tokens = (each for each in found if isinstance(each, str) and re.fullmatch(r"[!-~]{1,500}", each))
    return Accepted(token=next(tokens, ""))


REQUEST = Route(
    "gdpr/request", "gdpr/request", max_rows=1, read=read_request, calls=CALLS_PER_SECOND, max_in_flight=1
)


def _read_confirm(value: object, spot: Spot) -> str:
    if value != CONFIRM:
        spot.refuse(f"must be the word `{CONFIRM}`: people are permanently deleted from Batch")
    return CONFIRM


@dataclass(frozen=True)
class _Form:
    kind: str = read_by(text("a kind"), NAME)
    identifier: str = read_by(column, "", required="the column with the `custom_id` of the people")
    requested_at: str | None = read_by(optional(column), None)
    confirm: str = read_by(
        _read_confirm, "", required=f"the word `{CONFIRM}`: people are permanently deleted from Batch"
    )
    output: str | None = read_by(read_output, None)
    guards: Guards = guards_field(Guards(min_rows=0, max_rows=MAX_ROWS), "max_rows")


def _mapping(written: _Form, spot: Spot, mapping: Mapping) -> Mapping:
    if written.requested_at is None:
        return mapping
    at = Attribute(written.requested_at, REQUESTED_AT, AttributeType.DATE, OnNull.CLEAR, REQUESTED_AT)
    return replace(mapping, attributes=(at,))


def stops(mapping: Mapping, built: Built, output: Output) -> Iterator[str]:
    """What stops a push of deletions, even with `--force`."""
    name, rows, most = mapping.sync, built.inserts + built.updates, mapping.guards.max_rows or MAX_ROWS
    if rows > most:
        yield (
            f"{rows:,} people would be erased, and `max_rows` is {most:,}. --force does not skip it: "
            f"if they are right, raise `max_rows` in the mapping of `{name}`"
        )
    for key, given in (("only_from", output.only_from), ("app_keys", output.app_keys)):
        if not given:
            yield (
                f"`{name}` erases people, which needs `{key}` in output `{output.name}` of profiles.yml: "
                + ("the dbt targets that may do so" if key == "only_from" else "the API keys of its apps")
            )


DELETIONS = Kind(
    name=NAME,
    noun="deletion",
    key=CUSTOM_ID,
    form=_Form,
    mapping=_mapping,
    fragment=Fragment(
        opening='{"request_type":"remove","id":{"type":"custom_id","value":',
        middle="",
        ending="}}",
        max_members=1,
        max_arrays=1,
        bare="}}",
    ),
    routes=(REQUEST,),
    repeatable=True,  # somebody who is already erased is "not found"
    rules=Rules(hidden=(REQUESTED_AT,)),
    stops=stops,
    erases=True,
)
