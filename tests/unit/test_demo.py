"""The command that `demo` prints at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbt_batch_sync.scaffold.demo import next_command


@pytest.mark.parametrize("variables", [{}, {"DBT_TARGET": "prod", "DBT_PROFILE": "shop"}])
def test_the_next_command_runs_when_pasted(tmp_path: Path, variables: dict[str, str]) -> None:
    directory, program = tmp_path / "it's new", tmp_path / "a program"
    directory.mkdir()
    program.write_text('#!/bin/sh\necho "$PWD" "$@" "$DBT_TARGET$DBT_PROFILE"\n')
    program.chmod(0o755)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    environ = {**plain, **variables}
    line = next_command(directory, str(program), environ)
    done = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"{directory} status --profiles-dir . \n"


def test_a_module_is_run_as_one(tmp_path: Path) -> None:
    environ = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    line = next_command(tmp_path, "/lib/dbt_batch_sync/__main__.py", environ)
    assert line == f"cd {tmp_path} && {sys.executable} -m dbt_batch_sync status --profiles-dir ."
