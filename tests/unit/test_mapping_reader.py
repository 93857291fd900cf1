"""Every rule of a mapping: valid mappings are accepted, and errors name their key and a hint."""

from __future__ import annotations

import copy

import pytest

from dbt_batch_sync.errors import ConfigurationError, MappingError
from dbt_batch_sync.kinds.attributes import CUSTOM_RULES, STANDARD_ATTRIBUTES, AttributeType
from dbt_batch_sync.kinds.profiles import PROFILES
from dbt_batch_sync.mapping.mapping import (
    Attribute,
    Guards,
    Mapping,
    OnExit,
    OnNull,
)
from dbt_batch_sync.mapping.mapping_reader import parse_mapping

FILE = "models/crm.yml"
SMALL = {"identifier": "id", "custom": ["points"]}


def parse(raw: object) -> Mapping:
    return parse_mapping("crm_contacts", raw, FILE)


def problems(raw: object) -> dict[str, str]:
    """Messages by key. Fails if a key has two problems."""
    with pytest.raises(MappingError) as caught:
        parse(raw)
    found = {problem.key: problem.message for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    return found


def changed(**keys: object) -> dict[str, object]:
    return {**copy.deepcopy(SMALL), **keys}


def test_every_key_is_read() -> None:
    mapping = parse(
        {
            "identifier": "Customer_ID",
            "standard": {"email_address": "Email", "topic_preferences": "topics"},
            "custom": [
                "loyalty_points",
                {"column": "site", "name": "website", "type": "url"},
                {"column": "nickname", "on_null": "keep"},
            ],
            "on_null": "clear",
            "on_exit": "flag",
            "membership": "in_crm",
            "endpoint": "mass-update",
            "output": "prod",
            "guards": {
                "min_rows": 10,
                "max_change_ratio": 1,
                "max_exit_ratio": 0.25,
                "never_resubscribe": False,
            },
        }
    )
    assert mapping == Mapping(
        kind=PROFILES,
        sync="crm_contacts",
        identifier="Customer_ID",
        attributes=(
            Attribute("Email", "batch__email_address", None, OnNull.CLEAR),
            Attribute("topics", "batch__topic_preferences", None, OnNull.CLEAR),
            Attribute("loyalty_points", "loyalty_points", None, OnNull.CLEAR),
            Attribute("site", "website", AttributeType.URL, OnNull.CLEAR),
            Attribute("nickname", "nickname", None, OnNull.KEEP),
        ),
        all_columns=False,
        exclude=(),
        on_null=OnNull.CLEAR,
        on_exit=OnExit.FLAG,
        membership="in_crm",
        endpoint="mass-update",
        output="prod",
        guards=Guards(10, 1.0, 0.25, False),
        file=FILE,
    )


def test_defaults() -> None:
    mapping = parse(SMALL)
    assert (mapping.on_null, mapping.on_exit, mapping.endpoint) == (
        OnNull.CLEAR,
        OnExit.IGNORE,
        "auto",
    )
    assert (mapping.membership, mapping.output, mapping.exclude, mapping.all_columns) == (
        None,
        None,
        (),
        False,
    )
    assert mapping.guards == Guards(
        min_rows=1, max_change_ratio=None, max_exit_ratio=None, never_resubscribe=True
    )


def test_attributes_inherit_on_null() -> None:
    mapping = parse(
        {
            "identifier": "id",
            "standard": {"language": "lang"},
            "custom": ["a", {"column": "b", "on_null": "clear"}, {"column": "c", "on_null": None}],
            "on_null": "keep",
        }
    )
    assert [each.on_null.value for each in mapping.attributes] == ["keep", "keep", "clear", "keep"]


def test_all_columns() -> None:
    mapping = parse({"identifier": "id", "custom": "all", "exclude": ["note", "Secret"]})
    assert (mapping.all_columns, mapping.attributes, mapping.exclude) == (True, (), ("note", "Secret"))


@pytest.mark.parametrize("key", ["standard", "custom", "exclude", "guards", "membership", "output"])
def test_an_empty_key_is_its_default(key: str) -> None:
    raw = {"identifier": "id", "standard": {"language": "lang"}, "custom": ["points"]}
    assert parse({**raw, key: None}) == parse({each: raw[each] for each in raw if each != key})


@pytest.mark.parametrize("name", STANDARD_ATTRIBUTES)
def test_each_standard_attribute_alone_is_valid(name: str) -> None:
    (attribute,) = parse({"identifier": "id", "standard": {name: "some_column"}}).attributes
    on_null = OnNull.KEEP if name.endswith("_marketing") else OnNull.CLEAR
    assert attribute == Attribute("some_column", f"batch__{name}", None, on_null)


@pytest.mark.parametrize("given", ["clear", "keep"])
def test_an_explicit_on_null_applies_to_consents(given: str) -> None:
    (attribute,) = parse(
        {"identifier": "id", "on_null": given, "standard": {"sms_marketing": "c"}}
    ).attributes
    assert attribute.on_null.value == given


def test_an_unknown_kind_is_the_only_problem() -> None:
    assert parse(changed(kind="profiles")).kind is PROFILES
    found = problems({"kind": "audiance", "audience": "vips", "attributes": []})
    assert list(found) == ["batch_sync.kind"]
    assert found["batch_sync.kind"].startswith("must be one of `profiles`, `audience`, ")
    assert found["batch_sync.kind"].endswith("not `audiance` (did you mean `audience`?)")


@pytest.mark.parametrize("kind", list(CUSTOM_RULES))
def test_each_type_is_accepted(kind: AttributeType) -> None:
    (attribute,) = parse(changed(custom=[{"column": "x", "type": kind.value}])).attributes
    assert attribute.type is kind


def test_a_membership_alone_is_valid() -> None:
    assert parse({"identifier": "id", "on_exit": "flag", "membership": "m"}).attributes == ()
    assert parse({"identifier": "id", "on_exit": "clear", "membership": "m"}).membership == "m"


@pytest.mark.parametrize(
    ("column", "name"),
    [("Points", "points"), ("LOYALTY_POINTS", "loyalty_points"), ("_batch", "_batch"), ("a" * 30, "a" * 30)],
)
def test_a_listed_column_is_exported_under_its_name_in_lower_case(column: str, name: str) -> None:
    (attribute,) = parse(changed(custom=[column])).attributes
    assert (attribute.column, attribute.name) == (column, name)


# One row per rule: the change to a minimal mapping, the problem's key, and words of the message.
RULES: list[tuple[object, str, tuple[str, ...]]] = [
    (None, "batch_sync", ("mapping of keys", "null", "`identifier`")),
    (True, "batch_sync", ("mapping of keys", "a boolean")),
    (["identifier"], "batch_sync", ("mapping of keys", "a list")),
    ("id", "batch_sync", ("mapping of keys", "text")),
    ({"custom": ["a"]}, "batch_sync.identifier", ("required", "custom_id")),
    ({"identifier": "id"}, "batch_sync", ("no attribute", "`standard`", "`custom`", "`membership`")),
    ({"identifier": "id", "custom": [], "standard": {}}, "batch_sync", ("no attribute",)),
    (changed(identifier=""), "batch_sync.identifier", ("text", "1 to 300")),
    (changed(identifier="  "), "batch_sync.identifier", ("1 to 300",)),
    (changed(identifier="x" * 301), "batch_sync.identifier", ("1 to 300",)),
    (changed(identifier="a\nb"), "batch_sync.identifier", ("no control characters",)),
    (changed(identifier="a\x00"), "batch_sync.identifier", ("no control characters",)),
    (changed(identifier="a\ud800"), "batch_sync.identifier", ("no control characters",)),
    (changed(identifier=None), "batch_sync.identifier", ("not null",)),
    (changed(identifier=7), "batch_sync.identifier", ("not a whole number",)),
    (changed(identifier=True), "batch_sync.identifier", ("not a boolean",)),
    (changed(identifier=["id"]), "batch_sync.identifier", ("not a list",)),
    (
        changed(identifer="x"),
        "batch_sync.identifer",
        ("unknown key", "did you mean `identifier`", "`exclude`"),
    ),
    (changed(on_nul="keep"), "batch_sync.on_nul", ("did you mean `on_null`",)),
    (changed(Standard={}), "batch_sync.Standard", ("did you mean `standard`",)),
    (changed(**{"on-exit": "clear"}), "batch_sync.on-exit", ("did you mean `on_exit`",)),
    (
        changed(zzzzzzz=1),
        "batch_sync.zzzzzzz",
        ("unknown key; accepted keys: `kind`, `identifier`, `standard`",),
    ),
    (changed(ON_NULL="keep"), "batch_sync.ON_NULL", ("did you mean `on_null`",)),
    ({**SMALL, 7: 1}, "batch_sync.a whole number", ("unknown key; accepted keys",)),
    ({"identifier": "id", "standard": {"emial": "a"}}, "batch_sync.standard.emial", ("unknown key",)),
    (
        {"identifier": "id", "membership": 1, "on_exit": "flag"},
        "batch_sync.membership",
        ("not a whole number",),
    ),
    (changed(custom=["A", "a"]), "batch_sync.custom[1]", ("column `a` is already listed as `a`",)),
    (changed(custom="points", exclude=["a"]), "batch_sync.custom", ("list", "`all`")),
    (changed(custom="all", exclude=["A", "a"]), "batch_sync.exclude[1]", ("already excluded",)),
    (changed(on_exit="flagg", membership="m"), "batch_sync.on_exit", ("did you mean `flag`",)),
    (changed(membership=1), "batch_sync.membership", ("not a whole number",)),
    (changed(standard=["email"]), "batch_sync.standard", ("mapping", "not a list")),
    (changed(standard="email"), "batch_sync.standard", ("mapping", "not text")),
    (
        changed(standard={"email_adress": "e"}),
        "batch_sync.standard.email_adress",
        ("did you mean `email_address`",),
    ),
    (
        changed(standard={"$region": "e"}),
        "batch_sync.standard.$region",
        ("did you mean `region`", "`timezone`"),
    ),
    (changed(standard={"region": True}), "batch_sync.standard.region", ("column", "not a boolean")),
    (changed(standard={"region": None}), "batch_sync.standard.region", ("column", "not null")),
    (changed(standard={"region": ""}), "batch_sync.standard.region", ("column", "1 to 300")),
    (
        changed(standard={"region": {"column": "r"}}),
        "batch_sync.standard.region",
        ("column", "not a mapping"),
    ),
    (changed(custom="points"), "batch_sync.custom", ("list", "`all`", "[points]")),
    (changed(custom="ALL"), "batch_sync.custom", ("list", "`all`")),
    (changed(custom={"column": "a"}), "batch_sync.custom", ("list", "`all`", "not a mapping")),
    (changed(custom=True), "batch_sync.custom", ("list", "not a boolean")),
    (changed(custom=[1]), "batch_sync.custom[0]", ("`{column: …, name: …}`", "not a whole number")),
    (changed(custom=["a", None]), "batch_sync.custom[1]", ("column", "not null")),
    (changed(custom=["a", ["b"]]), "batch_sync.custom[1]", ("column", "not a list")),
    (changed(custom=["a", ""]), "batch_sync.custom[1]", ("column", "1 to 300")),
    (changed(custom=[{}]), "batch_sync.custom[0].column", ("required",)),
    (
        changed(custom=[{"colum": "a", "column": "b"}]),
        "batch_sync.custom[0].colum",
        ("did you mean `column`", "`on_null`"),
    ),
    (changed(custom=[{"column": "a", "standard": 1}]), "batch_sync.custom[0].standard", ("unknown key",)),
    (changed(custom=[{"column": 3}]), "batch_sync.custom[0].column", ("not a whole number",)),
    (changed(custom=[{"column": "a", "name": 3}]), "batch_sync.custom[0].name", ("not a whole number",)),
    (changed(custom=[{"column": "a", "name": ""}]), "batch_sync.custom[0].name", ("1 to 300",)),
    (
        changed(custom=[{"column": "a", "type": "uri"}]),
        "batch_sync.custom[0].type",
        ("`string_array`", "not `uri` (did you mean `url`?)"),
    ),
    (
        changed(custom=[{"column": "a", "type": 1}]),
        "batch_sync.custom[0].type",
        ("`string`", "not a whole number"),
    ),
    (
        changed(custom=[{"column": "a", "on_null": "drop"}]),
        "batch_sync.custom[0].on_null",
        ("`clear`, `keep`", "`drop`"),
    ),
    (
        changed(custom=["Loyalty Points"]),
        "batch_sync.custom[0]",
        ("`Loyalty Points`", "1 to 30 of a-z, 0-9 and _", "name: loyalty_points}"),
    ),
    (changed(custom=["a" * 31]), "batch_sync.custom[0]", (f"name: {'a' * 30}}}",)),
    (changed(custom=["prénom"]), "batch_sync.custom[0]", ("name: prenom}",)),
    (
        changed(custom=[{"column": "a", "name": "LoyaltyPoints"}]),
        "batch_sync.custom[0].name",
        ("for example `loyalty_points`",),
    ),
    (
        changed(custom=[{"column": "a", "name": "points\n"}]),
        "batch_sync.custom[0].name",
        ("no control characters",),
    ),
    (changed(custom=["batch__x"]), "batch_sync.custom[0]", ("`batch__`", "reserved", "name: batch_x}")),
    (changed(custom=["_batch_x"]), "batch_sync.custom[0]", ("`_batch_`", "reserved", "name: batch_x}")),
    (changed(custom=["_BATCH_X"]), "batch_sync.custom[0]", ("`_batch_`", "reserved")),
    (changed(custom=["custom_id"]), "batch_sync.custom[0]", ("reserved", "identifier", "name: source_id}")),
    (
        changed(custom=[{"column": "a", "name": "batch__a"}]),
        "batch_sync.custom[0].name",
        ("reserved", "`batch_a`"),
    ),
    (
        changed(custom=[{"column": "a", "name": "_batch_a"}]),
        "batch_sync.custom[0].name",
        ("reserved", "`batch_a`"),
    ),
    (
        changed(custom=[{"column": "a", "name": "custom_id"}]),
        "batch_sync.custom[0].name",
        ("reserved", "`source_id`"),
    ),
    (changed(custom=["a", "a"]), "batch_sync.custom[1]", ("column `a` is already listed as `a`",)),
    (changed(custom=["a", "A"]), "batch_sync.custom[1]", ("column `A` is already listed as `a`",)),
    (changed(custom=["a", {"column": "b", "name": "a"}]), "batch_sync.custom[1]", ("name `a`", "column `a`")),
    (changed(exclude=["a"]), "batch_sync.exclude", ("only", "`custom: all`")),
    (changed(custom="all", exclude="a"), "batch_sync.exclude", ("list", "not text")),
    (changed(custom="all", exclude=[1]), "batch_sync.exclude[0]", ("column", "not a whole number")),
    (changed(custom="all", exclude=["a", "A"]), "batch_sync.exclude[1]", ("already excluded",)),
    (changed(on_null="drop"), "batch_sync.on_null", ("`clear`, `keep`", "`drop`")),
    (changed(on_null=None), "batch_sync.on_null", ("`clear`, `keep`", "null")),
    (changed(on_exit="flagg"), "batch_sync.on_exit", ("`ignore`, `clear`, `flag`", "did you mean `flag`")),
    (
        changed(endpoint="mass_update"),
        "batch_sync.endpoint",
        ("`auto`, `update`, `mass-update`", "did you mean `mass-update`"),
    ),
    (changed(endpoint=True), "batch_sync.endpoint", ("not a boolean",)),
    (changed(on_exit="flag"), "batch_sync.membership", ("required", "`on_exit: flag`")),
    (changed(membership="m"), "batch_sync.membership", ("`on_exit: flag`", "`on_exit: clear`")),
    (changed(membership="m", on_exit="ignore"), "batch_sync.membership", ("`ignore`",)),
    (changed(membership="points", on_exit="flag"), "batch_sync.membership", ("already", "column `points`")),
    (
        changed(membership="In CRM", on_exit="flag"),
        "batch_sync.membership",
        ("not a valid attribute name", "`in_crm`"),
    ),
    (changed(membership="batch__m", on_exit="flag"), "batch_sync.membership", ("reserved",)),
    (changed(membership="custom_id", on_exit="flag"), "batch_sync.membership", ("reserved",)),
    (changed(membership=True, on_exit="flag"), "batch_sync.membership", ("not a boolean",)),
    (changed(membership="", on_exit="flag"), "batch_sync.membership", ("1 to 300",)),
    (changed(output=""), "batch_sync.output", ("output", "1 to 300")),
    (changed(output=7), "batch_sync.output", ("output", "not a whole number")),
    (changed(guards=[]), "batch_sync.guards", ("mapping of keys", "`min_rows`")),
    (
        changed(guards={"min_row": 1}),
        "batch_sync.guards.min_row",
        ("did you mean `min_rows`", "`never_resubscribe`"),
    ),
    (changed(guards={"min_rows": -1}), "batch_sync.guards.min_rows", ("whole number of at least 0",)),
    (changed(guards={"min_rows": True}), "batch_sync.guards.min_rows", ("whole number", "not a boolean")),
    (changed(guards={"min_rows": 1.0}), "batch_sync.guards.min_rows", ("whole number",)),
    (
        changed(guards={"min_rows": "1"}),
        "batch_sync.guards.min_rows",
        ("whole number", "not text", "as_number"),
    ),
    (changed(guards={"min_rows": None}), "batch_sync.guards.min_rows", ("not null",)),
    (
        changed(guards={"max_change_ratio": 0}),
        "batch_sync.guards.max_change_ratio",
        ("above 0 and at most 1",),
    ),
    (changed(guards={"max_change_ratio": 1.01}), "batch_sync.guards.max_change_ratio", ("at most 1",)),
    (changed(guards={"max_change_ratio": True}), "batch_sync.guards.max_change_ratio", ("not a boolean",)),
    (
        changed(guards={"max_change_ratio": float("nan")}),
        "batch_sync.guards.max_change_ratio",
        ("at most 1",),
    ),
    (changed(guards={"max_change_ratio": 10**400}), "batch_sync.guards.max_change_ratio", ("at most 1",)),
    (changed(guards={"max_exit_ratio": -0.5}), "batch_sync.guards.max_exit_ratio", ("above 0",)),
    (changed(guards={"max_exit_ratio": "0.5"}), "batch_sync.guards.max_exit_ratio", ("not text",)),
    (
        changed(guards={"never_resubscribe": 0}),
        "batch_sync.guards.never_resubscribe",
        ("true or false", "whole number"),
    ),
    (
        changed(guards={"never_resubscribe": None}),
        "batch_sync.guards.never_resubscribe",
        ("true or false", "null"),
    ),
]


@pytest.mark.parametrize(
    ("raw", "key", "words"), RULES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_broken_rule_is_the_only_problem(raw: object, key: str, words: tuple[str, ...]) -> None:
    found = problems(raw)
    assert list(found) == [key]
    assert all(word in found[key] for word in words), found[key]


@pytest.mark.parametrize(
    "raw",
    [
        changed(guards={"min_rows": 0, "max_change_ratio": 1, "max_exit_ratio": 1e-9}),
        changed(custom=["a", {"column": "a", "name": "b"}]),
        changed(custom=["id"]),
        changed(identifier="x" * 300),
        changed(custom=[{"column": "custom_id", "name": "other"}]),
        changed(custom=[{"column": "Loyalty Points", "name": "x"}]),
        changed(standard={"region": "country", "language": "country"}),
        changed(custom="all", exclude=[]),
        changed(exclude=[]),
        changed(identifier="custom_id"),
        changed(identifier="naïve column"),
    ],
)
def test_unusual_valid_mappings(raw: object) -> None:
    assert parse(raw).sync == "crm_contacts"


def test_all_problems_are_reported_at_once() -> None:
    found = problems(
        {
            "identifer": "id",
            "standard": {"email_adress": "email", "region": 1},
            "custom": ["Bad Name", {"column": "x", "type": "uri", "name": "batch__x"}, 3],
            "exclude": ["y"],
            "on_exit": "flag",
            "guards": {"min_rows": "1"},
        }
    )
    assert set(found) == {
        "batch_sync.identifer",
        "batch_sync.identifier",
        "batch_sync.standard.email_adress",
        "batch_sync.standard.region",
        "batch_sync.custom[0]",
        "batch_sync.custom[1].type",
        "batch_sync.custom[1].name",
        "batch_sync.custom[2]",
        "batch_sync.exclude",
        "batch_sync.membership",
        "batch_sync.guards.min_rows",
    }


def test_invalid_entries_are_not_compared() -> None:
    assert list(problems(changed(custom=[1, 2, ""]))) == [f"batch_sync.custom[{index}]" for index in range(3)]
    raw = changed(custom="all", exclude=[1, ""])
    assert list(problems(raw)) == [f"batch_sync.exclude[{index}]" for index in range(2)]


def test_the_text_of_the_error_has_a_line_for_each_problem() -> None:
    with pytest.raises(MappingError) as caught:
        parse(changed(identifier="", endpoint="x"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 problems with `batch_sync` mappings:"
    assert lines[1].startswith("  models/crm.yml: crm_contacts: batch_sync.identifier: must be")
    assert lines[2].startswith("  models/crm.yml: crm_contacts: batch_sync.endpoint: must be one of `auto`")
    assert isinstance(caught.value, ConfigurationError)


def test_untrusted_text_is_escaped_and_shortened() -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping("s", changed(**{"\x1b[2J" + "x" * 5000: 1}), "a\nb.yml")
    text = str(caught.value)
    assert "\x1b" not in text
    assert text.count("\n") == 1
    assert len(text) < 500


def test_problems_quote_only_names() -> None:
    with pytest.raises(MappingError) as caught:
        parse(changed(identifier="s3cret\x07", output=["s3cret"], guards={"min_rows": "s3cret"}))
    assert "s3cret" not in str(caught.value)
