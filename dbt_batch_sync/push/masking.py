"""Masks values: recognizable to someone who knows them, useless to others."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from dbt_batch_sync.kinds.attributes import STANDARD_PREFIX, STANDARD_RULES
from dbt_batch_sync.kinds.vocabularies import words

VOCABULARIES = {f"{STANDARD_PREFIX}{name}": rule.vocabulary for name, rule in STANDARD_RULES.items()}
"""The closed lists of attributes' values."""

PERSONAL = frozenset(("batch__email_address", "batch__phone_number"))

LONG = 10**7
"""From here, a whole number may be a phone number or an id."""


def mask(value: object, attribute: str = "", *, show: bool = False) -> str:
    """The first character and the size of a text or of a long whole number, or the length of a list. Other
    numbers, booleans, dates and words of closed lists are not masked, and nothing is with `show`.
    """
    if value is None:
        return "null"
    if value == "":
        return "''"
    if isinstance(value, bool):
        return str(value).lower()
    vocabulary = VOCABULARIES.get(attribute)
    if show or (vocabulary is not None and str(value) in words(vocabulary)):
        return str(value)
    if attribute not in PERSONAL:
        if isinstance(value, date):
            return str(value)
        if isinstance(value, (int, float, Decimal)):
            size = abs(float(value))
            if not (LONG <= size < math.inf and size.is_integer()):
                return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{len(value)} items]"
    text = str(value)
    if len(text) < 3:
        return "•" * len(text)
    return text[0] + "•" * min(len(text) - 1, 8) + (f" ({len(text)})" if len(text) > 9 else "")
