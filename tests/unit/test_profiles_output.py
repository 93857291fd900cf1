"""The outputs of the `dbt_batch_sync` profile: the rule of every key, and that keys are never shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dbt_batch_sync.connections.addresses import is_loopback
from dbt_batch_sync.connections.outputs import PROFILE_YAML, Hook, Output, read_output
from dbt_batch_sync.connections.profiles import DbtOptions
from dbt_batch_sync.errors import ConfigurationError, ProfileError

SMALL: dict[str, object] = {"type": "batch", "rest_api_key": "r3st", "project_key": "project_abc"}


@pytest.fixture
def options(tmp_path: Path) -> DbtOptions:
    return DbtOptions(tmp_path, {"REST": "r3st-of-env", "PROJECT": "project_env", "N": "8"}, cwd=tmp_path)


def read(options: DbtOptions, output: object, name: str | None = None) -> Output:
    profile = {"target": "prod", "outputs": {"prod": output, "sandbox": SMALL}}
    # JSON is valid YAML; `allow_nan` writes what YAML spells `.nan`.
    (options.project_dir / "profiles.yml").write_text(json.dumps({"dbt_batch_sync": profile}))
    return read_output(options, name)


def problems(options: DbtOptions, output: object) -> dict[str, str]:
    with pytest.raises(ProfileError) as caught:
        read(options, output)
    start = f"{options.project_dir / 'profiles.yml'}: dbt_batch_sync.outputs.prod"
    lines = str(caught.value).splitlines()
    assert all(line.startswith(start) for line in lines), lines
    parts = [line.removeprefix(start).removeprefix(".").split(": ", 1) for line in lines]
    return {key: message for key, message in parts}  # noqa: C416


def test_the_defaults(options: DbtOptions) -> None:
    assert read(options, SMALL) == Output(
        name="prod",
        type="batch",
        rest_api_key="r3st",
        project_key="project_abc",
        api_url="https://api.batch.com",
        api_version="2.11",
        timeout=30.0,
        max_attempts=6,
        max_in_flight=4,
        checkpoint_seconds=None,
        max_profiles_per_second=None,
        retention_days=90,
        only_from=None,
    )


def test_every_key_is_read(options: DbtOptions) -> None:
    given = {
        "api_url": "https://eu.example.com/base/",
        "api_version": "2.13",
        "timeout": 1.5,
        "max_attempts": 1,
        "max_in_flight": 64,
        "checkpoint_seconds": 0,
        "max_profiles_per_second": 0,
        "retention_days": 0,
        "only_from": ["prod", "ci"],
        "on_success": None,
        "on_partial": "https://hooks.example.com:8443?sig=a%2Fb",
        "on_failure": [
            {"url": "http://[::1]:80/T/B", "format": "slack"},
            {"command": ["notify", "--urgent"]},
        ],
    }
    output = read(options, {**SMALL, **given})
    expected = {
        **given,
        "api_url": "https://eu.example.com/base",
        "only_from": ("prod", "ci"),
        "on_success": (),
        "on_partial": (Hook(url="https://hooks.example.com:8443?sig=a%2Fb"),),
        "on_failure": (
            Hook(url="http://[::1]:80/T/B", format="slack"),
            Hook(command=("notify", "--urgent")),
        ),
    }
    assert {key: getattr(output, key) for key in given} == expected
    assert "sig" not in repr(output)
    assert "urgent" not in repr(output)


def test_null_is_the_default_where_the_default_is_null(options: DbtOptions) -> None:
    keys = ("checkpoint_seconds", "max_profiles_per_second", "only_from")
    assert read(options, {**SMALL, **dict.fromkeys(keys)}) == read(options, SMALL)


def test_templates_render_as_in_dbt(options: DbtOptions) -> None:
    output = read(
        options,
        {
            "type": "batch",
            "rest_api_key": "{{ env_var('REST') }}",
            "project_key": "{{ env_var('PROJECT') }}",
            "max_in_flight": "{{ env_var('N') | as_number }}",
        },
    )
    assert (output.rest_api_key, output.project_key, output.max_in_flight) == (
        "r3st-of-env",
        "project_env",
        8,
    )


def test_selecting_an_output_by_name(options: DbtOptions) -> None:
    assert read(options, {"type": "wrong"}, "sandbox").name == "sandbox"
    with pytest.raises(ProfileError, match=r"no output `sandbx` \(did you mean `sandbox`\?\)"):
        read(options, SMALL, "sandbx")


def test_only_the_picked_output_is_rendered(options: DbtOptions) -> None:
    assert read(options, {**SMALL, "rest_api_key": "{{ env_var('NOT_SET') }}"}, "sandbox").name == "sandbox"
    with pytest.raises(ProfileError, match=r"outputs.prod.rest_api_key: needs .*`NOT_SET`"):
        read(options, {**SMALL, "rest_api_key": "{{ env_var('NOT_SET') }}"})


def changed(**keys: object) -> dict[str, object]:
    return {**SMALL, **keys}


RULES: list[tuple[object, str, tuple[str, ...]]] = [
    (None, "", ("mapping of keys", "null", "`rest_api_key`", "`only_from`")),
    ([], "", ("mapping of keys", "a list")),
    ({key: SMALL[key] for key in ("rest_api_key", "project_key")}, "type", ("required", "`batch`")),
    ({key: SMALL[key] for key in ("type", "project_key")}, "rest_api_key", ("required", "REST API key")),
    ({key: SMALL[key] for key in ("type", "rest_api_key")}, "project_key", ("required", "project")),
    (changed(type="btach"), "type", ("`batch`",)),
    (changed(type=None), "type", ("`batch`",)),
    (changed(max_inflight=1), "max_inflight", ("unknown key (did you mean `max_in_flight`?)", "`timeout`")),
    (changed(name="x"), "name", ("unknown key",)),
    (changed(rest_api_key=""), "rest_api_key", ("not empty",)),
    (changed(rest_api_key=123), "rest_api_key", ("in quotes", "not a whole number")),
    (changed(rest_api_key=None), "rest_api_key", ("not null",)),
    (changed(rest_api_key="s3cret\r\nX: y"), "rest_api_key", ("visible ASCII",)),
    (changed(rest_api_key="s3cret key"), "rest_api_key", ("visible ASCII",)),
    (changed(rest_api_key="s3cret\n\n"), "rest_api_key", ("visible ASCII",)),
    (changed(rest_api_key="s3cré"), "rest_api_key", ("visible ASCII",)),
    (changed(rest_api_key="s" * 1001), "rest_api_key", ("visible ASCII",)),
    (changed(project_key=" s3cret"), "project_key", ("visible ASCII",)),
    (changed(api_version=2.11), "api_version", ('in quotes, like `"2.11"`', "not a number")),
    (changed(api_version="v2"), "api_version", ("version",)),
    (changed(api_version="2.11/../x"), "api_version", ("version",)),
    (changed(api_version="2"), "api_version", ("version",)),
    (changed(timeout=0), "timeout", ("above 0 and at most 3600",)),
    (changed(timeout=3601), "timeout", ("at most 3600",)),
    (changed(timeout=True), "timeout", ("not a boolean",)),
    (changed(timeout="30"), "timeout", ("not text", "as_number")),
    (changed(timeout=None), "timeout", ("not null",)),
    (changed(max_attempts=0), "max_attempts", ("from 1 to 100",)),
    (changed(max_attempts=101), "max_attempts", ("from 1 to 100",)),
    (changed(max_attempts=2.0), "max_attempts", ("whole number",)),
    (changed(max_attempts=True), "max_attempts", ("not a boolean",)),
    (changed(max_in_flight=0), "max_in_flight", ("from 1 to 64",)),
    (changed(max_in_flight=65), "max_in_flight", ("from 1 to 64",)),
    (changed(max_in_flight=False), "max_in_flight", ("not a boolean",)),
    (changed(checkpoint_seconds=-1), "checkpoint_seconds", ("from 0 to 86400",)),
    (changed(checkpoint_seconds=86401), "checkpoint_seconds", ("from 0 to 86400",)),
    (changed(checkpoint_seconds=True), "checkpoint_seconds", ("not a boolean",)),
    (changed(max_profiles_per_second=-0.1), "max_profiles_per_second", ("from 0",)),
    (changed(max_profiles_per_second=1e7), "max_profiles_per_second", ("from 0 to 1e+06",)),
    (changed(max_profiles_per_second="9"), "max_profiles_per_second", ("not text",)),
    (changed(retention_days=-1), "retention_days", ("from 0 to 36500",)),
    (changed(retention_days=36501), "retention_days", ("from 0 to 36500",)),
    (changed(retention_days=True), "retention_days", ("not a boolean",)),
    (changed(only_from="prod"), "only_from", ("list of dbt targets, such as `[prod]`", "not text")),
    (changed(only_from=[]), "only_from", ("at least one",)),
    (changed(only_from=[1]), "only_from[0]", ("dbt target", "not a whole number")),
    (changed(only_from=[""]), "only_from[0]", ("1 to 300",)),
    (changed(on_success=7), "on_success", ("an address", "not a whole number")),
    (changed(on_success="http://example.org/s3cret"), "on_success", ("`https://`", "loopback")),
    (changed(on_partial="https://s3cret@example.org/"), "on_partial", ("without a user",)),
    (changed(on_partial=["https://a.example/\ns3cret"]), "on_partial[0]", ("address",)),
    (changed(on_partial=[["notify"]]), "on_partial[0]", ("`{command: [program, argument]}`", "not a list")),
    (changed(on_failure={}), "on_failure", ("either `url` or `command`",)),
    (changed(on_failure={"urls": "x", "command": ["x"]}), "on_failure.urls", ("did you mean `url`",)),
    (changed(on_failure={"url": "https://a.example", "command": ["x"]}), "on_failure", ("either",)),
    (changed(on_failure={"url": "https://a.example", "format": "slac"}), "on_failure.format", ("`slack`",)),
    (changed(on_failure={"command": ["x"], "format": "slack"}), "on_failure.format", ("goes with `url`",)),
    (changed(on_failure={"command": []}), "on_failure.command", ("must name a program",)),
    (changed(on_failure={"command": "echo s3cret"}), "on_failure.command", ("must be a list", "not text")),
]


@pytest.mark.parametrize(
    ("output", "key", "words"), RULES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_broken_rule_is_the_only_problem(
    options: DbtOptions, output: object, key: str, words: tuple[str, ...]
) -> None:
    found = problems(options, output)
    assert list(found) == [key]
    assert all(word in found[key] for word in words), found[key]
    assert "s3c" not in found[key]


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999"])
def test_non_finite_numbers(options: DbtOptions, value: str) -> None:
    output = f"{{type: batch, rest_api_key: a, project_key: b, timeout: {value}}}"
    text = f"dbt_batch_sync: {{outputs: {{default: {output}}}}}"
    (options.project_dir / "profiles.yml").write_text(text)
    with pytest.raises(ProfileError, match="timeout: must be a number above 0"):
        read_output(options)


def test_all_problems_are_reported_at_once(options: DbtOptions) -> None:
    found = problems(
        options, {"type": "x", "rest_api_key": 1, "timeout": -1, "colour": "red", "only_from": []}
    )
    assert set(found) == {"type", "rest_api_key", "project_key", "timeout", "colour", "only_from"}


# Addresses that would send keys unencrypted are rejected.

GOOD_URLS = [
    "https://api.batch.com",
    "https://api.batch.com:8443",
    "https://10.0.0.1",
    "https://[2001:db8::1]:443/base",
    "http://127.0.0.1:8700",
    "http://127.255.0.9",
    "http://localhost:8700/",
    "http://LOCALHOST",
    "http://[::1]:8700",
]
BAD_URLS = [
    "http://api.batch.com",
    "http://10.0.0.1",
    "http://0.0.0.0",
    "http://128.0.0.1",
    "http://127.0.0.1.evil.com",
    "http://127.0.0.1.",
    "http://localhost.evil.com",
    "http://localhost.",
    "http://evil.com/127.0.0.1",
    "http://127.1",
    "http://2130706433",
    "http://0x7f000001",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://[::2]",
    "http://[::1%25eth0]",
    "http://[::1",
    "http://127.0.0.1@evil.com",
    "http://user:pass@127.0.0.1",
    "https://user:pass@api.batch.com",
    "http://127.0.0.1\\@evil.com",
    "http://127.0.0.1#@evil.com",
    "http://127.0.0.1?@evil.com",
    "http://127.0.0.1%2eevil.com",
    "http://127.0.0.1\t.evil.com",
    "http://evil.com\n.127.0.0.1",
    "http://1\u0662\u0667.0.0.1",
    "http://\u2488",
    "http://ｌocalhost",
    "https://api.batch.com?key=1",
    "https://api.batch.com#x",
    "https://api.batch.com:99999",
    "https://",
    "https:///x",
    "ftp://127.0.0.1",
    "//127.0.0.1",
    "api.batch.com",
    "file:///etc/passwd",
    " https://api.batch.com",
    "https://api.batch.com\n",
    "",
    None,
    7,
    ["https://api.batch.com"],
]


# Addresses that webhooks can't have either.
BAD_WEBHOOKS = [
    *[url for url in BAD_URLS if "?" not in str(url) and url is not None],
    "http://evil.com?x=http://127.0.0.1",
]


@pytest.mark.parametrize("url", BAD_WEBHOOKS)
def test_invalid_webhooks(options: DbtOptions, url: object) -> None:
    found = problems(
        replace(options, variables={"url": url}), changed(on_failure={"url": "{{ var('url') }}"})
    )
    assert list(found) == ["on_failure.url"]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_valid_addresses(options: DbtOptions, url: str) -> None:
    assert read(options, changed(api_url=url)).api_url == url.rstrip("/")


@pytest.mark.parametrize("url", BAD_URLS)
def test_invalid_addresses(options: DbtOptions, url: object) -> None:
    # A template, so that YAML and Jinja don't change the text.
    found = problems(replace(options, variables={"url": url}), changed(api_url="{{ var('url') }}"))
    assert list(found) == ["api_url"]
    assert (
        "loopback" in found["api_url"]
        or "must be an address like `https://api.batch.com`" in found["api_url"]
    )
    assert not any(word in found["api_url"] for word in ("evil", "pass"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("x", False), (None, False)],
)
def test_loopback(host: str | None, loopback: bool) -> None:
    assert is_loopback(host) is loopback


# Profiles


def test_a_missing_profile_says_what_to_add(options: DbtOptions) -> None:
    (options.project_dir / "profiles.yml").write_text("shop: {}")
    with pytest.raises(ProfileError) as caught:
        read_output(options)
    assert PROFILE_YAML in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


def test_the_suggested_profile_is_valid(options: DbtOptions) -> None:
    (options.project_dir / "profiles.yml").write_text(PROFILE_YAML)
    environ = {"BATCH_REST_API_KEY": "a", "BATCH_PROJECT_KEY": "b"}
    output = read_output(replace(options, environ=environ))
    assert (output.rest_api_key, output.project_key, output.name) == ("a", "b", "prod")
    assert list(yaml.safe_load(PROFILE_YAML)) == ["dbt_batch_sync"]


def test_no_repr_shows_a_key(options: DbtOptions) -> None:
    output = read(options, SMALL)
    assert "r3st" not in repr(output)
    assert "project_abc" not in repr(output)


def test_the_project_hash_depends_only_on_the_project(options: DbtOptions) -> None:
    output = read(options, SMALL)
    assert output.project_hash == "184b08a675f7d6aa"
    assert (
        output.project_hash == replace(output, rest_api_key="other", api_url="https://x.example").project_hash
    )
    assert output.project_hash != replace(output, project_key="project_abd").project_hash
