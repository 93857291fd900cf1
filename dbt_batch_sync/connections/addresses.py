"""Addresses that a key may be sent to, and addresses of this machine."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from dbt_batch_sync.mapping.validation import Reader, Spot, kind

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]*)?", re.ASCII)
_PLAIN = re.compile(r"[!-\[\]-~]+")
"""No blanks or backslashes, which URL parsers read differently."""


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, by its address (127.0.0.0/8, ::1) or the name `localhost`."""
    if host is None or host.lower() == "localhost":
        return host is not None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def address(example: str, *, query: bool = False) -> Reader[str]:
    """Reads an address: https, or http to this machine, so that secrets are never sent in the clear.

    A path is kept. `query` also accepts a query, which contains the secret of some webhooks. An invalid
    address becomes "".
    """
    without = "a user or a fragment" if query else "a user, a query or a fragment"

    def read(value: object, spot: Spot) -> str:
        if not isinstance(value, str):
            spot.refuse(f"must be an address like `{example}`, not {kind(value)}")
            return ""
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:  # a port that is not a number, brackets that don't close
            host = None
        plain = host and _HOST.fullmatch(parts.netloc) and _PLAIN.fullmatch(value)
        if (
            not plain
            or parts.scheme not in ("http", "https")
            or parts.fragment
            or (parts.query and not query)
        ):
            spot.refuse(f"must be an address like `{example}`, without {without}")
            return ""
        if parts.scheme == "http" and not is_loopback(host):
            spot.refuse("must begin with `https://`: plain `http` is accepted for loopback addresses only")
            return ""
        return value if query else value.rstrip("/?#")

    return read
