"""Parses the repository's Markdown: headings, fenced blocks and tables, as far as the docs use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.project import ROOT

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<level>#{1,6}) (?P<title>.+)$", re.MULTILINE)
_MARK = "<!-- checked: {} -->\n"


@dataclass(frozen=True)
class Block:
    """A fenced block. `info` is the text after the fence, such as `shell runnable`."""

    info: str
    text: str


@dataclass(frozen=True)
class Document:
    """A Markdown file. `name` is its path in the repository."""

    name: str
    text: str

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The fenced blocks, in order."""
        return tuple(Block(found["info"].strip(), found["text"]) for found in _FENCE.finditer(self.text))

    @property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings, as written."""
        return tuple(found["title"] for found in _HEADING.finditer(self.prose))

    def section(self, title: str) -> Document:
        """The text under a heading, up to the next heading of the same or a higher level. Fails if there is
        none.
        """
        fences = [found.span() for found in _FENCE.finditer(self.text)]
        headings = [
            found
            for found in _HEADING.finditer(self.text)
            if not any(start <= found.start() < end for start, end in fences)
        ]
        for at, heading in enumerate(headings):
            if heading["title"] == title:
                depth = len(heading["level"])
                ends = (h.start() for h in headings[at + 1 :] if len(h["level"]) <= depth)
                return Document(
                    f"{self.name}: {title}", self.text[heading.end() : next(ends, len(self.text))]
                )
        raise AssertionError(
            f"{self.name} has no section `{title}`. Its sections: {', '.join(self.headings)}"
        )

    def table(self, mark: str | None = None) -> tuple[tuple[str, ...], ...]:
        """The cells of the first table, or of the one after `<!-- checked: mark -->`, without the header."""
        _, found, rest = self.text.partition(_MARK.format(mark)) if mark else ("", "|", self.text)
        assert found, f"{self.name} has no table marked `{mark}`"
        rows = list(_rows(rest))
        assert len(rows) > 2, f"{self.name} has no table"
        return tuple(rows[2:])


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    """The rows of the first table in a text."""
    begun = False
    for line in text.splitlines():
        if line.startswith("|"):
            begun = True
            yield tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        elif begun:
            return


def codes(cell: str) -> tuple[str, ...]:
    """The code spans of a cell."""
    return tuple(re.findall(r"`([^`]+)`", cell))


def read(name: str) -> Document:
    """A file of the repository."""
    return Document(name, (ROOT / name).read_text(encoding="utf-8"))


def documents() -> tuple[Document, ...]:
    """The project's Markdown files: at the root, in `docs` and in the example."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models_example/*.md")]
    return tuple(read(str(path.relative_to(ROOT))) for path in sorted(paths))


def anchors(document: Document) -> set[str]:
    """The document's link targets, as GitHub derives them from headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in document.headings}


def links(document: Document) -> Iterator[tuple[Path, str]]:
    """The files that a document links to or embeds, with the anchors. External links are ignored."""
    for target in re.findall(r"\]\(([^)\s]+)\)|src(?:set)?=\"([^\"]+)\"", document.prose):
        address = target[0] or target[1]
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = address.partition("#")
        base = ROOT / document.name
        yield (base.parent / path if path else base), anchor
