"""The docs site in a browser, served as published: search, theme and version selector."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness.browser import Browser
from harness.site import build_site

from dbt_batch_sync import __version__

pytestmark = pytest.mark.browser

FOUND = """
new Promise((resolve, reject) => {
  const input = document.querySelector('.md-search__input');
  input.focus();
  input.value = 'never_resubscribe';
  input.dispatchEvent(new Event('keyup', {bubbles: true}));
  input.dispatchEvent(new Event('input', {bubbles: true}));
  const look = () => {
    const links = [...document.querySelectorAll('.md-search-result__link')].map(link => link.href);
    if (links.length) { clearInterval(timer); resolve(links); }
  };
  const timer = setInterval(look, 50);
})
"""

VERSIONS = """
new Promise(resolve => {
  const look = () => {
    const links = [...document.querySelectorAll('.md-version__link')].map(link => link.textContent.trim());
    if (links.length) { clearInterval(timer); resolve(links); }
  };
  const timer = setInterval(look, 50);
})
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a published site with two versions."""
    root = tmp_path_factory.mktemp("published")
    build_site(root / "latest")
    versions = [
        {"version": each, "title": each, "aliases": aliases}
        for each, aliases in ((__version__, ["latest"]), ("dev", []))
    ]
    Path(root / "versions.json").write_text(json.dumps(versions), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/latest"
        server.shutdown()


def test_search_finds_a_key_of_the_mapping(browser: Browser, served: str) -> None:
    browser.show(f"{served}/index.html")
    links = browser.run(FOUND)
    assert any("/mapping.html" in link for link in links)
    elsewhere = [each for each in browser.asked if each.startswith("http") and not each.startswith(served)]
    assert set(elsewhere) <= {f"{served.removesuffix('/latest')}/versions.json"}


def test_versions_can_be_chosen(browser: Browser, served: str) -> None:
    browser.show(f"{served}/tutorial.html")
    assert browser.run(VERSIONS) == [__version__, "dev"]
