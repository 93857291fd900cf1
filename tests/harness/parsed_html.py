"""Parses an HTML page for tests: tags, text and tables."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = frozenset({"meta", "input", "br", "link", "img", "hr", "wbr"})


class Page(HTMLParser):
    """Parses a page. Fails the test if tags are unbalanced.

    `tags`: in order, with their attributes. `raw`: the content of scripts and styles, by tag. `text`: all
    other text. `tables`: rows of cell texts, headers included.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, str] = {}
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"line {self.getpos()[0]}: unexpected end of {tag}"

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in ("script", "style"):
            self.raw[inside] = self.raw.get(inside, "") + data
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data.strip("\n")

    def values(self, *names: str) -> list[str]:
        """All values of the attributes with these names."""
        return [
            value or "" for _, attributes in self.tags for name, value in attributes.items() if name in names
        ]

    def table(self, *head: str) -> list[list[str]]:
        """The rows of the first table whose header begins with these cells."""
        return next(rows[1:] for rows in self.tables if tuple(rows[0][: len(head)]) == head)
