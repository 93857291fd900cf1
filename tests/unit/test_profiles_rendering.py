"""Templates in profiles.yml render as in dbt."""

from __future__ import annotations

from typing import Any

import pytest
from harness.templates import ENVIRON, SAME, VARIABLES

from dbt_batch_sync.connections.rendering import Renderer
from dbt_batch_sync.errors import ProfileError


def render(value: object) -> Any:
    return Renderer(ENVIRON, VARIABLES).render(value, "profiles.yml: shop")


@pytest.mark.parametrize(("value", "rendered"), SAME, ids=lambda value: repr(value)[:60])
def test_rendered(value: object, rendered: object) -> None:
    result = render(value)
    assert result == rendered
    assert type(result) is type(rendered)


def test_several_secrets_in_one_text() -> None:
    template = "{{ env_var('DBT_ENV_SECRET_TOKEN') }}:{{ env_var('DBT_ENV_SECRET_B') }}"
    assert render(template) == "t0k{{en:b"


def test_filters_never_see_secrets() -> None:
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
