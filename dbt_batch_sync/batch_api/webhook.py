"""Posts a document to a user's address, with the same transport and rules as for Batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from dbt_batch_sync import __version__
from dbt_batch_sync.batch_api.transport import Credentials, Upload, open_session


def post(url: str, body: bytes, seconds: float) -> str | None:
    """Posts JSON once, reads only the status, and returns what went wrong, without the address; None for a
    2xx status. Never raises. Half of the time is for connecting, half for the answer.
    """
    session = open_session(
        Credentials(),
        user_agent=f"dbt-batch-sync/{__version__}",
        connections=1,
        use_environment=url.startswith("https:"),
    )
    part = seconds / 2
    try:
        with session.post(
            url,
            data=cast("Iterable[bytes]", Upload(body, part)),
            timeout=(part, part),
            allow_redirects=False,
            stream=True,
        ) as answer:
            return None if answer.ok and not answer.is_redirect else f"it answered {answer.status_code}"
    except (OSError, ValueError) as error:
        # The error's text contains the address.
        return f"it could not be reached, or did not answer within {seconds:g} s ({type(error).__name__})"
    finally:
        session.close()
