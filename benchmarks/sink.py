"""A local HTTP server that accepts everything immediately: `python -m benchmarks.sink`.

Answers each POST like Batch, with an optional delay, and keeps the bodies in memory. Arrivals are counted
only on request, so that counting doesn't slow down measurements.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

ANSWER = b'{"code":"SUCCESS"}'
IDENTIFIER = re.compile(rb'\{"identifiers": ?\{"custom_id": ?"([^"]+)"')


@dataclass
class Received:
    """Requests since the last reset. `latency` is in seconds."""

    bodies: list[bytes | bytearray] = field(default_factory=list)
    latency: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def summary(bodies: list[bytes | bytearray], every: int) -> dict[str, Any]:
    """Count operations. Returns the count, an order-independent checksum of the custom_ids, and the
    operations of customers whose number is divisible by `every`.
    """
    total = xor = operations = 0
    sample = {}
    for body in bodies:
        for custom_id, start in _identifiers(body):
            check = crc32(custom_id)
            operations, total, xor = operations + 1, total + check, xor ^ check
            if int(custom_id[1:]) % every == 0:
                text = body[start : start + 20_000].decode(errors="ignore")
                sample[custom_id.decode()] = json.JSONDecoder().raw_decode(text)[0]["attributes"]
    # Check two bodies for valid JSON. Parsing all would take longer than the run.
    for body in bodies[:1] + bodies[-1:]:
        json.loads(body)
    size = sum(map(len, bodies))
    counted = {"requests": len(bodies), "operations": operations, "bytes": size}
    return {**counted, "checksum": f"{total:x}-{xor:x}", "sample": sample}


def _identifiers(body: bytes | bytearray) -> Iterator[tuple[bytes, int]]:
    return ((bytes(found[1]), found.start()) for found in IDENTIFIER.finditer(body))


class Connection:
    """A client's connection: keep-alive, bodies with a Content-Length."""

    def __init__(self, sock: socket.socket, received: Received) -> None:
        self._socket = sock
        self._received = received
        self._read = b""

    def serve(self) -> None:
        """Answer requests until the client disconnects."""
        with self._socket:
            while (head := self._head()) is not None:
                method, target, length = head
                body = self._body(length)
                if method == "POST":
                    with self._received.lock:
                        self._received.bodies.append(body)
                    time.sleep(self._received.latency)
                    self._answer(202, ANSWER)
                else:
                    self._control(urlsplit(target).path, parse_qs(urlsplit(target).query))

    def _head(self) -> tuple[str, str, int] | None:
        while b"\r\n\r\n" not in self._read:
            part = self._socket.recv(65536)
            if not part:
                return None
            self._read += part
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        fields = dict(line.lower().split(":", 1) for line in lines[1:])
        return method, target, int(fields.get("content-length", "0"))

    def _body(self, length: int) -> bytearray:
        body = bytearray(length)
        view = memoryview(body)
        have = min(length, len(self._read))
        view[:have], self._read = self._read[:have], self._read[have:]
        while have < length:
            count = self._socket.recv_into(view[have:])
            if not count:
                raise ConnectionError("truncated body")
            have += count
        return body

    def _control(self, path: str, query: dict[str, list[str]]) -> None:
        document: dict[str, Any] = {}
        if path == "/_sink/reset":
            self._received.bodies = []
            self._received.latency = float(query.get("latency", ["0"])[0])
        elif path == "/_sink/summary":
            document = summary(self._received.bodies, int(query["every"][0]))
        self._answer(200, json.dumps(document).encode())

    def _answer(self, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)


def main() -> None:
    """Print the port and serve until terminated."""
    received = Received()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            sock, _ = listening.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Connection(sock, received).serve, daemon=True).start()


if __name__ == "__main__":
    main()
