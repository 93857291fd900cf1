"""Which free text of an answer may be stored: codes, attribute names, and reasons that quote no value.

`category`, `reason` and `error_message` are free text ([U] in `batch_api.md`), and Batch may quote a rejected
value in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

MAX_REASON: Final = 200
"""Characters of a reason that are stored."""

_QUOTED: Final = 6
"""A reason may quote the beginning of a long value; this many letters and digits identify it."""

_SHORT: Final = 4
"""Shorter values must stand alone to count as quoted: "fr" is in "from"."""

_CODE = re.compile(r"[A-Z][A-Z_]{0,63}")
_ATTRIBUTE = re.compile(r"(?:date|url)\((?P<wrapped>[a-z0-9_]{1,30})\)|(?P<plain>\$?[a-z0-9_]{1,30})")
_EMAIL = re.compile(r"\S@\S")
_WORDS = re.compile(r"\w+")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def machine_code(text: object) -> str:
    """A code of capitals and underscores, at most 64 characters; `""` for anything else."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else ""


def attribute_name(text: object) -> str | None:
    """The attribute that a partial error names, without `date()` or `url()`; None if it is no valid name."""
    match = _ATTRIBUTE.fullmatch(text) if isinstance(text, str) else None
    return match["wrapped"] or match["plain"] if match else None


def clean_reason(reason: str, operation: str) -> str:
    """A reason on one line, cut to `MAX_REASON` characters; `""` if it may quote a value of the operation,
    the JSON that was sent for the row.

    A value counts as quoted regardless of case, punctuation and escapes, even if only its beginning is there;
    true, false and null never do. Also `""` for anything like an e-mail address.
    """
    # Cut first: a value that is cut in the middle is found by its beginning.
    text = " ".join("".join(c if c.isprintable() else " " for c in reason[:MAX_REASON]).split())
    if not text or _EMAIL.search(text):
        return ""
    try:
        values = set(_scalars(json.loads(operation.rstrip().removesuffix(","))))
    except (ValueError, RecursionError):
        return ""
    folded = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).casefold()
    squeezed, words = _squeeze(folded), set(_WORDS.findall(folded))
    plain = (_squeeze(value.casefold()) for value in values)
    quoted = (value[:_QUOTED] in squeezed if len(value) >= _SHORT else value in words for value in plain)
    return "" if any(quoted) else text


def _squeeze(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _scalars(document: object) -> Iterator[str]:
    """Every value in a JSON document as text, at any depth."""
    if isinstance(document, dict):
        for inner in document.values():
            yield from _scalars(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from _scalars(inner)
    elif document is not None and not isinstance(document, bool):
        yield str(document)
