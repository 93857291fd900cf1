"""One request, one answer.

No retries, no pacing, no redirects. Time and size are limited. Keys are sent in headers only.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, cast
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from dbt_batch_sync.batch_api.answers import (
    Accepted,
    Answer,
    Broken,
    BrokenKind,
    Fatal,
    Read,
    describe,
    parse,
)
from dbt_batch_sync.batch_api.transport import IN_PATH, Upload, bearer, of_app, open_session
from dbt_batch_sync.connections.addresses import is_loopback
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.kinds.kind import Route

CONNECT_SECONDS: Final = 10.0

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Our own choice: about 1,600 bytes of partial errors for each of 10,000 profiles."""

CHECK_PATH: Final = "audiences/list?limit=1"
"""[D] Read-only; answers 401 for a wrong key or project."""

APP_VERSION: Final = "1.0"
"""The version of the older API, whose paths contain an app's key [D]."""

_READ_BYTES: Final = 64 * 1024
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
# ValueError: raised by http.client and urllib3 for invalid HTTP, outside their own exception trees


class Client:
    """Requests to one output. Up to `max_in_flight` threads may use `send` at the same time. The server has
    `timeout` seconds to read a body, and again for its whole answer.
    """

    def __init__(self, output: Output) -> None:
        self._base = f"{output.api_url}/{output.api_version}/"
        self._app_base = f"{output.api_url}/{APP_VERSION}/{IN_PATH}/"
        self._rest_api_key = output.rest_api_key
        self._timeout = output.timeout
        self._session = open_session(
            bearer(output.rest_api_key, output.project_key),
            connections=output.max_in_flight,
            # Plain http is allowed on loopback only. A proxy would send the key in the clear.
            use_environment=output.api_url.lower().startswith("https:"),
        )

    def close(self) -> None:
        """Closes idle connections. Requests in flight end by their own timeouts."""
        self._session.close()

    def send(
        self, route: Route, body: bytes | memoryview, seconds: float | None = None, app_key: str | None = None
    ) -> Answer:
        """Posts a body, with an app's key to its older API, and returns the answer. Whatever is not sent
        within `seconds` is not sent any more. Never raises for network or Batch errors.
        """
        return self._call("POST", route.path, route.read, body, seconds, app_key)

    @property
    def is_local(self) -> bool:
        """Whether the output is on this machine: a sandbox."""
        return is_loopback(urlsplit(self._base).hostname)

    def ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, object] | None = None,
        *,
        app_key: str | None = None,
        located: bool = False,
    ) -> Answer:
        """A request that is not about rows, to an app's older API with its key. The answer has its document.
        `located`: it is a redirect, which is not followed; the document is its `location`.
        """
        body = None if document is None else json.dumps(document).encode()
        return self._call(method, path, _whole, body, app_key=app_key, located=located)

    def check(self) -> None:
        """Checks the address and the credentials by a read-only request. Raises DeliveryError."""
        answer = self.ask("GET", CHECK_PATH)
        if not isinstance(answer, Accepted):
            raise DeliveryError(f"{describe(answer)}.")

    def _call(
        self,
        method: str,
        path: str,
        read: Read,
        body: bytes | memoryview | None = None,
        seconds: float | None = None,
        app_key: str | None = None,
        located: bool = False,
    ) -> Answer:
        within = self._timeout if seconds is None else min(self._timeout, seconds)
        upload = None if body is None else Upload(body, within)
        try:
            with self._session.request(
                method,
                (self._base if app_key is None else self._app_base) + path,
                auth=None if app_key is None else of_app(self._rest_api_key, app_key),
                data=cast("Iterable[bytes] | None", upload),
                timeout=(min(self._timeout, CONNECT_SECONDS), self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                status, text = response.status_code, _read(response)
                if located and status == 307:
                    return Accepted(document={"location": response.headers.get("location", "")})
                if 200 <= status < 300 and text is None:
                    return Broken(BrokenKind.TOO_LARGE)
                return parse(status, response.headers, text or b"", time.time(), read)
        except FAILURES as error:
            for cause in _causes(error):
                # The traceback holds the body until the garbage collector breaks the reference cycle.
                cause.__traceback__ = None
            return self._failed(classify(error), begun=upload is not None and upload.begun)

    def _failed(self, failure: Fatal | Broken, *, begun: bool) -> Fatal | Broken:
        if not isinstance(failure, Broken) or failure.kind is not BrokenKind.CONNECT:
            return failure
        if begun:  # TLS may fail at any time, not only when connecting
            return replace(failure, kind=BrokenKind.CUT)
        # The unreachable host is usually wrong, or a sandbox that is not running.
        hint = "; is `dbt-batch-sync sandbox` running?" if self.is_local else ""
        return replace(failure, detail=f"{failure.detail} at {urlsplit(self._base).netloc}{hint}")


def _whole(document: dict[str, object]) -> Accepted:
    return Accepted(document=document)


def classify(error: BaseException) -> Fatal | Broken:
    """Classifies a transport exception. Ignores its text, which may contain a URL, an address or a header."""
    chain = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return Fatal(None)
    unreached = (
        requests.exceptions.ConnectTimeout,
        requests.exceptions.ProxyError,
        requests.exceptions.SSLError,
        urllib3.exceptions.NewConnectionError,
    )
    late = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
    for kind, types in ((BrokenKind.CONNECT, unreached), (BrokenKind.TIMEOUT, late)):
        if any(isinstance(cause, types) for cause in chain):
            return Broken(kind, type(error).__name__)
    return Broken(BrokenKind.CUT, type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all it wraps: causes are in `args`, `reason` and the context."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        item = pending.pop()
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            yield item
            pending += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]


def _read(response: requests.Response) -> bytes | None:
    """The raw answer, never decompressed; None if it is too large. urllib3 notices that an answer is cut when
    it finds no more to read.
    """
    parts: list[bytes] = []
    left = MAX_ANSWER_BYTES
    while part := response.raw.read(_READ_BYTES, decode_content=False):
        left -= len(part)
        if left < 0:
            return None
        parts.append(part)
    return b"".join(parts)
