"""The project's sandbox with strict limits and latency. Runs in our environment with the arguments: result
file, latency in seconds.

Prints its URL. On SIGTERM, writes the sustained rate after the burst and the number of 429 answers.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import threading
from datetime import datetime
from itertools import accumulate
from pathlib import Path

from dbt_batch_sync.sandbox.server import RecordedRequest, SandboxServer, SandboxSettings


def main(result: str, latency: str) -> None:
    """Serve until SIGTERM."""
    # With millions of members, the garbage collector would stop the server for seconds.
    gc.disable()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    settings = SandboxSettings(
        latency=float(latency),
        keep_profiles=False,
        keep_requests=100_000,
        keep_bodies=0,
        count_custom_ids=False,
    )
    with SandboxServer(settings) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        while not ended.wait(0.5):
            pass
        calls = [each for each in server.requests if each.status == 202]
        throttled = sum(each.status == 429 for each in server.requests)
    found: dict[str, float] = {"throttled": throttled}
    if (rate := held_rate(calls)) is not None:
        found["rate"] = rate
    Path(result).write_text(json.dumps(found))


def held_rate(calls: list[RecordedRequest]) -> float | None:
    """Rows per second after update's burst of 1,000. None: too few calls."""
    sent = list(accumulate(each.operations for each in calls))
    after = [call for call, before in zip(calls[1:], sent, strict=False) if before >= 1000]
    if len(after) < 2:
        return None
    began, ended = (datetime.fromisoformat(call.at) for call in (after[0], after[-1]))
    seconds = (ended - began).total_seconds()
    return sum(each.operations for each in after[:-1]) / seconds if seconds else None


if __name__ == "__main__":
    main(*sys.argv[1:])
