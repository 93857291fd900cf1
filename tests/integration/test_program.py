"""The program as a process."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_a_closed_standard_output_is_no_error(asked: str) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m dbt_batch_sync {asked} >&-"
    ended = subprocess.run(["sh", "-c", command], check=False, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
