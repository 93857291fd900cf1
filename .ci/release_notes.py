"""Prints the section of CHANGELOG.md for a tag. Fails unless the tag, the package, the macros and the
changelog have the same version.

Run as `python .ci/release_notes.py v0.1.0`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS = {
    "dbt_batch_sync/__init__.py": r'^__version__ = "(.+)"$',
    "dbt_project.yml": r"^version: (.+)$",
    "macros/version.sql": r"return\('(.+)'\)",
}
"""Where the version is written."""


def versions() -> dict[str, str]:
    """The version in each file, or '' if it isn't found."""
    found = {}
    for name, pattern in VERSIONS.items():
        match = re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        found[name] = match[1] if match else ""
    return found


def notes(version: str) -> str:
    """The section of a version without its heading, or '' if there is none with a date."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    head = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    found = re.search(rf"{head}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def main(tag: str) -> int:
    version, found = tag.removeprefix("v"), versions()
    wrong = [
        f"{name} has version {each}, the tag is {tag}" for name, each in found.items() if each != version
    ]
    if not notes(version):
        wrong.append(f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`")
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    sys.stdout.write("" if wrong else notes(version) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
