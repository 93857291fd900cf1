"""Builds the docs site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.project import ROOT


def build_site(target: Path, repository: str = "") -> Path:
    """Build the site, with or without the repository's address. Warnings are errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(target)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "REPOSITORY_URL": repository}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target
