"""Profiles: attributes of people, compared one by one, sent to `update` or `mass-update`."""
# Limits are marked as in docs/batch-api.md: [D] unless a comment says otherwise.

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dbt_batch_sync.batch_api.answers import read_bulk
from dbt_batch_sync.kinds.attributes import (
    CUSTOM_ID,
    MAX_ARRAYS,
    MAX_ATTRIBUTES,
    STANDARD_ATTRIBUTES,
    STANDARD_PREFIX,
    STANDARD_RULES,
    name_refusal,
    propose_name,
)
from dbt_batch_sync.kinds.kind import AUTO, Fragment, Kind, Route
from dbt_batch_sync.kinds.listing import Entry, column, entries, read_output
from dbt_batch_sync.kinds.vocabularies import Vocabulary
from dbt_batch_sync.mapping.mapping import ALL, Attribute, Guards, Mapping, OnExit, OnNull, guards_field
from dbt_batch_sync.mapping.validation import (
    Spot,
    boolean,
    choice,
    kind,
    many,
    optional,
    read_by,
    read_form,
    refuse_unknown,
    shown,
    text,
)

NAME = "profiles"

UPDATE = Route("update", "profiles/update", max_rows=200, rate=300, burst=1_000, read=read_bulk)

MASS_UPDATE = Route(
    "mass-update",
    "profiles/mass-update",
    max_rows=10_000,
    rate=10_000,
    burst=0,
    read=read_bulk,
    from_rows=10_001,  # up to 10,000 profiles take at most 30 s at the rate of `update`
)


@dataclass(frozen=True)
class _Entry(Entry):
    on_null: OnNull | None = read_by(optional(choice(OnNull)), None)


def _read_standard(value: object, spot: Spot) -> tuple[tuple[str, str], ...]:
    """Reads `standard`: Batch's names and columns. Null (nothing below the key) means none."""
    if value is None:
        return ()
    if not isinstance(value, dict):
        spot.refuse(f"must be a mapping of Batch's names to columns, not {kind(value)}")
        return ()
    refuse_unknown(value, STANDARD_ATTRIBUTES, spot)
    return tuple(
        (name, _read_source(name, value[name], spot.at(name)))
        for name in STANDARD_ATTRIBUTES
        if name in value
    )


@dataclass(frozen=True)
class _Email:
    """The column of an e-mail address with options. The delta normalizes it before it compares it."""

    column: str = read_by(column, "", required="the column to send")
    normalize: str | None = read_by(optional(choice(("trim_lower",))), None)


def _read_source(name: str, value: object, spot: Spot) -> str:
    """Reads a column name. That of the e-mail address may have options."""
    if name == "email_address" and isinstance(value, dict):
        return read_form(_Email, value, spot).column
    return column(value, spot)


def _read_custom(value: object, spot: Spot) -> tuple[_Entry, ...] | None:
    """Reads the listed entries; None stands for all columns."""
    if value == ALL:
        return None
    if isinstance(value, str):
        spot.refuse(
            f"must be a list of columns, or the word `{ALL}`; one column is written `[{shown(value)}]`"
        )
        return ()
    return entries(_Entry, f"columns (or the word `{ALL}`)")(value, spot)


def _read_name(value: object, spot: Spot) -> str:
    name = text("an attribute's name")(value, spot)
    refusal = name_refusal(name) if name else None
    if refusal:
        spot.refuse(f"`{shown(name)}` {refusal}; for example `{propose_name(name)}`")
    return name


@dataclass(frozen=True)
class _Form:
    kind: str = read_by(text("a kind"), NAME)
    identifier: str = read_by(column, "", required="the column that becomes the `custom_id` of the profiles")
    standard: tuple[tuple[str, str], ...] = read_by(_read_standard, ())
    custom: tuple[_Entry, ...] | None = read_by(_read_custom, ())
    exclude: tuple[str, ...] = read_by(many(column, "columns"), ())
    on_null: OnNull | None = read_by(choice(OnNull), None)
    on_exit: OnExit = read_by(choice(OnExit), OnExit.IGNORE)
    membership: str | None = read_by(optional(_read_name), None)
    endpoint: str = read_by(choice((AUTO, UPDATE.name, MASS_UPDATE.name)), AUTO)
    output: str | None = read_by(read_output, None)
    guards: Guards = guards_field(
        Guards(), "min_rows", "max_change_ratio", "max_exit_ratio", "never_resubscribe"
    )
    shared: bool = read_by(boolean, False)


def _mapping(written: _Form, spot: Spot, mapping: Mapping) -> Mapping:
    _check(written, spot)
    return replace(
        mapping,
        attributes=tuple(_attributes(written)),
        all_columns=written.custom is None,
        on_null=written.on_null or OnNull.CLEAR,
    )


def _attributes(written: _Form) -> Iterable[Attribute]:
    for name, source in written.standard:
        # A null never deletes an opt-out, unless the mapping allows it.
        consent = STANDARD_RULES[name].vocabulary is Vocabulary.SUBSCRIPTION
        on_null = written.on_null or (OnNull.KEEP if consent else OnNull.CLEAR)
        yield Attribute(source, STANDARD_PREFIX + name, None, on_null, f"standard.{name}")
    for place, entry in enumerate(written.custom or ()):
        on_null = entry.on_null or written.on_null or OnNull.CLEAR
        yield Attribute(entry.column, entry.name or "", entry.type, on_null, f"custom[{place}]")


def _check(written: _Form, spot: Spot) -> None:
    """Notes errors between keys. Keys with their own errors are skipped."""
    for entry in written.custom or ():
        if entry.name and entry.name == written.membership:
            taken = f"is already the name of the column `{shown(entry.column)}`"
            spot.at("membership").refuse(f"`{entry.name}` {taken}")
    _check_exclude(written, spot)
    _check_exit(written, spot)
    sends = written.standard or written.custom != () or written.membership
    if not sends and not any(map(spot.refused, ("standard", "custom", "membership"))):
        spot.refuse("maps no attribute: give at least one of `standard`, `custom` and `membership`")


def _check_exclude(written: _Form, spot: Spot) -> None:
    if written.exclude and written.custom is not None and not spot.refused("custom", below=False):
        spot.at("exclude").refuse(f"is only accepted with `custom: {ALL}`")
    seen: set[str] = set()
    for index, name in enumerate(written.exclude):
        if name and name.lower() in seen:
            spot.at("exclude").at(index).refuse(f"the column `{shown(name)}` is already excluded")
        seen.add(name.lower())


def _check_exit(written: _Form, spot: Spot) -> None:
    """`on_exit: flag` needs an attribute to set, and a membership needs a way to become false."""
    if spot.refused("on_exit") or spot.refused("membership"):
        return
    if written.on_exit is OnExit.FLAG and written.membership is None:
        spot.at("membership").refuse(
            "is required with `on_exit: flag`: the name of the boolean attribute to set"
        )
    if written.on_exit is OnExit.IGNORE and written.membership is not None:
        spot.at("membership").refuse(
            "needs `on_exit: flag` or `on_exit: clear`: with `ignore` it would stay true after a profile left"
        )


PROFILES = Kind(
    name=NAME,
    noun="profile",
    key=CUSTOM_ID,
    form=_Form,
    mapping=_mapping,
    fragment=Fragment(
        opening='{"identifiers":{"custom_id":',
        middle='},"attributes":{',
        ending="}}",
        max_members=MAX_ATTRIBUTES,
        max_arrays=MAX_ARRAYS,
    ),
    routes=(UPDATE, MASS_UPDATE),
    repeatable=True,  # a write is an upsert
    held_back="never_resubscribe",
)
