"""Exports of profiles, the only way to read from Batch: starting, polling, downloading.

The link to a file leads to another host: it is followed once, without credentials.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args
from urllib.parse import parse_qs, quote, urlsplit

import requests

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, BrokenKind, describe
from dbt_batch_sync.batch_api.client import CONNECT_SECONDS, FAILURES, Client, classify
from dbt_batch_sync.batch_api.retry import Retry, RetryPolicy, persist
from dbt_batch_sync.batch_api.transport import Credentials
from dbt_batch_sync.connections.addresses import is_loopback
from dbt_batch_sync.errors import DeliveryError

State = Literal["CREATED", "PENDING", "RUNNING", "SUCCESS", "ERROR"]

MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Batch's files have at most 100 MB [D]."""

MAX_FILES: Final = 10_000

FILE_SECONDS: Final = 900.0
"""For one file; its link is valid for 1,200 seconds [D]."""

MAX_RETRY_AFTER: Final = 3_600.0
"""Exports are limited to a few per hour [Q], so a long wait is acceptable."""

THROTTLED_SECONDS: Final = 720.0
"""The wait if a rejected export has no `Retry-After`: Batch allows five an hour [Q]."""

LINK_ATTEMPTS: Final = 4
"""How often a file is requested again after its link has expired or the download was cut."""

_PIECE = 1024 * 1024


@dataclass(frozen=True)
class View:
    """The state of an export, and the addresses of its files once it has succeeded."""

    state: State
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exports:
    """The exports of one output. Every method raises DeliveryError with what to do.

    Before a request is repeated, `tell` receives the reason, and `wait` sleeps or raises to end the audit.
    """

    client: Client
    wait: Callable[[float], None]
    tell: Callable[[str], None]
    max_attempts: int = 8
    chance: Callable[[], float] = random.random

    def start(self, attributes: Sequence[str]) -> str:
        """Requests an export of these attributes, by their plain names, for every profile. Returns its id."""
        body = {"export_type": "ATTRIBUTES", "attributes": list(attributes), "identifiers": ["custom_id"]}
        export_id = self._settled("POST", "profiles/export", body).get("id")
        if not isinstance(export_id, str) or not export_id:
            raise DeliveryError(describe(Broken(BrokenKind.ANSWER, "no id of an export")))
        return export_id

    def view(self, export_id: str) -> View:
        """The state of an export."""
        told = self._settled("GET", f"exports/view?id={quote(export_id, safe='')}")
        state, files = told.get("status"), told.get("files")
        if state not in get_args(State):
            raise DeliveryError(describe(Broken(BrokenKind.ANSWER, "no state of an export")))
        if state != "SUCCESS":
            return View(cast("State", state))
        listed = files if isinstance(files, list) and len(files) <= MAX_FILES else []
        urls = [str(each["url"]) for each in listed if isinstance(each, dict) and each.get("url")]
        if not urls or len(urls) < len(listed):
            raise DeliveryError(describe(Broken(BrokenKind.ANSWER, "no files of an export")))
        return View("SUCCESS", tuple(urls))

    def download(self, url: str, path: Path) -> None:
        """Writes a file of the export. Requests it again if its link has expired or it was cut."""
        wrong: Answer = Broken(BrokenKind.CUT)
        for attempt in range(LINK_ATTEMPTS):
            if attempt:
                self.tell(f"{describe(wrong)}; the file is asked for again")
                self.wait(2.0**attempt)
            answer = self._fetched(self._link(url), path)
            if isinstance(answer, Accepted):
                return
            wrong = answer
        raise DeliveryError(f"a file of the export could not be downloaded: {describe(wrong)}")

    def _link(self, url: str) -> str:
        """The link to a file. An address of the API is asked for the link, with credentials, at the output's
        own address. Any other address is the link. Raises unless it is https, or http for a sandbox on this
        machine.
        """
        at = urlsplit(url)
        ids = parse_qs(at.query).get("id", [])
        if at.path.endswith("/exports/download") and len(ids) == 1:
            path = f"exports/download?id={quote(ids[0], safe='')}"
            url = str(self._settled("GET", path, located=True).get("location"))
            at = urlsplit(url)
        here = self.client.is_local and is_loopback(at.hostname)
        if at.hostname is None or not (at.scheme == "https" or (at.scheme == "http" and here)):
            raise DeliveryError(
                "the link to a file of the export is not an https address; nothing was downloaded"
            )
        return url

    def _fetched(self, link: str, path: Path) -> Answer:
        try:
            # Not the API's session: its credentials, and those of .netrc, must not be sent.
            with requests.Session() as session:
                session.trust_env = link.startswith("https:")
                session.auth = Credentials()
                with session.get(
                    link,
                    headers={"Accept-Encoding": "identity"},
                    timeout=(CONNECT_SECONDS, 60.0),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    return _stored(response, path)
        except FAILURES as error:
            return classify(error)

    def _settled(
        self, method: str, path: str, document: Mapping[str, object] | None = None, *, located: bool = False
    ) -> Mapping[str, object]:
        """Sends a request until it is answered. Raises DeliveryError if that fails or it is rejected."""
        policy = RetryPolicy(
            max_attempts=self.max_attempts,
            max_retry_after=MAX_RETRY_AFTER,
            repeatable=document is None,
            throttled_seconds=None if document is None else THROTTLED_SECONDS,
        )

        def call() -> Answer:
            return self.client.ask(method, path, document, located=located)

        def pause(answer: Answer, retry: Retry) -> None:
            self.tell(f"{describe(answer)}; trying again in {retry.after:.0f} s")
            self.wait(retry.after)

        answer, why = persist(call, policy, self.chance, pause)
        if not isinstance(answer, Accepted):
            raise DeliveryError(f"{describe(answer)}{why}")
        return answer.document


def no_room(why: object) -> DeliveryError:
    """The error for a full disk, or too little memory."""
    return DeliveryError(
        f"an audit needs more memory, or disk space for temporary files: {why}. TMPDIR sets their directory"
    )


def _stored(response: requests.Response, path: Path) -> Answer:
    """Writes the body. Returns Accepted, or what is wrong with it."""
    if response.status_code != 200:
        return Broken(BrokenKind.ANSWER, f"status {response.status_code}")
    try:
        file = path.open("wb")
    except OSError as error:
        raise no_room(error.strerror) from None
    size, until = 0, time.monotonic() + FILE_SECONDS
    with file:
        while piece := response.raw.read(_PIECE, decode_content=False):
            size += len(piece)
            if size > MAX_FILE_BYTES:
                return Broken(BrokenKind.TOO_LARGE)
            if time.monotonic() > until:
                return Broken(BrokenKind.TIMEOUT)
            try:
                file.write(piece)
            except OSError as error:
                raise no_room(error.strerror) from None
    told = response.headers.get("content-length", "")
    if told.isdigit() and int(told) != size:
        return Broken(BrokenKind.CUT, "fewer bytes than announced")
    return Accepted()
