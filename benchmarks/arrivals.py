"""The destination of the contestants' requests, and checks of what arrived."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]
MASS_UPDATE = "/2.11/profiles/mass-update"


class WrongArrivals(Exception):
    """The sink received something unexpected."""


@dataclass(frozen=True)
class Arrived:
    """The number of operations, an order-independent checksum of their custom_ids, and the non-null
    attributes of a sample.
    """

    operations: int
    checksum: str
    sample: dict[str, dict[str, object]]
    requests: int = 0
    bytes: int = 0


class Sink:
    """The sink's process, as a context manager."""

    def __enter__(self) -> Sink:
        command = [sys.executable, "-m", "benchmarks.sink"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def reset(self) -> None:
        """Discard what arrived."""
        self._ask("/_sink/reset")

    def arrived(self, every: int) -> Arrived:
        """What arrived since the last reset. The sample contains customers whose number is divisible by
        `every`.
        """
        found = self._ask(f"/_sink/summary?every={every}")
        sample = {
            key: {name: value for name, value in attributes.items() if value is not None}
            for key, attributes in found["sample"].items()
        }
        return Arrived(found["operations"], found["checksum"], sample, found["requests"], found["bytes"])

    def check(self, expected: Arrived, every: int, who: str) -> Arrived:
        """Raises WrongArrivals unless exactly the expected profiles arrived."""
        arrived = self.arrived(every)
        if (arrived.operations, arrived.checksum) != (expected.operations, expected.checksum):
            wanted = f"{expected.operations} profiles ({expected.checksum})"
            raise WrongArrivals(
                f"{who}: {arrived.operations} ({arrived.checksum}) arrived, expected {wanted}"
            )
        for custom_id, attributes in expected.sample.items():
            if arrived.sample.get(custom_id) != attributes:
                raise WrongArrivals(
                    f"{who}: {custom_id} is {arrived.sample.get(custom_id)}, expected {attributes}"
                )
        return arrived

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=600) as response:
            return json.load(response)
