"""`init`: puts the macros where the user's dbt finds them. Nothing of the user's is overwritten."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

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
    """What was done, a sentence each, and what the user has to add."""

    done: tuple[str, ...]
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
    """Adds the package to `packages.yml`: a copy of the installed macros, or a git revision.

    Running it again renews the copy and adds nothing twice. Raises ConfigurationError when `packages.yml` is
    not one that can be added to; it says which lines to add by hand.
    """
    done: list[str] = []
    if git is None:
        copy_package(project_dir)
        done.append(f"copied the macros of version {__version__} to {COPY.as_posix()}/")
        entry = [f"local: {COPY.as_posix()}"]
    else:
        entry = [f'git: "{git}"', f"revision: {revision or 'v' + __version__}"]
    path = project_dir / "packages.yml"
    if _lists_package(path, entry[0]):
        done.append("packages.yml already lists them: left as it is")
    else:
        path.write_text(_with_entry(path, entry), encoding="utf-8")
        done.append(f"added `{entry[0]}` to packages.yml")
    return Installed(tuple(done))


def _is_copy(directory: Path) -> bool:
    project = directory / "dbt_project.yml"
    if not project.is_file():
        return not any(directory.iterdir())
    raw = read_yaml(project)
    return isinstance(raw, dict) and raw.get("name") == PACKAGE


def _lists_package(path: Path, entry: str) -> bool:
    if not path.is_file():
        return False
    raw = read_yaml(path)
    packages = raw.get("packages") if isinstance(raw, dict) else None
    key, _, value = entry.partition(": ")
    wanted = value.strip('"')
    return any(isinstance(each, dict) and each.get(key) == wanted for each in packages or ())


def _with_entry(path: Path, entry: list[str]) -> str:
    """The file's text with one more entry, every other character as it was."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    at = next((n for n, line in enumerate(lines) if re.fullmatch(r"packages:\s*(#.*)?", line)), None)
    if at is None:
        if any(re.match(r"packages\s*:", line) for line in lines):
            written = "\n".join(f"  {'- ' if not n else '  '}{part}" for n, part in enumerate(entry))
            raise ConfigurationError(
                f"{path} lists its packages in one line. Add this to them yourself:\n{written}"
            )
        lines, at = [*lines, "packages:"], len(lines)
    following = next((line for line in lines[at + 1 :] if line.strip().startswith("-")), "  -")
    indent = following[: len(following) - len(following.lstrip())]
    added = [f"{indent}{'- ' if not n else '  '}{part}" for n, part in enumerate(entry)]
    return "\n".join([*lines[: at + 1], *added, *lines[at + 1 :]]) + "\n"
