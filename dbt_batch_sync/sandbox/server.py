"""Runs the sandbox: in a thread for tests and the demo, or until it is interrupted."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.sandbox.audiences import Audience
from dbt_batch_sync.sandbox.catalogs import Catalog
from dbt_batch_sync.sandbox.deletions import Deletion
from dbt_batch_sync.sandbox.events import EventLog
from dbt_batch_sync.sandbox.exports import Export
from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.record import RecordedRequest, Stats, Violation
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.settings import SandboxSettings
from dbt_batch_sync.sandbox.store import ProfileStore
from dbt_batch_sync.sandbox.values import TypedValue

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

__all__ = [
    "Audience",
    "Catalog",
    "Deletion",
    "Profile",
    "RecordedRequest",
    "SandboxServer",
    "SandboxSettings",
    "Stats",
    "TypedValue",
    "Violation",
    "serve",
]

_BACKLOG = 128
_LAST_WAIT = 10.0


def _uvicorn_server(build: Callable[[asyncio.Event], ASGIApp], stopping: asyncio.Event) -> uvicorn.Server:
    try:
        import uvicorn  # an extra that only the sandbox needs

        app = build(stopping)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the sandbox needs the package {error.name}: run pip install 'dbt-batch-sync[sandbox]'"
        ) from error
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _bound_socket(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # `create_server` adds the address to what the system says.
        reason = str(error.strerror).partition(" (while")[0]
        raise ConfigurationError(
            f"can't listen on {host} port {port}: {reason}; choose another with --port"
        ) from error


class SandboxServer:
    """Runs in a thread from `start` to `stop`; as a context manager, from entry to exit.

    Port 0 selects a free port and keeps it: `start` after `stop` is like Batch after an outage, with the same
    profiles. `clock` is that of `Sandbox`. Raises ConfigurationError for a missing package, a port in use, or
    a file that is not a store.
    """

    def __init__(
        self,
        settings: SandboxSettings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host, self.port = host, port
        self._sandbox = self._open(settings or SandboxSettings(), clock)
        self._thread: threading.Thread | None = None
        self._stop_soon: Callable[[], None] = lambda: None

    def _open(self, settings: SandboxSettings, clock: Callable[[], float]) -> Sandbox:
        return Sandbox(settings, clock=clock)

    def _app(self, stopping: asyncio.Event) -> ASGIApp:
        from dbt_batch_sync.sandbox.app import build_app

        return build_app(self._sandbox, stopping)

    @property
    def url(self) -> str:
        """The value for `api_url`: scheme, host and the actual port."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def now(self) -> datetime:
        """The sandbox's time of day, with a zone."""
        return self._sandbox.now()

    @property
    def settings(self) -> SandboxSettings:
        return self._sandbox.settings

    def change(self, **settings: object) -> None:
        """Changes settings for the following requests (except `store` and what is kept)."""
        self._sandbox.settings = dataclasses.replace(self._sandbox.settings, **settings)  # type: ignore[arg-type]

    @property
    def store(self) -> ProfileStore:
        return self._sandbox.store

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The live profiles by custom_id, oldest first."""
        self._sandbox.advance()
        return self._sandbox.store.profiles

    @property
    def audiences(self) -> Mapping[str, Audience]:
        """The live catalogs by name, as far as writes are applied."""
        self._sandbox.advance()
        return self._sandbox.audiences.audiences

    @property
    def catalogs(self) -> Mapping[str, Catalog]:
        """The live catalogs by name, as far as writes are applied."""
        self._sandbox.advance()
        return self._sandbox.catalogs.catalogs

    @property
    def deletions(self) -> tuple[Deletion, ...]:
        """The requests for deletion, oldest first."""
        self._sandbox.advance()
        return tuple(self._sandbox.deletions.requests.values())

    @property
    def events(self) -> EventLog:
        """The last events, and how often each was received."""
        return self._sandbox.events

    @property
    def exports(self) -> Mapping[str, Export]:
        """The live exports by id, oldest first."""
        return self._sandbox.exports.exports

    @property
    def stats(self) -> Stats:
        """A copy of the counts."""
        return self._sandbox.recorder.stats()

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The last requests, oldest first."""
        return self._sandbox.recorder.requests

    def reset(self, *, profiles: bool = True, stats: bool = True) -> None:
        """Deletes profiles, counts and requests, and resets the rates."""
        self._sandbox.reset(profiles=profiles, stats=stats)

    def start(self) -> None:
        """Returns once connections are accepted. Does nothing if it is running."""
        if self._thread is not None:
            return
        stopping = asyncio.Event()
        server = _uvicorn_server(self._app, stopping)
        listening = _bound_socket(self.host, self.port)
        self.port = listening.getsockname()[1]
        ready = threading.Event()

        async def run() -> None:
            loop = asyncio.get_running_loop()

            def stop_soon() -> None:
                server.should_exit = True
                loop.call_soon_threadsafe(stopping.set)

            self._stop_soon = stop_soon
            with listening:
                serving = asyncio.ensure_future(server.serve(sockets=[listening]))
                while not (server.started or serving.done()):
                    await asyncio.sleep(0)
                ready.set()
                await serving

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), name="batch-sandbox", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Accepts no new connections, and answers requests in flight without waiting. Profiles stay."""
        if self._thread is None:
            return
        self._stop_soon()
        self._thread.join(_LAST_WAIT)
        self._thread = None

    def close(self) -> None:
        """Stops and closes the store's file. Profiles and counts stay readable."""
        self.stop()
        self._sandbox.close()

    def __enter__(self) -> SandboxServer:
        try:
            self.start()
        except ConfigurationError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    host: str = "127.0.0.1",
    port: int = 8700,
    *,
    settings: SandboxSettings | None = None,
    on_ready: Callable[[SandboxServer], None] = lambda server: None,
) -> None:
    """Runs the sandbox until SIGINT or SIGTERM, then returns. For the main thread.

    Calls `on_ready` once connections are accepted. Raises ConfigurationError like SandboxServer. Prints
    nothing.
    """
    interrupted = threading.Event()

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        interrupted.set()

    before = {name: signal.signal(name, interrupt) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        with SandboxServer(settings, host=host, port=port) as server:
            on_ready(server)
            # With a timeout, because a wait without one can't be interrupted on every platform.
            while not interrupted.wait(0.5):
                pass
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
