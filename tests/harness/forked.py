"""Programs that start in a few milliseconds: forks of a process that has already imported them.

Each program is a process of its own, with its client's arguments, directory, environment and streams. Python's
options, such as `-W`, are those of the process that forks. That one has a single thread and no connection, so
its forks can be stopped and killed like any other process.

A client receives the process id, then the wait status whenever the process stops, and when it ends. It stops
and ends in the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

_FAULTY = "dbt-batch-sync-with-faults"
_PROGRAMS = {
    "dbt": "dbt.cli.main:cli",
    "dbt-batch-sync": "dbt_batch_sync.cli:program",
    _FAULTY: "harness.cli_with_faults:program",
}
_LATER = (
    *("dbt_batch_sync.cli.app", "dbt_batch_sync.warehouse.duckdb", "dbt_batch_sync.warehouse.postgres"),
    *("dbt.adapters.duckdb", "dbt.adapters.postgres", "requests"),
)
"""What programs import later."""

_CLIENT = """#!{python} -SE
import marshal, os, signal, socket, struct, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"!"], [0, 1, 2])
server.sendall(marshal.dumps(({main!r}, sys.argv, os.getcwd(), dict(os.environ))))
server.shutdown(socket.SHUT_WR)
receive = lambda: struct.unpack("!i", server.recv(4))[0]
process = receive()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(process, number))
while os.WIFSTOPPED(status := receive()):
    os.kill(os.getpid(), signal.SIGSTOP)
if os.WIFSIGNALED(status):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@cache
def programs() -> Path:
    """A directory for the PATH with the programs, which work until this process ends."""
    until_exit = contextlib.ExitStack()
    atexit.register(until_exit.close)
    # A socket's path has at most about a hundred characters; pytest's directories are too long.
    directory = Path(until_exit.enter_context(tempfile.TemporaryDirectory(prefix="fork")))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address := str(directory / "socket"))
        listening.listen()
        number, tests = listening.fileno(), Path(__file__).parents[1]
        command = [sys.executable, "-m", "harness.forked", str(number)]
        server = subprocess.Popen(command, cwd=tests, stdin=subprocess.PIPE, pass_fds=[number])
    until_exit.enter_context(server)
    for name, main in _PROGRAMS.items():
        client = _CLIENT.format(python=sys.executable, address=address, main=main)
        (directory / name).write_text(client)
        (directory / name).chmod(0o755)
    return directory


class Forked(subprocess.Popen[str]):
    """The command line, with the faults that its environment names. Signals hit it, not its client."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        command, nothing, out = [str(programs() / _FAULTY), *arguments], subprocess.DEVNULL, subprocess.PIPE
        super().__init__(command, cwd=cwd, env=env, text=True, stdin=nothing, stdout=out, stderr=out)
        assert self.stdout is not None
        (self.process,) = struct.unpack("!i", os.read(self.stdout.fileno(), 4))

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.process, sig)
            os.kill(self.pid, signal.SIGCONT)

    def is_stopped(self) -> bool:
        """Wait until SIGSTOP stops it or it ends, and say which."""
        return os.WIFSTOPPED(os.waitpid(self.pid, os.WUNTRACED)[1])

    def close(self) -> None:
        """Kill it if it still runs."""
        with self:
            self.kill()


def _serve(listening: socket.socket) -> None:
    """Fork for each connection, until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        with listening.accept()[0] as asking:
            _, streams, *_ = socket.recv_fds(asking, 1, 3)
            with asking.makefile("rb") as sent:
                main, arguments, directory, environ = marshal.load(sent)
            start = _imported(main)
            if not os.fork():
                listening.close()
                _fork_and_watch(asking)
                break
            for stream in streams:
                os.close(stream)
    else:
        return
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(directory)
    sys.argv = arguments
    os.environ.clear()
    os.environ.update(environ)
    _run(start)


def _imported(main: str) -> Callable[[], object]:
    """Import a program, unless it was before. Return its main function."""
    module, _, function = main.partition(":")
    found: Callable[[], object] = getattr(importlib.import_module(module), function)
    for name in _LATER:
        with contextlib.suppress(ModuleNotFoundError):  # the environment of another warehouse
            importlib.import_module(name)
    return found


def _fork_and_watch(asking: socket.socket) -> None:
    """Return in a new process. This one reports on it and ends with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = os.fork()
    if not process:
        return
    try:
        asking.sendall(struct.pack("!i", process))
        runs = True
        while runs:
            _, status = os.waitpid(process, os.WUNTRACED)
            asking.sendall(struct.pack("!i", status))
            runs = os.WIFSTOPPED(status)
    finally:
        os._exit(0)


def _run(start: Callable[[], object]) -> None:
    """End with this function, but leave memory as it is: clearing it takes longer than most programs."""
    code: object = 1
    try:
        code = start()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as Python does
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    _serve(socket.socket(fileno=int(sys.argv[1])))
