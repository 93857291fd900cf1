"""Sends requests and reads answers in limited time, by a session that follows no redirects and keeps no
cookies.

A read timeout limits one wait, not their sum: a server that sends a byte now and then would block a sender
for ever. So the stream of the answer is replaced by one whose timeout is the remaining time.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, cast

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection

from dbt_batch_sync import __version__

_PIECE_BYTES: Final = 256 * 1024


class Upload:
    """A body sent in pieces, which `requests` streams as a sized iterable. Raises TimeoutError if the server
    takes longer than `seconds` to read it. `begun` tells whether any of it may have been sent.
    """

    def __init__(
        self, body: bytes | memoryview, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._body = memoryview(body).cast("B")
        self._seconds = seconds
        self._clock = clock
        self.begun = False

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[memoryview]:
        self.begun = True
        deadline = self._clock() + self._seconds
        for start in range(0, len(self._body), _PIECE_BYTES):
            if self._clock() > deadline:
                raise TimeoutError("the body was not taken in time")
            yield self._body[start : start + _PIECE_BYTES]


IN_PATH: Final = "APP_KEY"
"""Stands for an app's key in a path, so that no log, error or trace has it until it is sent."""

_HEADER: Final = "X-App-Key-Of-Path"


class Credentials(AuthBase):
    """Headers that are set last, so that neither netrc nor the environment replaces them."""

    def __init__(self, **headers: str) -> None:
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


def bearer(rest_api_key: str, project_key: str) -> Credentials:
    """The documented credentials."""
    return Credentials(Authorization=f"Bearer {rest_api_key}", X_Batch_Project=project_key)


def of_app(rest_api_key: str, app_key: str) -> Credentials:
    """Those of the older API, whose paths have an app's key in the place of `IN_PATH`."""
    return Credentials(X_Authorization=rest_api_key, **{_HEADER: app_key})


class DirectSession(requests.Session):
    """A session that sees no redirects: `requests` reads their bodies whole, even without following them."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def open_session(auth: AuthBase, connections: int, use_environment: bool) -> requests.Session:
    """A session for several threads (docs/decisions/requests.md) that keeps at most so many connections
    open. `use_environment`: HTTPS_PROXY, NO_PROXY and REQUESTS_CA_BUNDLE count.
    """
    session = DirectSession()
    session.auth = auth
    session.trust_env = use_environment
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {
            "Content-Type": "application/json",  # required in every request, according to the documentation
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"dbt-batch-sync/{__version__}",
        }
    )
    adapter = _TimedAdapter(pool_connections=2, pool_maxsize=connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def post(url: str, body: bytes, seconds: float) -> str | None:
    """Posts JSON once to a user's address, reads only the status, and returns what went wrong, without the
    address; None for a 2xx status. Never raises. Half of the time is for connecting, half for the answer.
    """
    part = seconds / 2
    upload = cast("Iterable[bytes]", Upload(body, part))
    try:
        with (
            open_session(Credentials(), 1, use_environment=url.startswith("https:")) as session,
            session.post(
                url, data=upload, timeout=(part, part), allow_redirects=False, stream=True
            ) as answer,
        ):
            return None if answer.ok and not answer.is_redirect else f"it answered {answer.status_code}"
    except (OSError, ValueError) as error:
        # The error's text contains the address.
        return f"it could not be reached, or did not answer within {seconds:g} s ({type(error).__name__})"


class _TimedReader(io.RawIOBase):
    """A socket's raw stream that must end within the timeout that the socket had at the start."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        # urllib3 sets it before every request and every answer.
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _SecretPaths(HTTPConnection):
    """Inserts a secret into the path of the request line."""

    _secret = ""

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **how: Any) -> None:
        own = dict(headers or {})
        self._secret = own.pop(_HEADER, "")
        super().request(method, url, body, own, **how)

    def putrequest(self, method: str, url: str, *flags: Any, **how: Any) -> None:
        super().putrequest(method, url.replace(IN_PATH, self._secret) if self._secret else url, *flags, **how)


@cache
def _adapted(connection: type[HTTPConnection]) -> type[HTTPConnection]:
    """A class of connections with secret paths and timed answers."""
    return type("_Connection", (_SecretPaths, connection), {"response_class": _TimedResponse})


class _TimedAdapter(HTTPAdapter):
    """`requests`' adapter with these connections, also through a proxy."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, _SecretPaths):
            pool.ConnectionCls = _adapted(pool.ConnectionCls)
        return pool

    def close(self) -> None:
        # urllib3 leaves this to the garbage collector, but an earlier exception may hold a pool.
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - no dict: it refuses iteration
                manager.pools[key].close()
        super().close()
