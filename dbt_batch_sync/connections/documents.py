"""Reads YAML files that anybody may have written: bounded in size, depth and expansion, and without code."""

from __future__ import annotations

from pathlib import Path

import yaml

from dbt_batch_sync.errors import ProfileError

MAX_YAML_BYTES = 1024 * 1024
MAX_NODES = 50_000
MAX_ALIASES = 1_000
MAX_DEPTH = 50
MAX_MERGED = 5_000
"""Keys of one mapping after its merges (`<<`): a chain of merges otherwise doubles them at every step."""


class _TooMuch(yaml.YAMLError):
    """The document is well-formed, but larger than anything a person writes."""


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also counts: aliases and merges make large documents of small files."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.nodes = self.aliases = self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.nodes += 1
        self.aliases += self.check_event(yaml.AliasEvent)
        self.depth += 1
        if self.nodes > MAX_NODES or self.aliases > MAX_ALIASES or self.depth > MAX_DEPTH:
            raise _TooMuch
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_MERGED:
            raise _TooMuch


def read_yaml(path: Path) -> object:
    """The file's only document as plain data; None if it is empty.

    Raises:
        ProfileError: it can't be read. The message has the line, never the text: it may be a secret.
    """
    try:
        return yaml.load(_read_text(path), _BoundedLoader)  # noqa: S506 - a SafeLoader
    except _TooMuch:
        raise ProfileError(f"{path}: is nested too deeply, or has too many entries or aliases") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ProfileError(f"{path}: {line}is not valid YAML") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # What PyYAML's constructors raise for a date in month 13, a tag on the wrong kind of value, …
        raise ProfileError(f"{path}: is not valid YAML") from None


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise ProfileError(f"{path}: is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_YAML_BYTES + 1)
    except OSError as error:
        raise ProfileError(f"{path}: can't be read: {error.strerror}") from None
    if len(content) > MAX_YAML_BYTES:
        raise ProfileError(f"{path}: is larger than {MAX_YAML_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: is not UTF-8 text") from None
