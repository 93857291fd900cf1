"""Evaluates one template of `profiles.yml` as dbt does, with the part of Jinja that a profile needs.

A text stays a text unless its template ends with `as_number`, `as_bool` or `as_native`, as in dbt-core's
native rendering. Different from it on purpose:

- Only expressions and `if` are accepted, without loops, macros, attributes of objects, and operators that can
  grow (`*`, `**`, `%`): what is left can't run code, hang or fill the memory.
- An undefined name is an error, where dbt renders it as nothing.
"""

from __future__ import annotations

import warnings
from ast import literal_eval
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain, islice
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS
from jinja2.nativetypes import NativeCodeGenerator, NativeTemplate
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from dbt_batch_sync.mapping.validation import did_you_mean, listed, shown

MAX_TEMPLATE = 64 * 1024
"""Characters of a template, and of a text that `as_native` evaluates: a service account's key has 2,400."""

MAX_RENDERED = 1024 * 1024
"""Characters of what a template gives."""

_METHODS = ("endswith", "lower", "lstrip", "replace", "rstrip", "split", "startswith", "strip", "upper")
_FILTERS = ("d", "default", "first", "float", "int", "last", "length", "lower", "string", "trim", "upper")
_NODES: frozenset[type[nodes.Node]] = frozenset(
    {nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Call, nodes.Keyword}
    | {nodes.Filter, nodes.Test, nodes.Getitem, nodes.Slice, nodes.If, nodes.CondExpr, nodes.Compare}
    | {nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Div}
    | {nodes.FloorDiv, nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair}
)
_FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
)
"""What parsing, compiling and evaluating a template raise, beside TypeError and ValueError."""


class TemplateRefused(Exception):
    """Why a template is not evaluated, in words that can be shown: never what it holds or gives."""


class NotATemplate(TemplateRefused):
    """The text is not valid Jinja."""


class _Text(str):
    """Marks what `as_text` gave: a text."""

    __slots__ = ()


class _Native(str):
    """Marks a text that is to be evaluated as a literal; `types` are those that are accepted."""

    __slots__ = ()
    types: tuple[type, ...] = ()


class _Boolean(_Native):
    types = (bool,)


class _Number(_Native):
    types = (int, float)


class _Environment(SandboxedEnvironment):
    """Jinja, sandboxed and native like dbt's; `replace` is the only thing left that could multiply a text."""

    code_generator_class = NativeCodeGenerator

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str) and getattr(__obj, "__name__", "") == "replace":
            return _replace(owner, *args, **kwargs)
        return super().call(__context, __obj, *args, **kwargs)


class _Template(NativeTemplate):
    environment_class = _Environment  # type: ignore[assignment]


def _concat(values: Iterable[Any]) -> Any:
    """What a template gives, as dbt has it: one value as it is, several as text, a marked one evaluated."""
    rest = iter(values)
    head = list(islice(rest, 2))
    if len(head) != 1:
        return "".join(str(value) for value in chain(head, rest))
    raw = head[0]
    return _evaluate(raw) if isinstance(raw, _Native) else raw


def _evaluate(marked: _Native) -> Any:
    if len(marked) > MAX_TEMPLATE:
        raise TemplateRefused("is too long to be evaluated")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = literal_eval(str(marked))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = str(marked)
    right = isinstance(value, marked.types) and isinstance(value, bool) is (bool in marked.types)
    if marked.types and not right:
        wanted = "`True` or `False`" if bool in marked.types else "a number"
        raise TemplateRefused(f"is not {wanted} after rendering")
    return value


def _replace(text: object, old: object, new: object, count: int = -1) -> str:
    before, old, new = str(text), str(old), str(new)
    if len(before) + before.count(old) * len(new) > MAX_RENDERED:
        raise TemplateRefused("becomes too long")
    return before.replace(old, new, count)


_Environment.concat = staticmethod(_concat)
_Environment.template_class = _Template


class Templates:
    """Evaluates templates that may call these functions, and nothing else."""

    def __init__(self, functions: Mapping[str, Callable[..., object]]) -> None:
        self._functions = tuple(functions)
        self._jinja = _Environment(undefined=StrictUndefined)
        self._jinja.globals = dict(functions)
        self._jinja.filters = {name: FILTERS[name] for name in _FILTERS} | {
            "as_text": _Text,
            "as_native": _Native,
            "as_bool": _Boolean,
            "as_number": _Number,
            "replace": _replace,
        }

    def evaluate(self, text: str) -> object:
        """What the template gives; not yet checked to be plain data.

        Raises:
            TemplateRefused: it is too long, uses what is not accepted, or fails; `NotATemplate`: it is none.
        """
        if len(text) > MAX_TEMPLATE:
            raise TemplateRefused("is too long")
        try:
            parsed = self._jinja.parse(text)
            self._check(parsed)
            return self._jinja.from_string(parsed).render()
        except TemplateSyntaxError as error:
            raise NotATemplate(f"is not a valid template (in its line {error.lineno})") from None
        except (*_FAILURES, TypeError, ValueError):
            wrong = "can't be rendered: a name is undefined, or a value has the wrong type"
            raise TemplateRefused(wrong) from None

    def _check(self, template: nodes.Template) -> None:
        """Refuses everything that is not on the lists above, before anything is compiled."""
        methods: set[nodes.Node] = set()
        stack: list[nodes.Node] = [template]
        while stack:
            node = stack.pop()
            if isinstance(node, nodes.Call):
                self._check_call(node.node)
                methods.add(node.node)
            if isinstance(node, nodes.Filter):
                _refuse_other("filter", node.name, self._jinja.filters)
            # A method is only accepted where it is called: its attribute was checked with the call.
            if type(node) not in _NODES and not (isinstance(node, nodes.Getattr) and node in methods):
                raise TemplateRefused(f"uses `{type(node).__name__.lower()}`, which is not accepted here")
            stack.extend(node.iter_child_nodes())

    def _check_call(self, function: nodes.Node) -> None:
        if isinstance(function, nodes.Getattr):
            _refuse_other("method", function.attr, _METHODS)
        else:
            _refuse_other("function", getattr(function, "name", None), self._functions)


def _refuse_other(what: str, name: object, accepted: Collection[str]) -> None:
    if name not in accepted:
        hint = did_you_mean(name, accepted)
        raise TemplateRefused(f"uses the {what} `{shown(name)}`{hint}; accepted: {listed(accepted)}")
