"""Templates of profiles.yml: what dbt renders is rendered the same, and what could harm is refused."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Any

import pytest

from dbt_batch_sync.connections.rendering import Renderer
from dbt_batch_sync.errors import ProfileError

ENVIRON = {
    "NAME": "warehouse",
    "PORT": "5432",
    "RATIO": "0.5",
    "TRUE": "True",
    "LOWER_TRUE": "true",
    "LIST": "['a', 1]",
    "JSON": '{"a": [1, null]}',
    "EMPTY": "",
    "TEMPLATE": "{{ env_var('NAME') }}",
    "KEY": "-----BEGIN\\nabc\\n",
    "DBT_ENV_SECRET_TOKEN": "t0k{{en",
    "DBT_ENV_SECRET_B": "b",
}
VARIABLES = {"schema": "analytics", "n": 3, "nothing": None, "flags": {"a": "b"}}

# Templates that dbt renders too; a test below holds this table against dbt itself.
SAME: list[tuple[object, object]] = [
    ("plain", "plain"),
    ("5432", "5432"),
    ("True", "True"),
    ("  spaced  ", "  spaced  "),
    ("last line break\n", "last line break"),
    ("two\n\n", "two\n"),
    ("a\r\nb", "a\nb"),
    ("", ""),
    (5432, 5432),
    (0.5, 0.5),
    (True, True),
    (None, None),
    (date(2026, 1, 2), "2026-01-02"),
    (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
    ("{{ env_var('NAME') }}", "warehouse"),
    ("{{ env_var('PORT') }}", "5432"),
    ("{{ env_var('TRUE') }}", "True"),
    ("{{ env_var('EMPTY') }}", ""),
    ("{{ env_var('TEMPLATE') }}", "{{ env_var('NAME') }}"),
    ("{{ env_var('MISSING', 'default') }}", "default"),
    ("{{ env_var('MISSING', '') }}", ""),
    ("{{ env_var('MISSING', 7) }}", 7),
    ("{{ env_var('PORT') | as_number }}", 5432),
    ("{{ env_var('RATIO') | as_number }}", 0.5),
    ("{{ env_var('PORT') | int }}", 5432),
    ("{{ env_var('NAME') | int }}", 0),
    ("{{ env_var('TRUE') | as_bool }}", True),
    ("{{ env_var('LIST') | as_native }}", ["a", 1]),
    ("{{ env_var('NAME') | as_native }}", "warehouse"),
    ("{{ env_var('PORT') | as_text }}", "5432"),
    ("{{ 1 }}", "1"),
    ("{{ 1 + 2 }}", "3"),
    ("{{ [1, 'a', none] }}", "[1, 'a', None]"),
    ("{{ [1, var('n'), none] }}", [1, 3, None]),
    ("{{ {'a': var('n')} }}", {"a": 3}),
    ("{{ var('n') + 2 }}", 5),
    ("{{ (1, var('n')) }}", (1, 3)),
    ("{{ '7' | as_number }}", 7),
    ("{{ 'x' if true else 'y' }}", "x"),
    ("port {{ env_var('PORT') | as_number }}", "port 5432"),
    ("{{ env_var('NAME') }}_{{ env_var('PORT') }}", "warehouse_5432"),
    ("{{ env_var('NAME') ~ '_x' }}", "warehouse_x"),
    ("{{ env_var('NAME') | upper }}", "WAREHOUSE"),
    ("{{ env_var('NAME') | replace('ware', 'out') }}", "outhouse"),
    ("{{ env_var('NAME').replace('ware', 'out') }}", "outhouse"),
    ("{{ env_var('KEY').replace('\\\\n', '\\n') }}", "-----BEGIN\nabc\n"),
    ("{{ env_var('NAME').split('h')[0] }}", "ware"),
    ("{{ env_var('NAME')[:4] }}", "ware"),
    ("{{ env_var('NAME') if env_var('TRUE') == 'True' else 'x' }}", "warehouse"),
    ("{% if env_var('EMPTY') %}a{% else %}b{% endif %}", "b"),
    ("{{ nothing_of_that_name | default('d') }}", "d"),
    ("{{ var('schema') }}", "analytics"),
    ("{{ var('n') }}", 3),
    ("{{ var('nothing') }}", None),
    ("{{ var('missing', none) }}", None),
    ("{{ var('missing', 'd') }}", "d"),
    ("{{ var('flags')['a'] }}", "b"),
    ("{{ fromjson(env_var('JSON')) }}", {"a": [1, None]}),
    ("{{ fromjson('nonsense', 1) }}", 1),
    ("{{ env_var('DBT_ENV_SECRET_TOKEN') }}", "t0k{{en"),
    ("Bearer {{ env_var('DBT_ENV_SECRET_TOKEN') }}!", "Bearer t0k{{en!"),
    ("{{ env_var('DBT_ENV_SECRET_MISSING', 'x') }}", "x"),
    ("{# a comment #}a", "a"),
    ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ({"a": ["{{ env_var('NAME') }}", {"{{ key }}": "b"}]}, {"a": ["warehouse", {"{{ key }}": "b"}]}),
    ({"password": "p{{w"}, {"password": "p{{w"}),
    ({"password": "p{% w"}, {"password": "p{% w"}),
    ({"password": {"deep": "p{{w"}}, {"password": {"deep": "p{{w"}}),
]


def render(value: object) -> Any:
    return Renderer(ENVIRON, VARIABLES).render(value, "profiles.yml: shop")


@pytest.mark.parametrize(("value", "rendered"), SAME, ids=lambda value: repr(value)[:60])
def test_rendered(value: object, rendered: object) -> None:
    result = render(value)
    assert result == rendered
    assert type(result) is type(rendered)


@pytest.mark.parametrize(("value", "rendered"), SAME, ids=lambda value: repr(value)[:60])
def test_rendered_by_dbt(value: object, rendered: object) -> None:
    """The table is true of dbt-core's own renderer."""
    reason = "needs dbt-core: pip install dbt-core"
    renderer = pytest.importorskip("dbt.config.renderer", reason=reason)
    context = pytest.importorskip("dbt_common.context", reason=reason)
    context.set_invocation_context(ENVIRON)
    assert renderer.ProfileRenderer(dict(VARIABLES)).render_data(value) == rendered


