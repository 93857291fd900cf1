"""The docs as a site: tests of the built pages, not of their source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from harness.project import ROOT
from harness.site import build_site
from typer.core import TyperGroup
from typer.main import get_command

from dbt_batch_sync import __version__
from dbt_batch_sync.cli.app import app
from dbt_batch_sync.sandbox.knobs import KNOBS

REPOSITORY = "https://github.com/example/dbt-batch-sync"


@dataclass
class Page(HTMLParser):
    """The links and images of a page's article. `loaded`: what the whole page requests."""

    path: Path
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    headings: list[str] = field(default_factory=list)
    prose: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._within: list[str] = []
        self._article = False
        self.html = self.path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "article":
            self._article = True
        if tag in ("script", "img") and "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon"):
            self.loaded.append(given["href"])
        if tag == "a" and self._article and "href" in given:
            self.links.append(given["href"])
        if tag in ("pre", "code", "script", "style"):
            self._within.append(tag)
        if self._article and tag in ("h1", "h2"):
            self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._article = False
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._article and not self._within:
            self.prose += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"), REPOSITORY)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """The pages by path in the site."""
    found = (path for path in site.rglob("*.html") if path.name != "404.html")
    return {str(path.relative_to(site)): Page(path) for path in found}


def test_pages_link_to_the_repository_and_their_source(pages: dict[str, Page]) -> None:
    edit = {
        "tutorial.html": "tutorial.md",
        "kinds/events.html": "kinds/events.md",
        "migrate/index.html": "migrate/README.md",
    }
    for page, source in edit.items():
        assert f'href="{REPOSITORY}/edit/main/docs/{source}"' in pages[page].html
        assert f'href="{REPOSITORY}"' in pages[page].html, "the link to the repository is missing"
    assert "/edit/" not in pages["contributing.html"].html, "its source is outside docs/"


def test_every_page_is_built(pages: dict[str, Page]) -> None:
    sources = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    built = {
        re.sub(r"(README)?\.md$", lambda end: "index.html" if end[1] else ".html", name) for name in sources
    }
    assert built - set(pages) == set()
    assert {"index.html", "help.html", "python.html", "contributing.html", "changelog.html"} <= set(pages)


def test_the_help_of_every_verb(pages: dict[str, Page]) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    text = pages["help.html"].html
    for verb, command in group.commands.items():
        _, found, section = text.partition(f">dbt-batch-sync {verb}<")
        section = section.partition("<h2")[0]
        assert found, verb
        for option in command.params:
            assert all(name in section for name in option.opts if name.startswith("--")), (verb, option.opts)


def test_the_settings_of_the_sandbox(pages: dict[str, Page]) -> None:
    text = unescape(pages["settings.html"].html)
    for knob in KNOBS.values():
        assert f"<code>{knob.name}</code>" in text
        assert f"<td>{knob.help}</td>" in text


def test_markdown_is_rendered(pages: dict[str, Page]) -> None:
    """A comment in a code block is no heading, and code fences don't show."""
    for name, page in pages.items():
        assert page.headings.count("h1") == 1, name
        assert "```" not in page.prose, name
        assert not re.search(r"\]\(|^\| ?---|<!-- checked", page.prose, re.MULTILINE), name


def test_links_work(site: Path, pages: dict[str, Page]) -> None:
    assert [broken for name, page in pages.items() for broken in _broken(site, pages, name, page)] == []


def _broken(site: Path, pages: dict[str, Page], name: str, page: Page) -> Iterator[str]:
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        if not path.is_file():
            yield f"{name}: {link}"
        elif anchor and path.suffix == ".html":
            other = pages[str(path.relative_to(site.resolve()))] if target else page
            if anchor not in other.anchors:
                yield f"{name}: {link}"


def test_nothing_is_loaded_from_elsewhere(pages: dict[str, Page]) -> None:
    found = {f"{name}: {each}" for name, page in pages.items() for each in page.loaded}
    assert {each for each in found if re.search(r": (https?:)?//", each)} == set()


def test_search_next_page_and_version(site: Path, pages: dict[str, Page]) -> None:
    entries = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    assert any("never_resubscribe" in each["text"] for each in entries)
    tutorial = pages["tutorial.html"].html
    for part in ("md-footer__link--prev", "md-footer__link--next", f"Version {__version__}", "__palette_2"):
        assert part in tutorial
    assert '"provider": "mike"' in tutorial, "the version selector is missing"
