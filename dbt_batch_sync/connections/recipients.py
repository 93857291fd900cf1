"""Hooks that report how an output's pushes ended: `on_success`, `on_partial`, `on_failure`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from urllib.parse import urlsplit

from dbt_batch_sync.connections.addresses import address
from dbt_batch_sync.mapping.validation import Spot, choice, kind, many, read_by, read_form, text

_ACCEPTED = "an address, `{url: …, format: slack}`, or `{command: [program, argument]}`"


class HookFormat(str, Enum):
    """The posted format: the document of `push --json`, or a text for Slack's incoming webhooks."""

    JSON = "json"
    SLACK = "slack"


_read_url = address("https://hooks.example.com/…", query=True)


def _read_command(value: object, spot: Spot) -> tuple[str, ...]:
    words = many(text("a word of a command"), "a program and its arguments, such as `[notify, --urgent]`")
    command = words(value, spot)
    if not command and not spot.found:
        spot.refuse("must name a program")
    return command


@dataclass(frozen=True)
class Hook:
    """An address to post to, or a command to run without a shell. Their secrets are not in its `repr`."""

    url: str = read_by(_read_url, "", hidden=True)
    format: HookFormat = read_by(choice(HookFormat), HookFormat.JSON)
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
        spot.refuse(f"must be {_ACCEPTED}, not {kind(value)}")
        return Hook()
    hook = read_form(Hook, value, spot)
    if ("url" in value) is ("command" in value):
        spot.refuse(f"must have either `url` or `command`; accepted: {_ACCEPTED}")
    elif "command" in value and "format" in value:
        spot.at("format").refuse("goes with `url`: a command reads JSON")
    return hook
