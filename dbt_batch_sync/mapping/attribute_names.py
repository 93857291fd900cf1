"""Which names a custom attribute may have, and a proposal for what has none of them."""

from __future__ import annotations

import re
import unicodedata

from dbt_batch_sync.attributes import ATTRIBUTE_NAME, STANDARD_PREFIX

OWN_PREFIX = "_batch_"
"""What begins the names of the relations' own columns."""

CUSTOM_ID = "custom_id"
"""The relations' column of the identifier."""

MAX_NAME = 30
FORM = f"1 to {MAX_NAME} of a-z, 0-9 and _"


def name_refusal(name: str) -> str | None:
    """Says why a custom attribute can't have this name; None if it can.

    The form is Batch's rule [D]; what is reserved would collide with a column of the snapshot and the delta.
    """
    if not re.fullmatch(ATTRIBUTE_NAME, name):
        return f"is not a valid attribute name ({FORM})"
    if name.startswith(STANDARD_PREFIX):
        return f"begins with `{STANDARD_PREFIX}`, which is reserved for the standard attributes"
    if name.startswith(OWN_PREFIX):
        return f"begins with `{OWN_PREFIX}`, which is reserved for the snapshot's and the delta's own columns"
    if name == CUSTOM_ID:
        return "is reserved for the identifier's column"
    return None


def propose_name(column: str) -> str:
    """A valid attribute name that looks like the column's: without accents, in snake case, shortened."""
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
    # Underscores are joined too, so that no reserved prefix is left.
    slug = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    slug = slug[:MAX_NAME].rstrip("_")
    return "source_id" if slug == CUSTOM_ID else slug or "attribute"
