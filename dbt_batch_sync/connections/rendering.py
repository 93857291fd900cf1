"""Renders values of `profiles.yml` and `dbt_project.yml` like dbt, without importing it.

Uses Jinja's native mode in its sandbox, with dbt's functions, modules and filters for these files. A text
stays a text unless its template ends with `as_number`, `as_bool` or `as_native`. Variables named
`DBT_ENV_SECRET…` are inserted after rendering, so that no filter sees them. One difference from dbt: a
missing environment variable is also an error in a `password`.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from ast import literal_eval
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timezone
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, islice
from threading import current_thread
from typing import Any
from uuid import uuid4

import yaml
from jinja2 import TemplateSyntaxError, Undefined
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.sandbox import SandboxedEnvironment

from dbt_batch_sync.errors import ProfileError
from dbt_batch_sync.mapping.validation import shown

_SECRET_NAME = "DBT_ENV_SECRET"  # noqa: S105 - dbt's prefix for a variable's name
_SECRET_PLACE = "$$$DBT_SECRET_START$$${}$$$DBT_SECRET_END$$$"  # noqa: S105
_SECRET = re.compile(re.escape(_SECRET_PLACE).replace(r"\{\}", f"({_SECRET_NAME}.*?)"), re.DOTALL)
_MODULES = {
    "datetime": "date datetime time timedelta tzinfo",
    "itertools": "count cycle repeat accumulate chain compress islice starmap tee zip_longest product "
    "permutations combinations combinations_with_replacement",
    "pytz": "",
    "re": "",
}
"""dbt's names of each module; if none are listed, all public ones."""


class _Native(str):
    """Marks a text to be evaluated as a literal of one of `types`, or of any if there are none."""

    __slots__ = ()
    types: tuple[type, ...] = ()


class _Boolean(_Native):
    types = (bool,)


class _Number(_Native):
    types = (int, float)


class _Environment(SandboxedEnvironment):
    code_generator_class = NativeCodeGenerator


def _concat(values: Iterable[Any]) -> Any:
    """A template's result, as in dbt: a single value unchanged, several as text, a marked one evaluated."""
    rest = iter(values)
    head = list(islice(rest, 2))
    if len(head) != 1:
        return "".join(str(value) for value in chain(head, rest))
    return _evaluated(head[0]) if isinstance(head[0], _Native) else head[0]


def _evaluated(marked: _Native) -> Any:
    try:
        value = literal_eval(str(marked))
    except (ValueError, SyntaxError, MemoryError):
        value = str(marked)
    if marked.types and type(value) not in marked.types:
        wanted = "`True` or `False`" if bool in marked.types else "a number"
        raise _Failure(f"is not {wanted} after rendering")
    return value


class _Failure(Exception):
    """Why a template has no value, in words that can be shown; never its contents or its result."""


class _Modules(dict[str, dict[str, Any]]):
    """dbt's `modules`, each imported when it is used."""

    def __missing__(self, name: str) -> dict[str, Any]:
        listed = _MODULES[name].split()
        module: Any = import_module(name)
        return {each: getattr(module, each) for each in listed or module.__all__}


