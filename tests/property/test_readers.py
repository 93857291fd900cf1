"""Any manifest, profile or template is read as a valid value or gives our error."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import urllib3
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dbt_batch_sync.artifacts.manifest import read_manifest
from dbt_batch_sync.artifacts.selection import select_syncs
from dbt_batch_sync.connections.addresses import is_loopback
from dbt_batch_sync.connections.outputs import Output, read_output
from dbt_batch_sync.connections.profiles import DbtOptions, read_target, read_yaml
from dbt_batch_sync.connections.rendering import Renderer
from dbt_batch_sync.errors import ConfigurationError, MappingError, ProfileError
from dbt_batch_sync.kinds.attributes import CUSTOM_RULES, STANDARD_ATTRIBUTES, name_refusal, propose_name
from dbt_batch_sync.mapping.mapping import Mapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import read_syncs

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

MANIFESTS = sorted((Path(__file__).parents[1] / "fixtures" / "manifests").glob("*.json"))
BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEYS = [
    "identifier",
    "standard",
    "custom",
    "exclude",
    "on_null",
    "on_exit",
    "membership",
    "endpoint",
    "output",
]
KEYS += ["guards", "column", "name", "type", "min_rows", "max_change_ratio", *STANDARD_ATTRIBUTES]
WORDS = [
    "all",
    "clear",
    "keep",
    "flag",
    "ignore",
    "auto",
    "id",
    "ID",
    "email",
    "batch__x",
    "_batch_x",
    "custom_id",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(WORDS)
)
trees = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), below, max_size=6)
    ),
    max_leaves=25,
)


def attempt(read: Callable[[], T], error: type[E]) -> T | E:
    """Read, allowing only this kind of error."""
    try:
        return read()
    except error as raised:
        return raised


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers")


# Mappings.

names = st.text("abcxyz019_", min_size=1, max_size=30).filter(lambda name: name_refusal(name) is None)


def cased(columns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(columns, columns.map(str.upper), columns.map(str.title))


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, Any]:
    """A valid random mapping."""
    taken = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    listed: list[object] = []
    for name in taken:
        entry: dict[str, object] = {"column": draw(cased(names)), "name": name}
        if draw(st.booleans()):
            entry["type"] = draw(st.sampled_from([each.value for each in CUSTOM_RULES]))
        if draw(st.booleans()):
            entry["on_null"] = draw(st.sampled_from(["clear", "keep"]))
        listed.append(draw(st.sampled_from([name, entry])))
    raw: dict[str, Any] = {
        "identifier": draw(cased(names)),
        "standard": draw(st.dictionaries(st.sampled_from(STANDARD_ATTRIBUTES), cased(names), max_size=8)),
        "on_null": draw(st.sampled_from(["clear", "keep"])),
        "on_exit": draw(st.sampled_from(["ignore", "clear"])),
        "endpoint": draw(st.sampled_from(["auto", "update", "mass-update"])),
        "guards": {"min_rows": draw(st.integers(0)), "max_exit_ratio": draw(st.none() | st.just(0.5))},
    }
    if draw(st.booleans()):
        excluded = draw(st.lists(names, max_size=3, unique=True))
        raw |= {"custom": "all", "exclude": [draw(cased(st.just(column))) for column in excluded]}
    else:
        raw["custom"] = listed
    if draw(st.booleans()):
        membership = draw(names.filter(lambda name: name not in taken))
        raw |= {"membership": membership, "on_exit": draw(st.sampled_from(["flag", "clear"]))}
    return raw


def parse(raw: object) -> Mapping:
    return parse_mapping("s", raw, "models/s.yml")


@BOUNDED
@given(trees)
def test_a_mapping_is_read_or_its_errors_are_reported(raw: object) -> None:
    before = copy.deepcopy(raw)
    result = attempt(lambda: parse(raw), MappingError)
    if isinstance(result, MappingError):
        assert result.problems
        assert str(result).count("\n") == len(result.problems)
        assert str(result).replace("\n", "").isprintable()
        assert str(result).encode()
    else:
        assert result.identifier
        assert len(result.hash) == 32
    assert repr(raw) == repr(before)


@BOUNDED
@given(mappings(), st.randoms(use_true_random=False))
def test_a_valid_mapping_is_accepted_and_its_hash_ignores_key_order(raw: dict[str, Any], random: Any) -> None:
    mapping = parse(raw)
    items = list(raw.items())
    random.shuffle(items)
    shuffled = dict(items)
    assert parse(json.loads(json.dumps(shuffled))).hash == mapping.hash


@BOUNDED
@given(mappings(), st.lists(cased(names) | st.text(min_size=1, max_size=8), max_size=10, unique_by=str.lower))
def test_resolved_attributes_fit_the_columns(raw: dict[str, Any], more: list[str]) -> None:
    mapping = parse(raw)
    used = [mapping.identifier, *mapping.exclude, *(each.column for each in mapping.attributes)]
    columns = list({column.lower(): column for column in (*used, *more)}.values())
    attributes = attempt(lambda: mapping.resolve(columns), MappingError)
    if isinstance(attributes, MappingError):
        assert mapping.all_columns
        assert all(each.key in ("batch_sync.custom", "batch_sync.membership") for each in attributes.problems)
        return
    relation_names = [each.name for each in attributes]
    assert len(set(relation_names)) == len(relation_names)
    assert all(each.name.startswith("batch__") or name_refusal(each.name) is None for each in attributes)
    assert all(each.column in columns for each in attributes if each.name != mapping.membership)
    lower = [each.column.lower() for each in attributes if not each.name.startswith("batch__")]
    assert not mapping.all_columns or not {column.lower() for column in mapping.exclude} & set(lower)


@BOUNDED
@given(st.text(max_size=80))
@example("batch__x")
@example("_batch_x")
@example("__BATCH__x")
@example("custom_id")
@example("Custom Id")
@example("ﬁﬀ")
@example("")
def test_a_proposed_name_is_valid(column: str) -> None:
    assert name_refusal(propose_name(column)) is None


# Selections.

SYNCS = read_syncs(read_manifest(MANIFESTS[0]))
selectors = st.lists(
    st.text(alphabet="crmloyaty_*?[]+@,:. /-\\", max_size=12)
    | st.sampled_from(
        ["tag:nightly", "crm_*", "path:models/**", "fqn:shop.*", "package:shop", "[", "tag:[!"]
    ),
    max_size=3,
)


@BOUNDED
@given(selectors, selectors)
def test_a_selection_is_a_subset_of_the_syncs_or_an_error(select: list[str], exclude: list[str]) -> None:
    with contextlib.suppress(ConfigurationError):
        chosen = select_syncs(SYNCS, select, exclude)
        assert chosen
        assert [each for each in SYNCS if each in chosen] == list(chosen)
        assert select or exclude or chosen == SYNCS


# Profiles.

ENVIRON = {"A": "s3cret-a", "N": "12", "B": "True", "DBT_ENV_SECRET_X": "s3cret-x"}
VARIABLES = {"v": "value", "n": 3}
atoms = st.sampled_from(
    [
        "env_var('A')",
        "env_var('N')",
        "env_var('B')",
        "env_var('M', 'd')",
        "env_var('DBT_ENV_SECRET_X')",
        "var('v')",
        "var('n')",
        "var('m', none)",
        "'text'",
        "1",
        "none",
        "true",
        "[1, 'a']",
        "env_var('M')",
        "unknown",
    ]
)
expressions = st.recursive(
    atoms,
    lambda below: st.one_of(
        st.tuples(
            below, st.sampled_from(["as_text", "as_number", "as_bool", "as_native", "upper", "int", "d('x')"])
        ).map(lambda pair: f"({pair[0]}) | {pair[1]}"),
        st.tuples(below, st.sampled_from(["~", "+", "==", "and", "or", "-"]), below).map(
            lambda each: "({} {} {})".format(*each)
        ),
        st.tuples(below, below, below).map(lambda each: "({} if {} else {})".format(*each)),
        below.map(lambda each: f"({each}) | replace('s', 't')"),
    ),
    max_leaves=4,
)
templates = expressions.map(lambda each: "{{ " + each + " }}") | st.lists(
    expressions.map(lambda each: "{{ " + each + " }}")
    | st.text(alphabet="ab \n%{}#'", max_size=6)
    | expressions.map(lambda each: "{% if " + each + " %}x{% else %}y{% endif %}"),
    min_size=1,
    max_size=3,
).map("".join)


@settings(BOUNDED, max_examples=150)
@given(templates)
def test_a_template_renders_as_in_dbt_or_is_an_error(template: str) -> None:
    rendered = attempt(lambda: Renderer(ENVIRON, VARIABLES).render(template, "profiles.yml"), ProfileError)
    if isinstance(rendered, ProfileError):
        assert "s3cret" not in str(rendered)
        return
    # dbt fails on two secrets in one string.
    assume(template.count("DBT_ENV_SECRET") < 2)
    renderer = pytest.importorskip(
        "dbt.config.renderer", reason="needs dbt-core; install it with: pip install dbt-core"
    )
    from dbt_common.context import set_invocation_context

    set_invocation_context(ENVIRON)
    by_dbt = renderer.ProfileRenderer(VARIABLES).render_data({"key": template})["key"]
    # dbt returns a subclass of str where `as_native` finds no literal; ours is a plain str.
    wanted = str if isinstance(by_dbt, str) else type(by_dbt)
    assert (rendered, type(rendered)) == (by_dbt, wanted)


@BOUNDED
@given(st.text(max_size=60) | st.text(alphabet="{}%#.()[]'|~_abcdefor in ", max_size=60))
def test_any_template_is_rendered_or_rejected(template: str) -> None:
    with contextlib.suppress(ProfileError):
        json.dumps(Renderer(ENVIRON, VARIABLES).render(template, "profiles.yml"))


@BOUNDED
@given(
    st.binary(max_size=100)
    | st.text(alphabet="a: -[]{}&*!<|>?'\"\n#%,0123456789.", max_size=60).map(str.encode)
)
def test_any_bytes_as_a_yaml_file(directory: Path, content: bytes) -> None:
    file = directory / "any.yml"
    file.write_bytes(content)
    result = attempt(lambda: read_yaml(file), ProfileError)
    assert not isinstance(result, ProfileError) or str(result).startswith(str(file))


def write_profiles(directory: Path, profiles: object) -> DbtOptions:
    (directory / "profiles.yml").write_text(yaml.safe_dump(profiles))
    return DbtOptions(directory, ENVIRON, profile="shop", variables=VARIABLES, cwd=directory)


@BOUNDED
@given(trees, st.none() | st.text(max_size=5), st.sampled_from(["whole", "outputs", "output"]))
def test_any_profile_is_read_or_rejected(
    directory: Path, tree: object, target: str | None, place: str
) -> None:
    name = target or "default"
    wrapped = {
        "whole": tree,
        "outputs": {"outputs": tree},
        "output": {"outputs": {name: {**tree, "type": "duckdb"} if isinstance(tree, dict) else tree}},
    }[place]
    options = write_profiles(directory, {"shop": wrapped, "dbt_batch_sync": wrapped})
    for read in (lambda: read_target(options), lambda: read_output(options, target)):
        assert "s3cret" not in str(attempt(read, ProfileError))


OUTPUT = {"type": "batch", "rest_api_key": "s3cret-key", "project_key": "s3cret-project"}
output_keys = st.sampled_from(
    [
        "api_url",
        "api_version",
        "timeout",
        "max_attempts",
        "max_in_flight",
        "checkpoint_seconds",
        "only_from",
        "on_failure",
        "max_profiles_per_second",
        "rest_api_key",
        "project_key",
        "type",
    ]
)


@BOUNDED
@given(st.dictionaries(output_keys | st.text(max_size=5), trees, max_size=3))
def test_any_output_is_valid_or_rejected(directory: Path, keys: dict[str, object]) -> None:
    options = write_profiles(directory, {"dbt_batch_sync": {"outputs": {"default": {**OUTPUT, **keys}}}})
    output = attempt(lambda: read_output(options), ProfileError)
    assert "s3cret" not in str(output)
    if isinstance(output, ProfileError):
        return
    assert re.fullmatch(r"[!-~]+", output.rest_api_key + output.project_key)
    assert 0 < output.timeout <= 3600
    assert 1 <= output.max_attempts <= 100
    assert 1 <= output.max_in_flight <= 64
    assert isinstance(output, Output)


hosts = st.sampled_from(
    ["127.0.0.1", "localhost", "[::1]", "evil.com", "127.0.0.2", "api.batch.com", "[::2]", "0"]
)
urls = st.lists(
    hosts | st.sampled_from([":80", ":", "@", "/", "\\", "#", "?", ".", "%2e", "\t", " ", "//", "user", "x"]),
    min_size=1,
    max_size=5,
).map(lambda parts: "http://" + "".join(parts))


@settings(BOUNDED, max_examples=150)
@given(urls)
@example("http://127.0.0.1:80/x")
def test_plain_http_is_loopback_as_parsed_by_the_http_library(directory: Path, url: str) -> None:
    options = write_profiles(
        directory, {"dbt_batch_sync": {"outputs": {"default": {**OUTPUT, "api_url": url}}}}
    )
    with contextlib.suppress(ProfileError):
        accepted = read_output(options).api_url
        parsed = urllib3.util.parse_url(accepted + "/2.11/profiles/update")
        assert parsed.host is not None
        assert is_loopback(parsed.host.strip("[]"))
        assert parsed.auth is None
