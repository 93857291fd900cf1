"""Shared by the sandbox's and the report's pages: templates that escape, and hashes for their policies."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def load_template(folder: Path, name: str, filters: Mapping[str, Callable[..., object]]) -> Template:
    """A template from a folder. Every value is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name)


def source_hash(text: str) -> str:
    """The Content-Security-Policy source of an inline style or script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
