"""Templates of profiles.yml: what dbt renders is rendered the same."""

from __future__ import annotations

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
VARIABLES = {
    "schema": "analytics",
    "n": 3,
    "nothing": None,
    "flags": {"a": "b"},
    "template": "{{ env_var('NAME') }}",
}

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
    ("{% set a = env_var('NAME') %}{{ a }}", "warehouse"),
    ("{% set a %}{{ env_var('NAME') }}0{% endset %}{{ a }}", "warehouse0"),
    ("{% set a %}{{ env_var('PORT') }}{% endset %}{{ a | int + 1 }}", 5433),
    ("{% for a in ['x', 'y'] %}{{ a }}{% endfor %}", "xy"),
    ("{% for a in ['x', 'y'] %}{% if a == 'y' %}{% break %}{% endif %}{{ a }}{% endfor %}", "x"),
    ("{% set a = [] %}{% do a.append('x') %}{{ a[0] }}", "x"),
    ("{{ var('n') * 2 }}", 6),
    ("{{ var('n') ** 2 }}", 9),
    ("{{ var('n') % 2 }}", 1),
    ("{{ '%s_%s' % (env_var('NAME'), 1) }}", "warehouse_1"),
    ("{{ '{}_x'.format(env_var('NAME')) }}", "warehouse_x"),
    ("{{ [env_var('NAME'), 'x'] | join('.') }}", "warehouse.x"),
    ("{{ env_var('NAME') | capitalize }}", "Warehouse"),
    ("{{ env_var('NAME').title() }}", "Warehouse"),
    ("{{ env_var('NAME') | title | indent(2) }}", "Warehouse"),
    ("{{ {'a': 1} | tojson }}", '{"a": 1}'),
    ("{{ tojson({'b': 1, 'a': var('n')}, sort_keys=true) }}", '{"a": 3, "b": 1}'),
    ("{{ fromyaml('a: [1]')['a'][0] }}", 1),
    ("{{ fromyaml('a: [', 'x') }}", "x"),
    ("{{ toyaml({'a': var('n')}) }}", "a: 3\n"),
    ("{{ set([1, 1]) | length }}", 1),
    ("{{ set(1, 'x') }}", "x"),
    ("{{ zip([1, 2], ['a', 'b']) | list | last | last }}", "b"),
    ("{{ log('x') }}{{ env_var('NAME') }}", "warehouse"),
    ("{{ local_md5('x') }}", "9dd4e461268c8034f5c8564e155c67a6"),
    ("{{ modules.datetime.date(2026, 1, 2).isoformat() }}", "2026-01-02"),
    ("{{ modules.datetime.timedelta(days=1).days }}", 1),
    ("{{ modules.re.sub('w.*e$', 'x', env_var('NAME')) }}", "x"),
    ("{{ modules.re.match('(w).*', env_var('NAME'), modules.re.IGNORECASE).group(1) }}", "w"),
    ("{{ modules.pytz.timezone('Europe/Paris').zone }}", "Europe/Paris"),
    ("{{ modules.itertools.chain(['a'], ['b']) | join('-') }}", "a-b"),
    ("{{ range(3) | list | length }}", 3),
    ("{{ var('template') }}", "warehouse"),
    ("{{ var('n') is number }}", True),
    ("{{ [var('n')] | is_list }}", True),
    ("a{{ nothing_of_that_name }}", "a"),
    ("{% if flags.FULL_REFRESH %}a{% else %}b{% endif %}", "b"),
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
        ("{{ [nothing_of_that_name] }}", ("undefined",)),
        ("{{ env_var }}", ("not called",)),
        ("{{ env_var('NAME') | as_number }}", ("not a number",)),
        ("{{ env_var('TRUE') | as_number }}", ("not a number",)),
        ("{{ env_var('LOWER_TRUE') | as_bool }}", ("`True` or `False`",)),
        ("{{ env_var('PORT') | as_bool }}", ("`True` or `False`",)),
        ("{{ 1 / 0 }}", ("can't be rendered",)),
        ("{{ 1 + 'a' }}", ("can't be rendered",)),
        ("{{ unclosed", ("not a valid template (in its line 1)",)),
        ("a\n{% if %}", ("in its line 2",)),
        ("{{ env_vra('NAME') }}", ("can't be rendered",)),
        ("{{ env_var('NAME') | uper }}", ("not a valid template",)),
        ("{{ modules.datetime.date(2026, 1, 2) }}", ("no plain value",)),
        ("{{ modules.os }}", ("`os` is undefined",)),
        ("{{ ''.__class__.__mro__ }}", ("can't be rendered",)),
        (b"bytes", ("neither text",)),
        ({1}, ("neither text",)),
    ],
)  # fmt: skip
def test_an_error(value: object, words: tuple[str, ...]) -> None:
    with pytest.raises(ProfileError) as caught:
        render(value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


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
