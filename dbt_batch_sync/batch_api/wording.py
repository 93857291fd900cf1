"""What of an answer's free text may be kept: known words, machine codes and attribute names; never a value.

`reason`, `error_message` and even `category` are free text to us ([U] in `batch_api.md`), and nothing says
that Batch does not quote the refused value, or a key, in them. What is stored or shown is therefore built
from known words, not filtered for bad ones.
"""

from __future__ import annotations

import re
from typing import Final

MAX_REASON: Final = 120
"""Characters of a reason that are kept."""

_MAX_READ = 1_000
_GAP: Final = "…"
_TOKEN = re.compile(r"[^\W\d_](?:[^\W\d]|['’])*|\S", re.ASCII)
_CODE = re.compile(r"[A-Za-z][A-Za-z_]{0,63}")
_CODE_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_ATTRIBUTE = re.compile(r"(?:date|url)\((?P<wrapped>[a-z0-9_]{1,30})\)|(?P<plain>\$?[a-z0-9_]{1,30})")

_WORDS: Final = """
    a above accepted add after all allowed already an and any api are array as at attribute attributes bad
    batch be been before between blank body boolean bulk but by call can cannot character characters code
    contain contains count country custom data date datetime deprecated does doesn't duplicate duplicated
    email empty encoding error event events exceed exceeded exceeds exist exists expected failed field fields
    float for forbidden format found from future given greater has have id identifier identifiers ignored in
    incorrect index installation integer internal internet invalid is iso item items its json key kind
    language least length less limit list long longer malformed many map marketing match maximum mass may
    minimum mismatch missing more most must name native no not null number object of off on one only operation
    operations or out over parameter parse past payload permitted phone preferences present profile profiles
    project range rate reached received reference refused region rejected remove request required reserved
    rest rule scheme schema server short shorter should size sms standard string strings
    supported syntax than that the time timeout timezone to too topic topics tries type
    unauthorized unexpected unknown unprocessable unrecognized unsupported update url used utc
    valid validation value values version was were when while with without wrong address birthdate utf
"""
_VOCABULARY: Final = frozenset(_WORDS.split())


def safe_code(text: object) -> str:
    """A machine code as it is, or `""` when it does not look like one.

    At most 64 letters and underscores, all capitals or of known words: `summer_sale` may be a value.
    """
    if not isinstance(text, str) or not _CODE.fullmatch(text):
        return ""
    known = all(part.lower() in _VOCABULARY for part in _CODE_PART.findall(text))
    return text if known or text.isupper() else ""


def attribute_name(text: object) -> str | None:
    """The attribute that a partial error names, without its `date()` or `url()`; None when it is no name."""
    match = _ATTRIBUTE.fullmatch(text) if isinstance(text, str) else None
    return match["wrapped"] or match["plain"] if match else None


def redact(text: object) -> str:
    """A reason in known words, and one `…` for whatever else was between them; `""` when no word is left.

    Nothing of the input but those words is in the result, which is at most `MAX_REASON` characters long.
    """
    if not isinstance(text, str):
        return ""
    kept: list[str] = []
    for token in _TOKEN.findall(text[:_MAX_READ]):
        if _is_known(token):
            kept.append(token)
        elif (token.isalnum() or len(token) > 1) and kept[-1:] != [_GAP]:
            kept.append(_GAP)
    if all(token == _GAP for token in kept):
        return ""
    return _shorten(kept)


def _is_known(token: str) -> bool:
    return all(part in _VOCABULARY for part in token.lower().replace("’", "'").split("_"))


def _shorten(words: list[str]) -> str:
    text = " ".join(words)
    if len(text) <= MAX_REASON:
        return text
    return text[: MAX_REASON - 2].rsplit(" ", 1)[0] + " " + _GAP
