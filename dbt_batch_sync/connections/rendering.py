"""Renders the values of `profiles.yml` like dbt-core's `ProfileRenderer`.

Keys are not rendered; every text is, even one without a template; a date becomes text. Variables named
`DBT_ENV_SECRET…` are put in after the rendering, so that no filter sees them. Different from dbt on purpose,
beside what `templates.py` says:

- A missing environment variable is an error in a `password` too, where dbt takes the template for the
  password. A password that is no valid template is taken as it is, as in dbt.
- The text of a `var` is not rendered again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from dbt_batch_sync.connections.templates import MAX_RENDERED, NotATemplate, TemplateRefused, Templates
from dbt_batch_sync.errors import ProfileError
from dbt_batch_sync.mapping.validation import shown

MAX_DEPTH = 50
MAX_VALUES = 10_000
"""Depth and number of the values of one rendering: with YAML's aliases, a small file can be a large tree."""

_SECRET_NAME = "DBT_ENV_SECRET"  # noqa: S105 - dbt's prefix for a variable's name
_SECRET_PLACE = "$$$DBT_SECRET_START$$${}$$$DBT_SECRET_END$$$"  # noqa: S105
_SECRET = re.compile(re.escape(_SECRET_PLACE).replace(r"\{\}", f"({_SECRET_NAME}.*?)"), re.DOTALL)


class Renderer:
    """Renders with an environment and the variables of `--vars`, both as they were passed in."""

    def __init__(self, environ: Mapping[str, str], variables: Mapping[str, object]) -> None:
        self._environ = environ
        self._variables = variables
        self._templates = Templates({"env_var": self._env_var, "var": self._var, "fromjson": _from_json})

    def render(self, value: object, where: str) -> Any:
        """The value with every template in it rendered, as plain data.

        Raises:
            ProfileError: naming `where`, the key, and the function or the variable; never a value.
        """
        return _Rendering(self, where).tree(value, ())

    def text(self, template: str, *, is_password: bool) -> object:
        """What one template gives; for a password that is no template, the text itself.

        Raises:
            TemplateRefused: with the reason.
        """
        try:
            return self._templates.evaluate(template)
        except NotATemplate:
            if is_password:
                return template
            raise

    def with_secrets(self, text: str) -> str:
        """The text with the values of the secret variables in the places that `env_var` left for them."""
        return _SECRET.sub(lambda found: self._environ.get(found[1], found[0]), text)

    def _env_var(self, name: str, default: object = None) -> object:
        value = self._environ.get(name, default)
        if value is None:
            raise TemplateRefused(f"needs the environment variable `{shown(name)}`, which is not set")
        if name in self._environ and name.startswith(_SECRET_NAME):
            return _SECRET_PLACE.format(name)
        return value

    def _var(self, name: str, *default: object) -> object:
        if name in self._variables:
            return self._variables[name]
        if not default:
            raise TemplateRefused(f"needs the variable `{shown(name)}`: give it with `--vars`")
        return default[0]


class _Rendering:
    """One rendering of a tree of values, which counts them."""

    def __init__(self, renderer: Renderer, where: str) -> None:
        self.renderer = renderer
        self.where = where
        self.values = 0

    def tree(self, value: object, path: tuple[str, ...]) -> Any:
        """What YAML gave, rendered."""
        self.count(path)
        if isinstance(value, dict):
            return {key: self.tree(each, (*path, shown(key))) for key, each in value.items()}
        if isinstance(value, list):
            return [self.tree(each, (*path, str(index))) for index, each in enumerate(value)]
        if isinstance(value, date):
            return value.isoformat()
        if value is None or isinstance(value, bool | int | float):
            return value
        place = ".".join((self.where, *path))
        if not isinstance(value, str):
            raise ProfileError(f"{place}: is neither text, number, boolean, list nor mapping")
        try:
            return self.plain(self.renderer.text(value, is_password="password" in path), path)
        except TemplateRefused as refusal:
            raise ProfileError(f"{place}: {refusal}") from None

    def plain(self, value: object, path: tuple[str, ...]) -> Any:
        """What a template gave, with its secrets, if it is plain data: no function, no undefined name."""
        self.count(path)
        if isinstance(value, str):
            if len(value) > MAX_RENDERED:
                raise TemplateRefused("becomes too long")
            return self.renderer.with_secrets(str(value))
        if value is None or isinstance(value, bool | int | float):
            return value
        below = (*path, "")
        if isinstance(value, dict):
            return {self.plain(key, below): self.plain(each, below) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.plain(each, below) for each in value)
        raise TemplateRefused("gives no plain value: a name is undefined, or a function is not called")

    def count(self, path: tuple[str, ...]) -> None:
        self.values += 1
        if self.values > MAX_VALUES or len(path) > MAX_DEPTH:
            raise ProfileError(f"{self.where}: has too many values, is too deep, or refers to itself")


def _from_json(text: object, default: object = None) -> object:
    try:
        return json.loads(str(text))
    except ValueError:
        return default
