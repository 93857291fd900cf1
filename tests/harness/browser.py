"""A headless Chromium, controlled over the DevTools protocol through two pipes: no port, no driver, no
package.

Source: https://chromedevtools.github.io/devtools-protocol/. A message ends with a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0
"""Timeout for one answer, on a busy machine."""

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def find_chromium() -> str:
    """Return the program named by `CHROMIUM`, or the first one installed. Raises RuntimeError if there is
    none.
    """
    given = os.environ.get("CHROMIUM")
    found = shutil.which(given) if given else next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise RuntimeError(
            f"the browser tests need Chromium: {given or ', '.join(PROGRAMS)} is not on the PATH. Install it (Debian: apt-get install chromium) or set CHROMIUM"
        )
    return found


class Browser:
    """One page. `complaints`: its console messages, including blocked styles and scripts. `asked`: the
    addresses it requested.
    """

    def __init__(self, profile: Path) -> None:
        command = [find_chromium(), *_FLAGS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 3<&0 4>&1 1>/dev/null 2>&1', "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._number = 0
        self._unread = b""
        self._session: str | None = None
        self._loaded = False
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def show(self, url: str, *, dark: bool = False, width: int = 1280, height: int = 900) -> None:
        """Open an address and wait until it has loaded."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._go("about:blank")  # Late messages of the previous page must not count against this one.
        self.complaints, self.asked = [], []
        self._go(url)

    def follow(self, link: str) -> None:
        """Click a link, given by its selector, and wait for the next page."""
        self._loaded = False
        self.run(f"document.querySelector({json.dumps(link)}).click()")
        self._wait()

    def run(self, expression: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def close(self) -> None:
        """Close the browser."""
        self._session = None
        self._call("Browser.close")
        self._process.wait(SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _go(self, url: str) -> None:
        self._loaded = False
        self._call("Page.navigate", url=url)
        self._wait()

    def _wait(self) -> None:
        while not self._loaded:
            self._note(self._receive())

    def _call(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(params))

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        pipe, deadline = self._process.stdout.fileno(), time.monotonic() + SECONDS
        while b"\0" not in self._unread:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no answer from Chromium within {SECONDS:.0f} s"
            read = os.read(pipe, 1 << 20)
            assert read, f"Chromium exited with {self._process.wait(SECONDS)}"
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message))
