"""A hook of MkDocs: README.md is the front page, links to what the site does not have become text, and two
pages of reference are made of the code: the help of every verb, and the Python API.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click
from typer.main import get_command
from typer.models import Context

from dbt_batch_sync.cli.app import app

ROOT = Path(__file__).parents[1]

PYTHON = """# From Python

What `from dbt_batch_sync.api import …` has. [An example](commands.md#from-python).

::: dbt_batch_sync.api

::: dbt_batch_sync.results
"""


def on_files(files: Files, config: Any) -> Files:
    """Adds the front page, with links as they are from within docs/, and the reference."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = re.sub(r"\]\(docs/", "](", readme)
    # Files that the site does not have are named, not linked.
    readme = re.sub(
        r"\[([^\]]+)\]\((?!https?:|#)([^)]*(?<!\.md)(?<!\.svg)|[A-Z]+\.md|models_example/[^)]*)\)",
        r"\1",
        readme,
    )
    command = get_command(app)
    verbs = get_docs_for_click(
        obj=command, ctx=Context(command), name="dbt-batch-sync", title="Help of every verb"
    )
    verbs = re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", verbs)
    for name, content in (("index.md", readme), ("help.md", verbs), ("python.md", PYTHON)):
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links from a page to the README lead to the front page; the info of a fence is its language alone."""
    markdown = re.sub(r"\]\((?:\.\./)+README\.md", "](index.md", markdown)
    return re.sub(r"^```(\w+) runnable$", r"```\1", markdown, flags=re.MULTILINE)
