"""Reads request bodies: standard JSON, without Python's extensions."""

from __future__ import annotations

import json
from typing import NoReturn


class MalformedBodyError(Exception):
    """The body is not JSON. The message doesn't quote it."""


def _no_constant(_name: str) -> NoReturn:
    raise MalformedBodyError("NaN and Infinity are not JSON")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise MalformedBodyError("an object has the same key twice")
    return read


def parse_body(body: bytes) -> object:
    """Also rejects NaN and Infinity, duplicate keys in an object, a byte order mark, encodings other than
    UTF-8, and unpaired surrogates, which UTF-8 can't represent. A number too large for a float becomes
    infinity, which the rule for floats rejects. Raises MalformedBodyError.
    """
    try:
        parsed: object = json.loads(
            body.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
        if b"\\ud" in body or b"\\uD" in body:
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise MalformedBodyError("not valid UTF-8") from None
    except RecursionError:
        raise MalformedBodyError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise MalformedBodyError(f"not valid JSON at character {error.pos}") from None
    except ValueError:  # an integer with more digits than Python converts
        raise MalformedBodyError("a number is too long") from None
    return parsed
