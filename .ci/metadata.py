"""A Hatchling hook for the page on the package index. With REPOSITORY_URL in the environment, the README's
relative links point to that repository at this version's tag, and the project has URLs. Without it, links
become text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

URLS = {
    "Homepage": "",
    "Documentation": "/tree/{tag}/docs",
    "Source": "",
    "Issues": "/issues",
    "Changelog": "/blob/{tag}/CHANGELOG.md",
}


def readme(text: str, repository: str, tag: str) -> str:
    """The README with absolute links; without a repository, with text instead of links and images."""

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        if re.match(r"https?:|#", target):
            return found[0]
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/{tag}/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", link, text)


class MetadataHook(MetadataHookInterface):
    """Sets `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        repository, tag = os.environ.get("REPOSITORY_URL", "").rstrip("/"), f"v{metadata['version']}"
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": readme(text, repository, tag)}
        if repository:
            metadata["urls"] = {name: repository + path.format(tag=tag) for name, path in URLS.items()}
