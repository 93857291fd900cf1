"""A MkDocs hook: adds the start page, pages from elsewhere in the repository, and three generated reference
pages: the help of every verb, the sandbox's settings and the Python API.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click
from typer.main import get_command
from typer.models import Context

from dbt_batch_sync import __version__
from dbt_batch_sync.cli.app import app
from dbt_batch_sync.sandbox.knobs import KNOBS, changeable
from dbt_batch_sync.sandbox.settings import SandboxSettings

ROOT = Path(__file__).parents[1]

PYTHON = """# From Python

The names in `dbt_batch_sync.api`. [An example](commands.md#from-python).

::: dbt_batch_sync.api

::: dbt_batch_sync.results
"""

PLACES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "models_example/README.md": "example.md",
}
"""Files outside docs/ that become pages, with their page names."""


def settings() -> str:
    """A page of the sandbox's settings: a table per group."""
    defaults = changeable(SandboxSettings())
    lines = ["# Sandbox settings", "", "[How to change them](sandbox.md#settings)."]
    for group in dict.fromkeys(knob.group for knob in KNOBS.values()):
        lines += [
            "",
            f"## {group}",
            "",
            "| Setting | Default | Accepted | Description |",
            "|---|---|---|---|",
        ]
        for knob in (each for each in KNOBS.values() if each.group == group):
            default = defaults[knob.name]
            shown = (
                (default or "none")
                if knob.kind in ("texts", "text")
                else json.dumps(default).removesuffix(".0")
            )
            accepted = knob.accepted.removeprefix("one of ")
            lines.append(f"| `{knob.name}` | {str(shown).strip(chr(34))} | {accepted} | {knob.help} |")
    return "\n".join(lines) + "\n"


def on_config(config: Any) -> Any:
    """Set the version in the footer and add the kinds' pages to the navigation, profiles first."""
    config.copyright = f"Version {__version__} · Apache-2.0 · Not made by Batch"
    if os.environ.get("REPOSITORY_URL"):
        config.edit_uri = "edit/main/docs/"  # the default is another branch
    pages = sorted((ROOT / "docs/kinds").glob("*.md"), key=lambda page: (page.stem != "profiles", page.stem))
    kinds = [{page.stem.capitalize(): f"kinds/{page.name}"} for page in pages]
    for section in config.nav:
        for entry in next(iter(section.values())):
            if isinstance(entry, dict) and "Kinds" in entry:
                entry["Kinds"] = kinds
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside docs/."""
    command = get_command(app)
    verbs = get_docs_for_click(
        obj=command, ctx=Context(command), name="dbt-batch-sync", title="Help of every verb"
    )
    pages = {
        "index.md": (ROOT / ".ci/start.md").read_text(encoding="utf-8"),
        "help.md": re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", verbs),
        "python.md": PYTHON,
        "settings.md": settings(),
    }
    for source, place in PLACES.items():
        if place not in pages:
            text = (ROOT / source).read_text(encoding="utf-8")
            pages[place] = re.sub(r"\]\((?:\.\./)?docs/", "](", text)
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to files outside docs/ at their pages or turn them into text; reduce code fences to their
    language.
    """
    up = "../" * page.file.src_uri.count("/")

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        source = re.sub(r"^(\.\./)+", "", target)
        if source in PLACES and (target.startswith("../") or page.file.src_uri in PLACES.values()):
            return f"[{words}]({up}{PLACES[source]}{anchor if source != 'README.md' else ''})"
        outside = source.startswith(
            ("models_example", "profiles.yml", "LICENSE", "CODE_OF_CONDUCT", "tests/")
        )
        return words if outside else found[0]

    markdown = re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]*)(#[^)\s]*)?\)", link, markdown)
    return re.sub(r"^```(\w+) \S.*$", r"```\1", markdown, flags=re.MULTILINE)
