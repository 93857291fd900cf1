"""Compares the built distributions with the checkout: nothing is missing, and nothing ignored by git is
included.

Run as `python .ci/check_dist.py dist`.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
CARRIED = ("macros", "models_example", "dbt_project.yml")
"""Files of the dbt package in a wheel, under `dbt_batch_sync/package/`."""
BESIDE = (".ci/metadata.py", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", ".gitignore")
"""Files in a source distribution besides these and the Python package."""


def main(directory: Path) -> int:
    (wheel,), (source,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as tar:
        in_source = {name.partition("/")[2] for name in tar.getnames()} - {"PKG-INFO"}
    package, carried = tracked("dbt_batch_sync"), tracked(*CARRIED)
    problems = [
        *differences(wheel.name, in_wheel, package | {f"dbt_batch_sync/package/{name}" for name in carried}),
        *differences(source.name, in_source, package | carried | set(BESIDE)),
    ]
    fine = f"{wheel.name}: {len(in_wheel)} files, and {source.name}: complete"
    sys.stdout.write("\n".join(problems or [fine]) + "\n")
    return 1 if problems else 0


def tracked(*paths: str) -> set[str]:
    """Existing files that are tracked by git or not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def differences(name: str, found: Iterable[str], wanted: Iterable[str]) -> list[str]:
    found, wanted = set(found), set(wanted)
    missing = [f"{name}: lacks {each}" for each in sorted(wanted - found)]
    return missing + [
        f"{name}: contains {each}, which doesn't belong there" for each in sorted(found - wanted)
    ]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
