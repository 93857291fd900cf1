"""Builds the docs as a site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.project import ROOT


def build_site(target: Path) -> Path:
    """The site, as it is where the repository's address is not known. Warnings are errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(target)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "REPOSITORY_URL": ""}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target
