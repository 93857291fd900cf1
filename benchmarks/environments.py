"""A virtual environment for each contestant, made once and kept in the cache directory."""

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
    "script": ("duckdb", "pyarrow", "requests", "orjson==3.13.0"),
    "pandas": ("duckdb", "pandas==3.1.1", "requests"),
    "dlt": ("dlt==1.31.0", "duckdb", "pyarrow", "requests", "orjson==3.13.0"),
    "drt": ("drt-core[duckdb]==1.2.1",),
}
"""What each environment holds; versions that are not given here are those of constraints.txt, the same for
all.
"""


@dataclass(frozen=True)
class Environment:
    """An environment's directory."""

    directory: Path

    def program(self, name: str) -> Path:
        """An installed program."""
        return self.directory / "bin" / name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.program("python")

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """The installed versions of some packages."""
        script = "import importlib.metadata as m, json, sys; "
        script += "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
        found = subprocess.run([self.python, "-c", script, *names], capture_output=True, check=True)
        return dict(json.loads(found.stdout))


@cache
def prepare(name: str, directory_of_all: Path) -> Environment:
    """The environment of a contestant, made if there is none with these requirements; ours is always
    brought up to date.
    """
    requirements = REQUIREMENTS[name]
    key = hashlib.sha256(repr((sys.version, requirements, CONSTRAINTS.read_text())).encode()).hexdigest()[:12]
    directory = directory_of_all / f"{name}-{key}"
    environment = Environment(directory)
    if not (directory / "complete").exists():
        venv.create(directory, clear=True, with_pip=True)
        _install(environment, *requirements)
        (directory / "complete").touch()
    elif name == "ours":
        _install(environment, "--force-reinstall", "--no-deps", str(ROOT))
    return environment


def this_one() -> Environment:
    """The environment that runs this program: for a checkout that is installed already."""
    return Environment(Path(sys.prefix))


def _install(environment: Environment, *requirements: str) -> None:
    command = [environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-c", str(CONSTRAINTS), *requirements], check=True)
