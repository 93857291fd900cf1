"""The texts of the code and the docs: terms, phrases and the length of sentences. Part of `make lint`.

codespell checks the docs for the terms in `.ci/terms.txt`; this does so for the texts of the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERMS = dict(
    line.split("->") for line in (ROOT / ".ci/terms.txt").read_text(encoding="utf-8").splitlines() if line
)
NOT_SAID = re.compile(
    r"goes on behind|holds up nothing|stands? refused|refusals stand|is none that|with no value of|"
    r"says? so many|so many rows|leave the guards out|everything is as it should|ended without a word|"
    r"who it is|in the same words|at once an error|is no (YAML|JSON|number|text)\b|that is to say|what of it|"
    r"\bso as to\b|held against|can vouch|took with it|\btaken for\b|\bby itself\b|\bof (its|their) own\b|"
    r"as far as we know|a dead one|describes another Batch",
    re.IGNORECASE,
)
"""Phrases that are not idiomatic English. Each has occurred in the project."""


def texts(source: str, *, docstrings: bool) -> Iterator[tuple[int, str]]:
    """String constants of more than one word, with their lines."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or (id(node) in statements and not docstrings):
            continue
        if isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("part", sorted(path.name for path in (ROOT / "dbt_batch_sync").iterdir()))
def test_the_texts_of_the_code(part: str) -> None:
    place = ROOT / "dbt_batch_sync" / part
    paths = [place] if place.suffix == ".py" else sorted(place.rglob("*.py"))
    found = []
    for path in paths:
        for line, text in texts(path.read_text(encoding="utf-8"), docstrings=part == "cli"):
            wrong = {word: TERMS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in TERMS}
            said = NOT_SAID.search(text)
            if wrong or said:
                found.append(f"{path.relative_to(ROOT)}:{line}: {wrong or said}")
    assert found == []


DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models_example/*.md")])
MOST_WORDS = 35
OF_SEGMENTS = {"docs/migrate/dinmo.md"}
"""Pages about other tools, in which a segment is what that tool calls so. Ours is a sync."""


def test_the_phrases_of_the_docs() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {said[0]}"
        for path in [*DOCS, *ROOT.glob("macros/**/*.yml")]
        if (said := NOT_SAID.search(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def sentences(text: str) -> Iterator[str]:
    """The sentences outside code blocks, tables and benchmarks. A link or a piece of code is one word."""
    text = re.sub(
        r"^```.*?^```$|<!-- benchmark.*?end of benchmark -->", "", text, flags=re.MULTILINE | re.DOTALL
    )
    text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "x", text)
    for paragraph in re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", text):
        yield from re.split(r"(?<=[.!?:;])\s", " ".join(paragraph.split()))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [each for each in sentences(text) if len(each.split()) > MOST_WORDS] == []
    if str(path.relative_to(ROOT)) not in OF_SEGMENTS:
        assert not re.search(r"\bsegments?\b", text, re.IGNORECASE), "a dbt model that is sent is a sync"
