"""Typed access to a JSON document that may hold anything: what is wrong is an error that names the key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from dbt_batch_sync.errors import ManifestError, printable
from dbt_batch_sync.mapping.validation import kind, shown

T = TypeVar("T")
ADVICE = "run `dbt parse` again"


def load_json(path: Path) -> JsonObject:
    """The file's object.

    Raises:
        ManifestError: there is no such file, or it is not a JSON object.
    """
    try:
        return JsonObject(json.loads(path.read_bytes()), str(path))
    except FileNotFoundError:
        raise ManifestError(
            f"there is no {path}: run `dbt parse` first, or give the project's directory with `--project-dir`"
        ) from None
    except OSError as error:
        raise ManifestError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError:
        raise ManifestError(f"{path}: is not JSON: {ADVICE}") from None


class JsonObject:
    """An object of a document, and where it stands. A missing key and null are the same."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ManifestError(printable(f"{where}: must be {kind({})}, not {kind(value)}: {ADVICE}"))
        self._value = value
        self._where = where

    def text(self, key: str, default: str = "") -> str:
        """The key's text."""
        return self._get(key, str, default)

    def optional(self, key: str) -> str | None:
        """The key's text; None if it is missing or empty."""
        return self.text(key) or None

    def required(self, key: str) -> str:
        """The key's text, which must be there."""
        return self.optional(key) or self._refuse(key, "is missing")

    def flag(self, key: str, default: bool) -> bool:
        """The key's boolean."""
        return self._get(key, bool, default)

    def texts(self, key: str) -> tuple[str, ...]:
        """The key's list of texts; a text alone counts as a list of one."""
        value = self._value.get(key)
        texts = [value] if isinstance(value, str) else self._get(key, list, [])
        wrong = next((each for each in texts if not isinstance(each, str)), None)
        if wrong is not None or None in texts:
            self._refuse(key, f"must be a list of texts, not of {kind(wrong)}")
        return tuple(texts)

    def below(self, key: str) -> JsonObject:
        """The object at the key; an empty one if there is none."""
        return JsonObject(self._get(key, dict, {}), f"{self._where}: {key}")

    def entries(self, key: str) -> Iterator[JsonObject]:
        """The objects of the object at the key, in its order."""
        for name, value in self._get(key, dict, {}).items():
            yield JsonObject(value, f"{self._where}: {key}.{shown(name)}")

    def members(self, key: str) -> Iterator[JsonObject]:
        """The objects of the list at the key, in its order."""
        for number, value in enumerate(self._get(key, list, [])):
            yield JsonObject(value, f"{self._where}: {key}[{number}]")

    def items(self) -> Mapping[str, object]:
        """The object itself, unchecked."""
        return self._value

    def _get(self, key: str, wanted: type[T], default: T) -> T:
        value = self._value.get(key)
        if value is None:
            return default
        if not isinstance(value, wanted):
            self._refuse(key, f"must be {kind(default)}, not {kind(value)}")
        return value

    def _refuse(self, key: str, wrong: str) -> NoReturn:
        raise ManifestError(printable(f"{self._where}: {key}: {wrong}: {ADVICE}"))
