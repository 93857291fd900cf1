"""Where a push sends to: the outputs of the `dbt_batch_sync` profile, validated, with their hooks."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import PurePath
from urllib.parse import urlsplit

from dbt_batch_sync.connections.addresses import address
from dbt_batch_sync.connections.profiles import DbtOptions, find_output
from dbt_batch_sync.errors import ProfileError, printable
from dbt_batch_sync.mapping.validation import (
    Reader,
    Spot,
    boolean,
    choice,
    kind,
    many,
    number,
    optional,
    read_by,
    read_form,
    text,
    whole,
)

PROFILE = "dbt_batch_sync"
OUTPUT_TYPE = "batch"
API_URL = "https://api.batch.com"
API_VERSION = "2.11"

PROFILE_YAML = """\
dbt_batch_sync:
  target: prod
  outputs:
    prod:
      type: batch
      rest_api_key: "{{ env_var('BATCH_REST_API_KEY') }}"
      project_key: "{{ env_var('BATCH_PROJECT_KEY') }}"
"""
"""What `profiles.yml` needs beside the dbt profile."""

_HOOK = "an address, `{url: …, format: slack}`, or `{command: [program, argument]}`"

_read_url = address("https://hooks.example.com/…", query=True)


def _matching(pattern: str, rule: str) -> Reader[str]:
    """Reads a text of this form; `rule` says it in words. It may be a secret, so no message contains it."""

    def read(value: object, spot: Spot) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        given = "empty" if value == "" else "" if isinstance(value, str) else kind(value)
        spot.refuse(f"must be {rule}" + (f", not {given}" if given else ""))
        return ""

    return read


_read_key = _matching(r"[!-~]{1,1000}", "a text of visible ASCII characters (a number in quotes)")
# Without quotes, YAML reads a number, in which 2.10 equals 2.1.
_read_version = _matching(r"[0-9]{1,3}\.[0-9]{1,3}", f'a version in quotes, like `"{API_VERSION}"`')
# It becomes a part of a path.
_read_app_key = _matching(r"[A-Za-z0-9_-]{1,200}", "an app's API key: 1 to 200 of A-Z, a-z, 0-9, - and _")


def _read_app_keys(value: object, spot: Spot) -> tuple[str, ...]:
    keys = many(_read_app_key, "API keys of the project's apps")(value, spot)
    if len(set(keys)) < len(keys):
        spot.refuse("names a key twice")
    return keys


_read_targets = many(
    text("a dbt target's name"),
    "dbt targets, such as `[prod]`",
    empty="must name at least one dbt target; leave it out to accept every one",
)
_read_command = many(
    text("a word of a command"),
    "a program and its arguments, such as `[notify, --urgent]`",
    empty="must name a program",
)


@dataclass(frozen=True)
class Hook:
    """An address to post to, or a command to run without a shell. Their secrets are not in its `repr`.

    `format` is what is posted: the document of `push --json`, or a text for Slack's incoming webhooks.
    """

    url: str = read_by(_read_url, "", hidden=True)
    format: str = read_by(choice(("json", "slack")), "json")
    command: tuple[str, ...] = read_by(_read_command, (), hidden=True)

    @property
    def shown(self) -> str:
        """What messages may show: the host, or the program's name."""
        if self.command:
            return f"command `{PurePath(self.command[0]).name}`"
        return urlsplit(self.url).hostname or "a hook"


def read_hooks(value: object, spot: Spot) -> tuple[Hook, ...]:
    """Reads a hook or a list of hooks. Null means none."""
    if isinstance(value, list):
        return many(_read_hook, "hooks")(value, spot)
    return () if value is None else (_read_hook(value, spot),)


def _read_hook(value: object, spot: Spot) -> Hook:
    if isinstance(value, str):
        return Hook(url=_read_url(value, spot))
    if not isinstance(value, dict):
        spot.refuse(f"must be {_HOOK}, not {kind(value)}")
        return Hook()
    hook = read_form(Hook, value, spot)
    if ("url" in value) is ("command" in value):
        spot.refuse(f"must have either `url` or `command`; accepted: {_HOOK}")
    elif "command" in value and "format" in value:
        spot.at("format").refuse("goes with `url`: a command reads JSON")
    return hook


@dataclass(frozen=True)
class Output:
    """An output: one Batch project and its limits. Its keys are not in its `repr`.

    `timeout` and `checkpoint_seconds` are in seconds; `checkpoint_seconds: None` means the warehouse's
    default. `max_profiles_per_second: None` means the endpoint's rate; 0 means no limit. Resolved rejects are
    kept for `retention_days`. `only_from` lists the dbt targets that may push to it; None means all.
    `app_keys` are the keys of the project's apps, for erasures. `require_tests` requires that dbt has just
    built and tested what is pushed. The hooks are called when a push has ended; `on_failure` also after an
    interruption.
    """

    name: str = ""
    type: str = read_by(_matching(OUTPUT_TYPE, f"`{OUTPUT_TYPE}`"), OUTPUT_TYPE, required=f"`{OUTPUT_TYPE}`")
    rest_api_key: str = read_by(_read_key, "", required="the REST API key of the company", hidden=True)
    project_key: str = read_by(_read_key, "", required="the key of the Batch project", hidden=True)
    app_keys: tuple[str, ...] = read_by(_read_app_keys, (), hidden=True)
    api_url: str = read_by(address(API_URL), API_URL)
    api_version: str = read_by(_read_version, API_VERSION)
    timeout: float = read_by(number(0, 3600, above=True), 30.0)
    max_attempts: int = read_by(whole(1, 100), 6)
    max_in_flight: int = read_by(whole(1, 64), 4)
    checkpoint_seconds: float | None = read_by(optional(number(0, 86_400)), None)
    max_profiles_per_second: float | None = read_by(optional(number(0, 1_000_000)), None)
    retention_days: int = read_by(whole(0, 36_500), 90)
    only_from: tuple[str, ...] | None = read_by(optional(_read_targets), None)
    require_tests: bool = read_by(boolean, False)
    on_success: tuple[Hook, ...] = read_by(read_hooks, ())
    on_partial: tuple[Hook, ...] = read_by(read_hooks, ())
    on_failure: tuple[Hook, ...] = read_by(read_hooks, ())

    @property
    def project_hash(self) -> str:
        """Identifies the Batch project without revealing its key: 16 hex digits."""
        return hashlib.sha256(self.project_key.encode()).hexdigest()[:16]


def default_output(options: DbtOptions) -> str | None:
    """The name of the output in the profile's `target`; None if unknown."""
    try:
        return find_output(options, PROFILE, None)[0]
    except ProfileError:
        return None


def read_output(options: DbtOptions, name: str | None = None) -> Output:
    """Reads an output of the `dbt_batch_sync` profile by name; None: the one in its `target`. Raises
    ProfileError with every error in it, each with its key.
    """
    picked, raw, where = find_output(options, PROFILE, name, f". Add it:\n\n{PROFILE_YAML}")
    spot = Spot(where)
    output = replace(read_form(Output, options.renderer.render(raw, where), spot), name=picked)
    if spot.found:
        raise ProfileError("\n".join(printable(f"{each.key}: {each.message}") for each in spot.found))
    return output
