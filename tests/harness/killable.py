"""The real command line in a process of its own, forked from one that has already imported it: a quarter of
the time of a new interpreter.

The process that forks has one thread, and no open file or connection. So a fork can be stopped and killed
like any other process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

ADAPTERS = ("duckdb", "postgres")
"""Imported before forking, if they are installed."""


class Forked:
    """A running command, with the interface of `subprocess.Popen` for text."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        out, given_out = os.pipe()
        err, given_err = os.pipe()
        asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
        self.pid: int = _server(os.getpid()).ask(asked, (given_out, given_err))
        for given in (given_out, given_err):
            os.close(given)
        self.stdout, self.stderr = (os.fdopen(each, encoding="utf-8") for each in (out, err))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._wait(os.WNOHANG)

    def wait(self, timeout: float) -> int | None:
        """Wait until it ends. Raises subprocess.TimeoutExpired."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("dbt-batch-sync", timeout)
            time.sleep(0.005)
        return self.returncode

    def is_stopped(self) -> bool:
        """Wait until SIGSTOP stops it or it ends, and say which."""
        self._wait(os.WUNTRACED)
        return self.returncode is None

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Read both streams to their ends, then wait."""
        read: dict[str, str] = {}
        streams = {"out": self.stdout, "err": self.stderr}
        readers = [
            Thread(target=lambda name=name, stream=stream: read.update({name: stream.read()}), daemon=True)
            for name, stream in streams.items()
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return read["out"], read["err"]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def close(self) -> None:
        """Kill it if it still runs."""
        self.send_signal(signal.SIGKILL)
        self._wait(0)
        self.stdout.close()
        self.stderr.close()

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = _server(os.getpid()).ask({"pid": self.pid, "options": options})
            if pid and not os.WIFSTOPPED(status):
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class _Server:
    """The process that forks, until this one ends."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno())]
        environ = {**os.environ, "DO_NOT_TRACK": "1", "NO_COLOR": "1", "COLUMNS": "200"}
        self._process = subprocess.Popen(command, env=environ, pass_fds=[theirs.fileno()])
        theirs.close()
        atexit.register(self.close)

    def ask(self, request: Mapping[str, object], streams: Sequence[int] = ()) -> Any:
        text = json.dumps(request).encode() + b"\n"
        if streams:
            socket.send_fds(self._socket, [text[:1]], streams)
            text = text[1:]
        self._socket.sendall(text)
        return json.loads(_line(self._socket))

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


@cache
def _server(process: int) -> _Server:
    """One per process of tests, because forks of those would share a connection."""
    return _Server()


def _line(connection: socket.socket, begun: bytes = b"") -> bytes:
    while not begun.endswith(b"\n") and (more := connection.recv(1 << 20)):
        begun += more
    return begun


def _serve(connection: socket.socket) -> Mapping[str, Any] | None:
    """Answer until the other side ends. Return a request in the process that was forked for it."""
    while True:
        begun, streams, *_ = socket.recv_fds(connection, 1, 2)
        line = _line(connection, begun)
        if not line:
            return None
        request = json.loads(line)
        if "pid" in request:
            answer: object = os.waitpid(request["pid"], request["options"])
        else:
            answer = os.fork()
            if not answer:
                connection.close()
                with open(os.devnull) as nothing:
                    os.dup2(nothing.fileno(), 0)
                for number, stream in enumerate(streams, 1):
                    os.dup2(stream, number)
            for stream in streams:
                os.close(stream)
            if not answer:
                return request
        connection.sendall(json.dumps(answer).encode() + b"\n")


def _main() -> None:
    # This directory's modules have the names of drivers (`snowflake`, …), so it must not be on the path.
    sys.path[0] = str(Path(__file__).parents[1])
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    import harness.cli_with_faults as program

    import_module("dbt_batch_sync.cli.app")
    for name in ADAPTERS:
        with contextlib.suppress(ImportError):
            import_module(f"dbt_batch_sync.warehouse.{name}")
            import_module(f"dbt.adapters.{name}")
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        program.run(request["arguments"])


if __name__ == "__main__":
    _main()
