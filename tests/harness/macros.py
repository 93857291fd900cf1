"""Evaluates the macros without dbt and without a warehouse, as dbt dispatches them for an adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from jinja2 import Environment, StrictUndefined, TemplateError

_PARENTS = {"redshift": "postgres", "databricks": "spark"}
"""Adapters that fall back to another one's macros before the default ones, as dbt's dispatch does."""

_FAILURES = (TemplateError, AttributeError, LookupError, TypeError, ValueError)


class Refused(Exception):
    """What `mapping_error` says."""


class Unsupported(Exception):
    """A macro needs what only dbt has, or doesn't know the adapter."""


class _Returned(Exception):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


class Macros:
    """The macros in `directory`, as dbt dispatches them for an adapter."""

    def __init__(self, directory: Path, adapter_type: str) -> None:
        # Made of dbt's SQL, not of HTML: nothing is to be escaped.
        environment = Environment(extensions=["jinja2.ext.do"], undefined=StrictUndefined, autoescape=False)
        environment.globals |= {
            "return": _return,
            "dbt_batch_sync": self,
            "adapter": SimpleNamespace(
                dispatch=lambda name, _package=None: self._dispatched(name, adapter_type),
                quote='"{}"'.format,
                type=lambda: adapter_type,
            ),
            "exceptions": SimpleNamespace(raise_compiler_error=_unsupported),
            "api": SimpleNamespace(Column=SimpleNamespace(translate_type=str)),
        }
        self._macros: dict[str, Callable[..., object]] = {"mapping_error": _refuse}
        for path in sorted([*directory.glob("*.sql"), *directory.glob("adapters/*.sql")]):
            module = environment.from_string(path.read_text(encoding="utf-8")).module
            for name, macro in vars(module).items():
                if callable(macro):
                    self._macros.setdefault(name, _called(macro))

    def __getattr__(self, name: str) -> Callable[..., object]:
        try:
            return self._macros[name]
        except KeyError:
            raise AttributeError(name) from None

    def call(self, name: str, *arguments: object) -> Any:
        """What a macro returns.

        Raises:
            Refused: the macro refuses the mapping, with its words.
            Unsupported: it can't be evaluated here.
        """
        try:
            return self._macros[name](*arguments)
        except _FAILURES as error:
            raise Unsupported(str(error)) from None

    def _dispatched(self, name: str, adapter_type: str) -> Callable[..., object]:
        names = (adapter_type, _PARENTS.get(adapter_type), "default")
        return next(self._macros[f"{each}__{name}"] for each in names if f"{each}__{name}" in self._macros)


def typed_columns(columns: Mapping[str, str]) -> list[SimpleNamespace]:
    """Columns as the macros take them, of types by names."""
    return [SimpleNamespace(name=name, dtype=dtype) for name, dtype in columns.items()]


def _called(macro: Callable[..., object]) -> Callable[..., object]:
    def call(*arguments: object, **options: object) -> object:
        try:
            return macro(*arguments, **options)
        except _Returned as returned:
            return returned.value

    return call


def _return(value: object = None) -> NoReturn:
    raise _Returned(value)


def _refuse(sync: str, message: str) -> NoReturn:
    raise Refused(message)


def _unsupported(message: str) -> NoReturn:
    raise Unsupported(message)
