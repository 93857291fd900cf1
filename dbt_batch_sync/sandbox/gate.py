"""Checks a request's headers before its body."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping

from dbt_batch_sync.sandbox.record import Tally, Violation
from dbt_batch_sync.sandbox.replies import Reply, failure
from dbt_batch_sync.sandbox.settings import SandboxSettings

_JSON = re.compile(r'application/json\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)


class RefusedCallError(Exception):
    """The whole request is rejected with `reply`, and nothing was applied."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def refuse(status: int, code: str, message: str) -> RefusedCallError:
    return RefusedCallError(failure(status, code, message))


def check_caller(
    settings: SandboxSettings, version: str, headers: Mapping[str, str], tally: Tally, since: int = 0
) -> None:
    """Checks the version (2.`since` or newer), the key and the project. `headers` has lower-case names.

    Raises RefusedCallError: 404, 401 or 400.
    """
    if version not in settings.versions or int(version.partition(".")[2]) < since:
        tally.violate(Violation.UNKNOWN_ROUTE, "version")
        raise refuse(404, "ROUTE_NOT_FOUND", "no such version of the API")
    expected = f"Bearer {settings.rest_api_key}"
    if not hmac.compare_digest(headers.get("authorization", "").encode(), expected.encode()):
        tally.violate(Violation.UNAUTHORIZED)
        raise refuse(401, "AUTHENTICATION_INVALID", "the REST API key is missing or wrong")
    project = headers.get("x-batch-project")
    if not project:
        tally.violate(Violation.WRONG_PROJECT, "no header")
        raise refuse(400, "MISSING_PROJECT", "the header X-Batch-Project is missing")
    if project != settings.project_key:
        tally.violate(Violation.WRONG_PROJECT)
        raise refuse(401, "PROJECT_INVALID", "no such project for this REST API key")


def check_app_caller(
    settings: SandboxSettings, app_key: str, headers: Mapping[str, str], tally: Tally
) -> None:
    """Checks the older API's key, then the app's key in the path. Raises RefusedCallError: 401."""
    if not hmac.compare_digest(headers.get("x-authorization", "").encode(), settings.rest_api_key.encode()):
        tally.violate(Violation.UNAUTHORIZED)
        raise refuse(401, "AUTHENTICATION_INVALID", "the REST API key is missing or wrong")
    if app_key not in settings.app_keys:
        tally.violate(Violation.WRONG_PROJECT, "app key")
        raise refuse(401, "APP_INVALID", "no such app for this REST API key")


def check_link(headers: Mapping[str, str], tally: Tally) -> None:
    """The link to a file needs no key; Batch's are on another host. Raises RefusedCallError: 400."""
    if "authorization" in headers or "x-authorization" in headers:
        tally.violate(Violation.KEY_ON_A_LINK)
        raise refuse(400, "KEY_ON_A_LINK", "a file's link is asked for without a key")


def shown_path(path: str, app_keys: Iterable[str]) -> str:
    """A path without the app's key of the older API, wherever it is."""
    path = re.sub(r"^/1\.0/[^/]*", "/1.0/<app key>", path)
    for app_key in app_keys:
        path = path.replace(app_key, "<app key>")
    return path


def check_content(headers: Mapping[str, str], tally: Tally) -> None:
    """Requires JSON without encoding. Raises RefusedCallError: 400."""
    if not _JSON.fullmatch(headers.get("content-type", "").strip()):
        tally.violate(Violation.WRONG_CONTENT, "Content-Type")
        raise refuse(400, "INVALID_CONTENT_TYPE", "Content-Type must be application/json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        tally.violate(Violation.WRONG_CONTENT, "Content-Encoding")
        raise refuse(400, "INVALID_CONTENT_ENCODING", "send the body without an encoding")
