"""A page as a test reads it: its tags, its text, its tables."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = frozenset({"meta", "input", "br", "link", "img", "hr"})


class Page(HTMLParser):
    """Parses a page; fails the test when a tag is not closed where it should be.

    `tags` are in their order with their attributes; `raw` is what is inside scripts and styles, by tag;
    `text` is all other text; `tables` are the texts of rows of cells, the heads included.
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
        assert self._open.pop() == tag, f"{tag} ends out of turn, line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in ("script", "style"):
            self.raw[inside] = self.raw.get(inside, "") + data
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data.strip("\n")

    def values(self, *names: str) -> list[str]:
        """The values of attributes of those names, wherever they are."""
        return [
            value or "" for _, attributes in self.tags for name, value in attributes.items() if name in names
        ]

    def table(self, *head: str) -> list[list[str]]:
        """The rows under the first head that begins with these cells."""
        return next(rows[1:] for rows in self.tables if tuple(rows[0][: len(head)]) == head)
