"""Templates of the pages and of the plan's comment, and hashes for the pages' policies."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from dbt_batch_sync.results import compact, counted, duration, noun, shown_name, shown_time


def load_template(folder: Path, name: str, filters: Mapping[str, Callable[..., object]]) -> Template:
    """A template from a folder. In HTML, every value is escaped. An unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=name.endswith(".html.jinja"),
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "compact": compact,
        "counted": counted,
        "duration": duration,
        "moment": shown_time,
        "noun": noun,
        "number": "{:,}".format,
        "shown_name": shown_name,
        **filters,
    }
    return environment.get_template(name)


def source_hash(text: str) -> str:
    """The Content-Security-Policy source of an inline style or script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
