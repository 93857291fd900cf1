"""Draws the README's terminal picture from real output: `plan` and `push` on the example's second day.

Run as `make picture`.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from dbt_batch_sync.sandbox.server import SandboxServer
from dbt_batch_sync.scaffold.demo import copy_example

TARGET = Path(__file__).parents[1] / "docs/img/terminal.svg"
COLUMNS, ROWS = 80, 60
BIN = Path(sys.executable).parent
SHOWN = ("plan --select vip_customers", "push --select vip_customers")


def main() -> None:
    with tempfile.TemporaryDirectory() as place, SandboxServer() as sandbox:
        project = Path(place) / "bakery"
        copy_example(project)
        environ = {
            **os.environ,
            "BATCH_SANDBOX_URL": sandbox.url,
            "DBT_PROFILES_DIR": str(project),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        run("dbt --quiet deps", project, environ)
        run("dbt --quiet build --vars {demo_day:\\ 1}", project, environ)
        run("dbt-batch-sync push || true", project, environ)
        run("dbt --quiet build --vars {demo_day:\\ 2}", project, environ)
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
        for arguments in SHOWN:
            console.print(Text.from_markup(f"[green]$[/] [bold]dbt-batch-sync {arguments}[/]"))
            console.print(
                Text.from_ansi(in_terminal(f"dbt-batch-sync {arguments}", project, environ).rstrip())
            )
            console.print()
    TARGET.write_text(picture(console), encoding="utf-8")
    sys.stdout.write(f"wrote {TARGET}\n")


def picture(console: Console) -> str:
    """The output as a self-contained SVG."""
    svg = console.export_svg(title="dbt-batch-sync", theme=MONOKAI, unique_id="terminal")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")


def run(command: str, project: Path, environ: dict[str, str]) -> None:
    subprocess.run(["bash", "-c", command], cwd=project, env=environ, check=True, capture_output=True)


def in_terminal(command: str, project: Path, environ: dict[str, str]) -> str:
    """A command's output on a terminal, without the progress bar, which it erases."""
    reader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    words = {**environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    # The progress bar is on standard error.
    with subprocess.Popen(
        command.split(), cwd=project, env=words, stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL
    ):
        os.close(terminal)
        printed = b""
        while True:
            try:
                read = os.read(reader, 1 << 16)
            except OSError:
                break
            if not read:
                break
            printed += read
    os.close(reader)
    return printed.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    main()
