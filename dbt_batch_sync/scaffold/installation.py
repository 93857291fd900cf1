"""`init`: puts the macros where the user's dbt finds them. Overwrites none of the user's files."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dbt_batch_sync import __version__
from dbt_batch_sync.connections.profiles import read_yaml
from dbt_batch_sync.errors import ConfigurationError, ProfileError

PACKAGE = "dbt_batch_sync"
COPY = Path("packages") / PACKAGE
"""The directory of the copied macros, relative to the project. dbt doesn't parse it unless it is a package.
"""

META_YAML = """\
models:
  - name: crm_contacts            # a model of yours
    config:
      meta:
        batch_sync:               # of profiles; other kinds: audience, events, catalog, deletions
          identifier: customer_id
          standard:
            email_address: email
          custom: [loyalty_points]
"""
"""The smallest useful mapping."""


@dataclass(frozen=True)
class Installed:
    """What was done, one sentence each, and what the user must add: `by_hand` to the packages in `file`, if
    the file can't be edited.
    """

    done: tuple[str, ...]
    file: str
    by_hand: str | None = None


def package_root() -> Path:
    """The directory of the installed `macros/`, `dbt_project.yml` and `models_example/`.

    A wheel contains them; an editable installation has them in the repository's root.
    """
    carried = Path(__file__).parents[1] / "package"
    return carried if carried.is_dir() else Path(__file__).parents[2]


def copy_package(project_dir: Path) -> Path:
    """Copies the macros into the project, or renews the copy. Returns its directory."""
    source, target = package_root(), project_dir / COPY
    if target.exists() and not _is_copy(target):
        raise ConfigurationError(
            f"{target} exists and is not a copy of the package's macros. Move it, and run init again"
        )
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copytree(source / "macros", target / "macros")
    shutil.copy2(source / "dbt_project.yml", target / "dbt_project.yml")
    return target


def init(project_dir: Path, git: str | None = None, revision: str | None = None) -> Installed:
    """Adds the package to the project's packages: a copy of the installed macros, or a git revision.

    Packages are in `dependencies.yml` if it has any (dbt accepts only one of the two files), otherwise in
    `packages.yml`. Running it again renews the copy and adds nothing twice. Raises ConfigurationError if no
    revision is given, and the repository has no tag of this version.
    """
    done: list[str] = []
    if git is None:
        copy_package(project_dir)
        done.append(f"copied the macros of version {__version__} to {COPY.as_posix()}/")
        entry = {"local": COPY.as_posix()}
    else:
        entry = {"git": git, "revision": revision or _tag_of_this_version(git)}
    path = project_dir / "dependencies.yml"
    if "packages" not in _load(path):  # an empty key counts
        path = project_dir / "packages.yml"
    found = _load(path).get("packages")
    listed = found if isinstance(found, list) else []
    ours = next((each for each in listed if _is_ours(each, entry, project_dir)), None)
    by_hand = None
    if ours == entry:
        done.append(f"{path.name} already lists them: left as it is")
    elif (text := _with_entry(path, entry, ours)) is None:
        by_hand = indent(yaml.safe_dump([entry], sort_keys=False), "  ")
    else:
        path.write_bytes(text.encode())
        shown = next(iter(entry.values()))
        done.append(f"added `{shown}` to {path.name}" + (" in place of the other entry" if ours else ""))
    return Installed(tuple(done), path.name, by_hand)


def _tag_of_this_version(repository: str) -> str:
    """The tag, unless git says that the repository does not have it."""
    tag = f"v{__version__}"
    command = ["git", "ls-remote", "--exit-code", "--tags", "--", repository, tag]
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        asked = subprocess.run(  # noqa: S603 - the user's own repository, without a shell
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return tag
    if asked.returncode == 2:  # it answered, and nothing matches
        raise ConfigurationError(
            f"--git: the repository has no tag {tag}. Choose a tag or commit of version {__version__} with "
            f"--revision, or leave out --git to copy the macros"
        )
    return tag


def _is_copy(directory: Path) -> bool:
    project = directory / "dbt_project.yml"
    return _load(project).get("name") == PACKAGE if project.is_file() else not any(directory.iterdir())


def _load(path: Path) -> dict[str, Any]:
    """The contents of a file of packages; empty if there is none, or if dbt can't read it either."""
    try:
        raw = read_yaml(path) if path.is_file() else None
    except ProfileError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _is_ours(listed: object, entry: Mapping[str, str], project_dir: Path) -> bool:
    """Whether an entry is this package: the one to add, a local copy, or a repository of its name."""
    if not isinstance(listed, dict):
        return False
    local, remote = listed.get("local"), str(listed.get("git") or listed.get("package") or "")
    if isinstance(local, str):
        return _load(project_dir / local / "dbt_project.yml").get("name") == PACKAGE
    named = remote.rpartition("/")[2].removesuffix(".git").replace("-", "_") == PACKAGE
    return named or remote == entry.get("git")


def _with_entry(path: Path, entry: Mapping[str, str], ours: object) -> str | None:
    """The file's text with one more entry, at the front or in place of `ours`, and otherwise unchanged; None
    if that is impossible, for example if a template generates the list.
    """
    try:
        text = path.read_bytes().decode() if path.is_file() else ""
    except UnicodeDecodeError:
        return None
    bom, newline = "\ufeff" * text.startswith("\ufeff"), "\r\n" if "\r\n" in text else "\n"
    plain = text.removeprefix(bom).replace("\r\n", "\n")
    if not any(line.partition("#")[0].strip() for line in plain.splitlines()):
        plain += "packages: []\n"
    dashes = re.search(r"^( *)-( +)", plain, re.MULTILINE)
    before, behind = (len(dashes[1]), len(dashes[2])) if dashes else (2, 1)
    editor, written = YAML(), io.StringIO()
    editor.preserve_quotes, editor.width = True, 10_000
    editor.indent(mapping=2, sequence=before + 1 + behind, offset=before)
    try:
        document = editor.load(plain)
        packages = document["packages"] = document.get("packages") or []
        if ours in packages:
            packages[packages.index(ours)] = dict(entry)
        else:
            packages.insert(0, dict(entry))
        editor.dump(document, written)
    except (YAMLError, AttributeError, TypeError):
        return None
    return bom + written.getvalue().replace("\n", newline)
