"""Reads the user's YAML files: `profiles.yml`, `dbt_project.yml`, `packages.yml`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import yaml

from dbt_batch_sync.errors import ProfileError

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, where it is installed: ten times as fast."""

_INVALID = (yaml.YAMLError, ValueError, LookupError, AttributeError)
"""PyYAML also raises the others, for a date in month 13, a tag on the wrong kind of value, and so on."""


def read_yaml(path: Path) -> object:
    """The file's only document as plain data; None if it is empty. Raises ProfileError if it can't be read.
    The message has the line, but not the text, which may be a secret.
    """
    try:
        text = path.read_bytes()
        with suppress(*_INVALID):
            return yaml.load(text, Loader=_FAST)  # noqa: S506 - a safe one
        return yaml.safe_load(text)  # fails too, with a better position
    except OSError as error:
        raise ProfileError(f"{path}: can't be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ProfileError(f"{path}: {line}is not valid YAML") from None
    except _INVALID:
        raise ProfileError(f"{path}: is not valid YAML") from None
