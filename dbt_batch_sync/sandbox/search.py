"""A search: `paris`, `city:paris`, or several terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dbt_batch_sync.sandbox.values import Scalar, TypedValue

_TERM = re.compile(r'(?:(?P<name>[$A-Za-z0-9_]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')


@dataclass(frozen=True)
class Search:
    """Terms that must all match, regardless of case.

    A term with a name searches the value of that attribute, one without searches all values and the key. The
    `$` of a standard attribute is optional.
    """

    terms: tuple[tuple[str | None, str], ...]

    def matches(self, key: str, attributes: Mapping[str, TypedValue | Scalar | tuple[str, ...]]) -> bool:
        """Whether a profile, a member or an item matches every term."""
        return all(_meets(name, text, key, attributes) for name, text in self.terms)


def parse(text: str) -> Search:
    """Spaces separate terms; quotes group words."""
    terms = []
    for match in _TERM.finditer(text):
        value = match["quoted"] if match["quoted"] is not None else match["plain"]
        terms.append((match["name"], value.lower()))
    return Search(tuple(terms))


def _meets(
    name: str | None, text: str, key: str, attributes: Mapping[str, TypedValue | Scalar | tuple[str, ...]]
) -> bool:
    if name is None:
        return text in key.lower() or any(text in _text(value) for value in attributes.values())
    # An id may contain a colon: `a:b`.
    held = any(_plain(each) == _plain(name) and text in _text(value) for each, value in attributes.items())
    return held or f"{name}:{text}".lower() in key.lower()


def _plain(name: str) -> str:
    return name.lower().removeprefix("$")


def _text(value: TypedValue | Scalar | tuple[str, ...]) -> str:
    plain = value.value if isinstance(value, TypedValue) else value
    if isinstance(plain, tuple):
        return "\n".join(plain).lower()
    return str(plain).lower()
