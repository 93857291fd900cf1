"""A hook of MkDocs: README.md is the front page, and what is outside of docs/ is linked in the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: Any) -> Files:
    """Adds the front page, with links as they are from within docs/."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = re.sub(r"\]\(docs/", "](", readme)
    # Files that the site does not have are named, not linked.
    readme = re.sub(
        r"\[([^\]]+)\]\((?!https?:|#)([^)]*(?<!\.md)(?<!\.svg)|[A-Z]+\.md|models_example/[^)]*)\)",
        r"\1",
        readme,
    )
    files.append(File.generated(config, "index.md", content=readme))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links from a page to the README lead to the front page; the info of a fence is its language alone."""
    markdown = re.sub(r"\]\((?:\.\./)+README\.md", "](index.md", markdown)
    return re.sub(r"^```(\w+) runnable$", r"```\1", markdown, flags=re.MULTILINE)