class Renderer:
    """Renders with an environment and the variables of `--vars`. `target` is dbt's, for `dbt_project.yml`."""

    def __init__(
        self,
        environ: Mapping[str, str],
        variables: Mapping[str, object],
        target: Mapping[str, object] | None = None,
    ) -> None:
        self._environ = environ
        self._variables = variables
        self._jinja = _Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
        self._jinja.filters |= {
            "as_text": str,
            "as_native": _Native,
            "as_bool": _Boolean,
            "as_number": _Number,
            "is_list": lambda value: isinstance(value, list),
        }
        own = {"env_var": self._env_var, "var": self._var}
        self._context = _dbt_context() | own | ({} if target is None else {"target": target})

    def render(self, value: object, where: str, *, password: bool = False) -> Any:
        """Renders every template in a value, as plain data. Keys are not rendered. A ProfileError names
        `where`, the key, and the function or variable; never a value.
        """
        if isinstance(value, dict):
            return {
                key: self.render(each, f"{where}.{shown(key)}", password=password or key == "password")
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [
                self.render(each, f"{where}.{index}", password=password) for index, each in enumerate(value)
            ]
        if isinstance(value, date):
            return value.isoformat()
        if value is None or isinstance(value, bool | int | float):
            return value
        if not isinstance(value, str):
            raise ProfileError(f"{where}: is neither text, number, boolean, list nor mapping")
        try:
            return self._plain(self._evaluate(value))
        except _Failure as failure:
            raise ProfileError(f"{where}: {failure}") from None
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            if password:  # like dbt: a password that is not a template
                return value
            wrong = "can't be rendered: a name is undefined, or a value has the wrong type"
            if isinstance(error, TemplateSyntaxError):
                wrong = f"is not a valid template (in its line {error.lineno})"
            raise ProfileError(f"{where}: {wrong}") from None

    def _evaluate(self, template: Any) -> Any:
        if not re.search(r"[{}\r\n]", template):
            return template
        compiled = self._jinja.from_string(template, globals=self._context)
        return _concat(compiled.root_render_func(compiled.new_context()))

    def _plain(self, value: object) -> Any:
        """The result of a template with its secrets, if it is plain data (not a function or undefined)."""
        if isinstance(value, str):
            return _SECRET.sub(lambda found: self._environ.get(found[1], found[0]), value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {self._plain(key): self._plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._plain(each) for each in value)
        if isinstance(value, Undefined):
            raise _Failure(f"gives no value: `{shown(value._undefined_name)}` is undefined")
        raise _Failure("gives no plain value: is a function not called?")

    def _env_var(self, name: str, default: object = None) -> object:
        value = self._environ.get(name, default)
        if value is None:
            raise _Failure(f"needs the environment variable `{shown(name)}`, which is not set")
        secret = name in self._environ and name.startswith(_SECRET_NAME)
        return _SECRET_PLACE.format(name) if secret else value

    def _var(self, name: str, *default: object) -> object:
        if name in self._variables:
            value = self._variables[name]
            template = isinstance(value, str) and re.search(r"\{[{%#]|[#}%]\}", value)
            return str(self._evaluate(value)) if template else value
        if not default:
            raise _Failure(f"needs the variable `{shown(name)}`: give it with `--vars`")
        return default[0]


@cache
def _dbt_context() -> dict[str, Any]:
    """dbt's context for these files beside `env_var` and `var`."""
    try:
        dbt_version = version("dbt-core")
    except PackageNotFoundError:
        dbt_version = ""
    return {
        "dbt_version": dbt_version,
        "fromjson": _or(json.loads),
        "tojson": _or(json.dumps, sorts=True),
        "fromyaml": _or(yaml.safe_load),
        "toyaml": _or(yaml.safe_dump, sorts=True),
        "set": _or(set),
        "set_strict": set,
        "zip": lambda *values, default=None: _or(lambda each: zip(*each, strict=False))(values, default),
        "zip_strict": lambda *values: zip(*values, strict=False),
        "return": lambda value: value,
        "log": lambda message, info=False: "",
        "print": lambda message: "",
        "local_md5": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        "run_started_at": datetime.datetime.now(timezone.utc),
        "invocation_id": str(uuid4()),
        "thread_id": current_thread().name,
        "modules": _Modules(),
        "flags": {},
    }


def _or(convert: Callable[..., object], *, sorts: bool = False) -> Callable[..., object]:
    """A function of dbt, which has a default for what it can't convert, and may sort keys."""

    def call(value: object, default: object = None, sort_keys: bool = False) -> object:
        try:
            return convert(value, sort_keys=sort_keys) if sorts else convert(value)
        except (ValueError, TypeError, AttributeError, yaml.YAMLError):
            return default

    return call
