"""What the tests of the orchestrators push: a segment of a few people, and the examples of the docs."""

from __future__ import annotations

from collections.abc import Mapping

from harness.markdown import read
from harness.project import PEOPLE, Project

DOCS = "docs/orchestrators.md"
DIRECTORY = "/opt/shop"
"""The project's in the examples."""

CALL = 200
"""Operations of a call to `update`."""

GOOD = "ada@example.com"
WRONG = "nobody"
"""No e-mail address: it is withheld, and makes the push partial."""


def prepare(
    project: Project, *emails: str, segment: str = PEOPLE, build: bool = True, **mapping: object
) -> None:
    """A segment with a person for each e-mail address, and its delta."""
    whole: Mapping[str, object] = {"identifier": "id", "standard": {"email_address": "email"}, **mapping}
    rows = [{"id": f"{segment}-{n:05}", "email": email} for n, email in enumerate(emails)]
    project.map(whole, segment)
    project.set_rows({"id": "varchar", "email": "varchar"}, rows, segment)
    if build:
        project.build()


def example(info: str, project: Project) -> str:
    """The one block of this kind in the docs, for this project."""
    (text,) = [block.text for block in read(DOCS).blocks if block.info == info]
    assert DIRECTORY in text
    return text.replace(DIRECTORY, str(project.directory))