def test_several_secrets_in_one_text() -> None:
    template = "{{ env_var('DBT_ENV_SECRET_TOKEN') }}:{{ env_var('DBT_ENV_SECRET_B') }}"
    assert render(template) == "t0k{{en:b"


def test_no_filter_sees_a_secret() -> None:
    assert "T0K" not in render("{{ env_var('DBT_ENV_SECRET_B') | upper }}")
    assert render("{{ env_var('DBT_ENV_SECRET_TOKEN') | length }}") > 40


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{{ env_var('MISSING') }}", ("profiles.yml: shop: needs the environment variable `MISSING`",)),
        ({"password": "{{ env_var('MISSING') }}"}, ("profiles.yml: shop.password: needs", "`MISSING`")),
        ({"a": ["x", "{{ env_var('M') }}"]}, ("profiles.yml: shop.a.1: needs",)),
        ("{{ env_var('DBT_ENV_SECRET_MISSING') }}", ("`DBT_ENV_SECRET_MISSING`, which is not set",)),
        ("{{ env_var(7) }}", ("environment variable",)),
        ("{{ env_var([]) }}", ("can't be rendered",)),
        ("{{ env_var() }}", ("can't be rendered",)),
        ("{{ var('missing') }}", ("variable `missing`", "--vars")),
        ("{{ nothing_of_that_name }}", ("undefined",)),
        ("a{{ nothing_of_that_name }}", ("undefined",)),
        ("{{ [nothing_of_that_name] }}", ("undefined",)),
        ("{{ env_var }}", ("not called",)),
        ("{{ env_var('NAME') | as_number }}", ("not a number",)),
        ("{{ env_var('TRUE') | as_number }}", ("not a number",)),
        ("{{ env_var('LOWER_TRUE') | as_bool }}", ("`True` or `False`",)),
        ("{{ env_var('PORT') | as_bool }}", ("`True` or `False`",)),
        ("{{ 1 / 0 }}", ("can't be rendered",)),
        ("{{ 1 + 'a' }}", ("can't be rendered",)),
        ("{{ 'a'[5:].x }}", ("getattr",)),
        ("{{ unclosed", ("not a valid template (in its line 1)",)),
        ("a\n{% if %}", ("in its line 2",)),
        ("{{ env_vra('NAME') }}", ("function `env_vra` (did you mean `env_var`?)", "`fromjson`")),
        ("{{ env_var('NAME') | uper }}", ("filter `uper` (did you mean `upper`?)", "`as_number`")),
        ("{{ env_var('NAME').title() }}", ("method `title`", "`split`")),
        (b"bytes", ("neither text",)),
        ({1}, ("neither text",)),
    ],
)  # fmt: skip
def test_an_error(value: object, words: tuple[str, ...]) -> None:
    with pytest.raises(ProfileError) as caught:
        render(value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        # code
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ env_var.__globals__ }}",
        "{{ env_var['__globals__'] }}",
        "{{ (env_var | attr('__globals__')) }}",
        "{{ self.__init__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler('a').next() }}",
        "{{ namespace(a=1) }}",
        "{{ ('a' if 1 else 'b')() }}",
        "{{ 'a'['format']('b') }}",
        "{% import 'x' as y %}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        # endless, or larger than memory
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{{ 'a' * 10000000000 }}",
        "{{ [1] * 10000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ 'a' | indent(1000000000) }}",
        "{{ range(1000000000) | list }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40,
        "{{ 'aaaaaaaaaa'" + " | replace('a', 'aaaaaaaaaa')" * 12 + " }}",
        "{{ 'aaaaaaaaaa'" + ".replace('a', 'aaaaaaaaaa')" * 12 + " }}",
        "{{ 'aaaaaaaaaa'" + ".replace('', 'aaaaaaaaaa')" * 12 + " }}",
        "{{ 1 | round(1000000000, 'ceil') }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "-" * 20000 + "1 }}",
        "{{ " + "not " * 10000 + "1 }}",
        "{{ " + "9" * 5000 + " }}",
        "{% if 1 %}" * 200 + "{% endif %}" * 200,
        "{{ fromjson('" + "[" * 30000 + "') }}",
        "x" * 100_000,
    ],
    ids=lambda template: template[:40],
)
def test_a_hostile_template_is_refused_at_once(template: str) -> None:
    started = time.process_time()
    with pytest.raises(ProfileError):
        render(template)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("text", ["(" * 30_000, "[" * 30_000, "-" * 30_000 + "1", "9" * 30_000, "\\d"])
def test_what_as_native_can_t_evaluate_is_text(text: str) -> None:
    assert Renderer({"X": text}, {}).render("{{ env_var('X') | as_native }}", "") == text


def test_a_tree_that_refers_to_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ProfileError, match="refers to itself"):
        render(loop)


def test_a_tree_of_aliases_is_refused() -> None:
    tree: object = "x"
    for _ in range(30):
        tree = [tree, tree]
    with pytest.raises(ProfileError, match="too many values"):
        render(tree)


def test_a_literal_of_many_values_is_refused() -> None:
    with pytest.raises(ProfileError, match="too many values"):
        render("{{ '[" + "0," * 20_000 + "]' | as_native }}")


def test_an_error_shows_no_value() -> None:
    for template in (
        "{{ env_var('DBT_ENV_SECRET_TOKEN') | as_number }}",
        "{{ env_var('NAME') + 1 }}",
        "s3cret{{",
    ):
        with pytest.raises(ProfileError) as caught:
            render(template)
        assert not any(word in str(caught.value) for word in ("t0k", "warehouse", "s3cret"))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
