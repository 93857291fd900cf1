"""The page of profiles and requests. Nothing on it comes from elsewhere; every value is escaped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

from dbt_batch_sync.pages import load_template, source_hash
from dbt_batch_sync.sandbox.record import Stats
from dbt_batch_sync.sandbox.service import Sandbox

PAGE_SIZE = 50
_SHOWN_REQUESTS = 30
_SHOWN_BODY = 64 * 1024

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_SCRIPT = (_FOLDER / "page.js").read_text(encoding="utf-8")


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {source_hash(_STYLE)}; script-src {source_hash(_SCRIPT)}; "
    "connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Question:
    """What the page is asked to show beside the overview: a profile, a request (0: none)."""

    search: str = ""
    offset: int = 0
    profile: str | None = None
    request: int = 0


@dataclass(frozen=True)
class _Figure:
    name: str
    value: int
    bad: bool = False


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _moment(iso: str) -> str:
    return iso[:19].replace("T", " ")


@cache
def _template() -> Template:
    return load_template(
        _FOLDER, "page.html.jinja", {"shown": _shown, "moment": _moment, "readable": _readable}
    )


def _figures(stats: Stats, profiles: int) -> list[_Figure]:
    violations = stats.violations.total()
    return [
        _Figure("profiles", profiles),
        _Figure("requests", stats.requests),
        _Figure("operations applied", stats.applied),
        _Figure("attributes written", stats.attributes.total()),
        _Figure("throttled", stats.throttled),
        _Figure("in flight at most", stats.max_in_flight),
        _Figure("rules broken", violations, bad=violations > 0),
    ]


def _readable(body: bytes | None) -> str:
    """A body as text: JSON over several lines, and not more than a page can take."""
    if body is None:
        return "no longer kept"
    text = body[:_SHOWN_BODY].decode("utf-8", "replace")
    if len(body) > _SHOWN_BODY:
        return f"{text}\n… {len(body) - _SHOWN_BODY:,} bytes more"
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text or "empty"


def render(sandbox: Sandbox, question: Question) -> str:
    """The whole page as HTML."""
    stats, requests = sandbox.recorder.stats(custom_ids=False), sandbox.recorder.requests
    found, total = sandbox.store.page(PAGE_SIZE, question.offset, question.search)
    return _template().render(
        style=Markup(_STYLE),  # noqa: S704  # files of this package, whose hashes are in the policy
        script=Markup(_SCRIPT),  # noqa: S704
        question=question,
        stats=stats,
        figures=_figures(stats, len(sandbox.store.profiles)),
        settings=sandbox.settings,
        profile=sandbox.store.profile(question.profile) if question.profile is not None else None,
        request=next((entry for entry in requests if entry.number == question.request), None),
        requests=requests[: -_SHOWN_REQUESTS - 1 : -1],
        profiles=found,
        total=total,
        page_size=PAGE_SIZE,
    )
