"""`dbt` and `dbt-batch-sync` as programs that start in a few milliseconds, for tests that run many of them.

A server imports both once. Each program is a fork of it, a process of its own with the caller's streams,
directory and environment. Python's options, such as `-W`, are the server's.

`python tests/harness/forked.py SOCKET` runs the server.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

LOADED = (
    *("dbt.cli.main", "dbt.adapters.duckdb.impl", "dbt.parser.manifest", "dbt.task.build"),
    *("dbt_batch_sync.cli.app", "dbt_batch_sync.api", "dbt_batch_sync.warehouse.duckdb", "requests"),
)

_CLIENT = """#!{python} -SE
import os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = "\\0".join([{program!r}, os.getcwd(), str(len(sys.argv)), *sys.argv, *(f"{{k}}={{v}}" for k, v in os.environ.items())])
socket.send_fds(server, [len(asked.encode()).to_bytes(4, "big")], [0, 1, 2])
server.sendall(asked.encode())
answers = server.makefile()
process = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(process, number))
code = int(answers.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextlib.contextmanager
def programs(directory: Path) -> Iterator[Path]:
    """A directory for the PATH with both programs, which work until exit."""
    address = str(directory / "socket")
    for program in ("dbt", "dbt-batch-sync"):
        path = directory / program
        path.write_text(_CLIENT.format(python=sys.executable, address=address, program=program))
        path.chmod(0o755)
    with subprocess.Popen([sys.executable, __file__, address]) as server:
        try:
            while not Path(address).exists():
                assert server.poll() is None, "the server did not start"
                time.sleep(0.01)
            yield directory
        finally:
            server.terminate()


def serve(address: str) -> None:
    """Fork for each connection, forever."""
    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, _reap)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address + ".new")
    listening.listen()
    os.rename(address + ".new", address)
    while True:
        asking, _ = listening.accept()
        if os.fork():
            asking.close()
            continue
        listening.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        start = _forked(asking)
        os._exit(_exit_code(start) if start else 0)


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _forked(asking: socket.socket) -> Callable[[], object] | None:
    """Start the program's process. Return its main function there, and None where its end was awaited."""
    size, streams, *_ = socket.recv_fds(asking, 4, 3)
    with asking.makefile("rb") as sent:
        words = sent.read(int.from_bytes(size, "big")).decode().split("\0")
    process = os.fork()
    if process:
        asking.sendall(f"{process}\n".encode())
        _, status = os.waitpid(process, 0)
        with contextlib.suppress(BrokenPipeError):
            asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        return None
    asking.close()
    program, directory, count, *rest = words
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(directory)
    sys.argv = rest[: int(count)]
    os.environ.clear()
    os.environ.update(each.split("=", 1) for each in rest[int(count) :])
    if program == "dbt":
        from dbt.cli.main import cli

        return cli
    from dbt_batch_sync.cli import program as ours

    return ours


def _exit_code(start: Callable[[], object]) -> int:
    """Run a program to its end, but leave its memory as it is: clearing it takes longer than most programs."""
    code: object = 0
    try:
        start()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as Python does
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    # dbt imports all modules named `dbt_…`, and here are some.
    sys.path.pop(0)
    serve(sys.argv[1])
