"""`init`: puts the macros where the user's dbt finds them. Nothing of the user's is overwritten."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from dbt_batch_sync import __version__
from dbt_batch_sync.connections.documents import read_yaml
from dbt_batch_sync.connections.outputs import PROFILE_YAML
from dbt_batch_sync.errors import ConfigurationError

PACKAGE = "dbt_batch_sync"
COPY = Path("packages") / PACKAGE
"""Where the copy of the macros goes, relative to the project; dbt parses nothing there by itself."""

META_YAML = """\
models:
  - name: crm_contacts            # a model of yours
    config:
      meta:
        batch_sync:
          identifier: customer_id
          standard:
            email_address: email
          custom: [loyalty_points]
"""
"""The smallest mapping that does something."""


@dataclass(frozen=True)
class Installed:
    """What was done, a sentence each, and what the user has to add: `by_hand` to the packages in `file`, if
    it is not one that lines can be put into.
    """

    done: tuple[str, ...]
    file: str
    by_hand: str | None = None
    profile_yaml: str = PROFILE_YAML
    meta_yaml: str = META_YAML


def package_root() -> Path:
    """The directory of the installed `macros/`, `dbt_project.yml` and `models_example/`.

    A wheel carries them; an editable installation has them at the root of the repository.
    """
    carried = Path(__file__).parents[1] / "package"
    return carried if carried.is_dir() else Path(__file__).parents[2]


def copy_package(project_dir: Path) -> Path:
    """Copies the macros into the project, or renews the copy; returns its directory."""
    source, target = package_root(), project_dir / COPY
    if target.exists() and not _is_copy(target):
        raise ConfigurationError(
            f"{target} is in the way: it is no copy of the package's macros. Move it, and run init again"
        )
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copytree(source / "macros", target / "macros")
    shutil.copy2(source / "dbt_project.yml", target / "dbt_project.yml")
    return target


def init(project_dir: Path, git: str | None = None, revision: str | None = None) -> Installed:
    """Adds the package to the project's packages: a copy of the installed macros, or a git revision.

    They are listed in `dependencies.yml` if that has packages (dbt takes one of the two files), else in
    `packages.yml`. Running it again renews the copy and adds nothing twice.
    """
    done: list[str] = []
    if git is None:
        copy_package(project_dir)
        done.append(f"copied the macros of version {__version__} to {COPY.as_posix()}/")
        entry = {"local": COPY.as_posix()}
    else:
        entry = {"git": git, "revision": revision or f"v{__version__}"}
    path = project_dir / "dependencies.yml"
    if _packages(path) is None:
        path = project_dir / "packages.yml"
    listed, key = _packages(path) or [], next(iter(entry))
    if any(each.get(key) == entry[key] for each in listed):
        done.append(f"{path.name} already lists them: left as it is")
        return Installed(tuple(done), path.name)
    lines = yaml.safe_dump([entry], sort_keys=False).splitlines()
    text = _with_lines(path, lines)
    if _listed(text) != [entry, *listed]:
        return Installed(tuple(done), path.name, "".join(f"  {line}\n" for line in lines))
    path.write_bytes(text.encode())
    done.append(f"added `{entry[key]}` to {path.name}")
    return Installed(tuple(done), path.name)


def _is_copy(directory: Path) -> bool:
    project = directory / "dbt_project.yml"
    if not project.is_file():
        return not any(directory.iterdir())
    raw = read_yaml(project)
    return isinstance(raw, dict) and raw.get("name") == PACKAGE


def _packages(path: Path) -> list[dict[str, object]] | None:
    """The packages that a file lists; None if there is no such file, or it lists none."""
    return _listed(path.read_bytes().decode()) if path.is_file() else None


def _listed(text: str) -> list[dict[str, object]] | None:
    try:
        raw = yaml.safe_load(text.removeprefix("\ufeff"))
    except yaml.YAMLError:
        return None
    packages = raw.get("packages") if isinstance(raw, dict) else None
    return packages if isinstance(packages, list) else None


def _with_lines(path: Path, lines: list[str]) -> str:
    """The file's text with one more entry where a list of lines has its first, all else as it was. The caller
    looks whether YAML reads it so.
    """
    text = path.read_bytes().decode() if path.is_file() else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    if "packages" not in text:
        text = f"{text.rstrip()}{newline}packages:{newline}".lstrip()
    head = re.search(r"""^\ufeff?(['"]?)packages\1\s*:[ \t]*(#.*)?\r?\n""", text, re.MULTILINE)
    at = head.end() if head else len(text)
    following = re.search(r"^([ \t]*)-", text[at:], re.MULTILINE)
    indent = following[1] if following else "  "
    return text[:at] + "".join(f"{indent}{line}{newline}" for line in lines) + text[at:]
