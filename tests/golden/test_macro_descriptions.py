"""`macros/_macros.yml` describes every macro and argument, with dbt's type names."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from dbt.parser.schemas import is_valid_type
from harness.dbt_macros import ROOT
from harness.goldens import DIALECTS

DESCRIBED: list[dict[str, Any]] = yaml.safe_load((ROOT / "macros" / "_macros.yml").read_text("utf-8"))[
    "macros"
]


def written() -> dict[str, list[str]]:
    """The arguments of every macro and test, except dispatched implementations."""
    found = {}
    for path in (ROOT / "macros").rglob("*.sql"):
        definitions = re.findall(r"{%-?\s*(macro|test) (\w+)\(([^)]*)\)", path.read_text("utf-8"))
        for kind, name, arguments in definitions:
            if name.split("__")[0] not in (*DIALECTS, "default"):
                names = [argument.split("=")[0].strip() for argument in arguments.split(",") if argument]
                found[name if kind == "macro" else f"test_{name}"] = names
    return found


def test_every_macro_is_described_once() -> None:
    named = [macro["name"] for macro in DESCRIBED]
    assert sorted(named) == sorted(written())


@pytest.mark.parametrize("macro", DESCRIBED, ids=lambda macro: macro["name"])
def test_a_macro_and_its_arguments_are_described(macro: dict[str, Any]) -> None:
    arguments = macro.get("arguments", [])
    assert [argument["name"] for argument in arguments] == written()[macro["name"]]
    assert all(described["description"].endswith(".") for described in (macro, *arguments))
    assert all(is_valid_type(argument["type"]) for argument in arguments)


def test_dbt_checks_types() -> None:
    assert not is_valid_type("sql")
