"""The end of the process: nothing that was to be done at its end is lost, though it frees nothing."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('wrong')", 1, "wrong"),
        ("raise ValueError('seen')", 1, "ValueError: seen"),
    ],
)
def test_output_exit_functions_and_status_are_those_of_any_process(
    ending: str, status: int, said: str
) -> None:
    verb = f"sys.stdout.write('written, '); atexit.register(sys.stdout.write, 'closed'); {ending}"
    program = (
        "import atexit, sys\n"
        "from dbt_batch_sync import cli\n"
        f"def main():\n    {verb}\n"
        "cli.main = main\n"
        "cli.program()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (status, "written, closed")
    assert said in ended.stderr


def test_what_is_not_freed_is_not_looked_through() -> None:
    """An object that only the garbage collector would find is still there when the process ends."""
    program = (
        "import sys\n"
        "from dbt_batch_sync import cli\n"
        "class Kept:\n    def __del__(self): print('freed', flush=True)\n"
        "def main():\n    kept = Kept(); kept.itself = kept\n"
        "cli.main = main\n"
        "cli.program()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_a_closed_standard_output_is_no_error(asked: str) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m dbt_batch_sync {asked} >&-"
    ended = subprocess.run(["sh", "-c", command], check=False, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
