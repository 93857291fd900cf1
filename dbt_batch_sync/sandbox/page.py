"""The page that shows the sandbox's contents. It loads nothing from elsewhere and escapes every value."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from dbt_batch_sync.pages import load_template, source_hash
from dbt_batch_sync.sandbox.catalogs import MAX_CATALOGS
from dbt_batch_sync.sandbox.knobs import KNOBS, changeable
from dbt_batch_sync.sandbox.search import Search, parse
from dbt_batch_sync.sandbox.service import Sandbox
from dbt_batch_sync.sandbox.values import TypedValue

PAGE_SIZE = 50
_SHOWN_REQUESTS = 100
_BESIDE = 12
_SHOWN_BODY = 64 * 1024

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_SCRIPT = (_FOLDER / "page.js").read_text(encoding="utf-8")


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {source_hash(_STYLE)}; script-src {source_hash(_SCRIPT)}; "
    "connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Question:
    """What the page shows: a view, and in it a profile, an audience or a catalog by `name`, or a request (0:
    none). An unknown view is that of profiles.
    """

    view: str = "profiles"
    search: str = ""
    offset: int = 0
    profile: str | None = None
    name: str | None = None
    request: int = 0


def _shown(value: object) -> str:
    plain = value.value if isinstance(value, TypedValue) else value
    if isinstance(plain, tuple):
        return ", ".join(map(str, plain))
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _moment(iso: str) -> str:
    return iso[:19].replace("T", " ").removesuffix("Z")


def _short(path: str) -> str:
    """A path without the prefix that all of its kind share."""
    return re.sub(r"^/[0-9.]+/(<app key>/)?", "", path)


def _bytes(number: int) -> str:
    for unit, least in (("MB", 1_000_000), ("kB", 1_000)):
        if number >= least:
            return f"{number / least:.1f} {unit}"
    return f"{number} B"


def _readable(body: bytes | None) -> str:
    """A body as text: JSON on several lines, limited to what a page can show."""
    if body is None:
        return "no longer kept"
    text = body[:_SHOWN_BODY].decode("utf-8", "replace")
    if len(body) > _SHOWN_BODY:
        return f"{text}\n… {len(body) - _SHOWN_BODY:,} bytes more"
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text or "empty"


@cache
def _template() -> Template:
    filters: Mapping[str, Callable[..., object]] = {
        "shown": _shown,
        "short": _short,
        "moment": _moment,
        "readable": _readable,
        "bytes": _bytes,
        "plain": lambda name: name.removeprefix("$"),
    }
    return load_template(_FOLDER, "page.html.jinja", filters)


def _profiles(sandbox: Sandbox, question: Question, sought: Search) -> dict[str, object]:
    if question.profile is None:
        found, total = sandbox.store.page(PAGE_SIZE, question.offset, sought)
        return {"rows": found, "total": total}
    audiences = list(sandbox.audiences.audiences.values())
    return {
        "profile": sandbox.store.profile(question.profile),
        "history": sandbox.store.history.of(question.profile)[:PAGE_SIZE],
        "events": sandbox.events.of(question.profile)[:PAGE_SIZE],
        "member_of": [each.name for each in audiences if question.profile in each.members],
        "paths": {entry.number: entry.path for entry in sandbox.recorder.requests},
        "erased": sandbox.discards(question.profile),
    }


def _page_of(rows: Mapping[str, Mapping[str, Any]], question: Question, sought: Search) -> dict[str, object]:
    """Pages of members or items."""
    if sought.terms:
        rows = {key: values for key, values in list(rows.items()) if sought.matches(key, values)}
    return {
        "rows": list(islice(rows.items(), question.offset, question.offset + PAGE_SIZE)),
        "total": len(rows),
    }


def _audiences(sandbox: Sandbox, question: Question, sought: Search) -> dict[str, object]:
    family = sandbox.audiences
    chosen = family.audiences.get(question.name or "")
    page = _page_of(chosen.members, question, sought) if chosen else {}
    return {"audiences": family.audiences.values(), "state": family.state, "audience": chosen, **page}


def _catalogs(sandbox: Sandbox, question: Question, sought: Search) -> dict[str, object]:
    family = sandbox.catalogs
    chosen = family.catalogs.get(question.name or "")
    page = _page_of(chosen.items, question, sought) if chosen else {}
    found = {"catalogs": family.catalogs.values(), "state": family.state, "catalog": chosen}
    return {**found, "most": MAX_CATALOGS, **page}


def _events(sandbox: Sandbox, question: Question, sought: Search) -> dict[str, object]:
    last = [
        stored
        for stored in reversed(sandbox.events.last)
        if sought.matches(f"{stored.custom_id}\n{stored.event.name}", stored.event.attributes)
    ]
    names = Counter(stored.event.name for stored in last).most_common(10)
    shown = last[question.offset : question.offset + PAGE_SIZE]
    return {"rows": shown, "total": len(last), "names": names, "repeated": sandbox.events.repeated}


def _deletions(sandbox: Sandbox, question: Question, sought: Search) -> dict[str, object]:
    found = [each for each in sandbox.deletions.requests.values() if sought.matches(each.custom_id, {})]
    found.reverse()
    month = timedelta(days=sandbox.settings.blacklist_days)
    shown = found[question.offset : question.offset + PAGE_SIZE]
    return {"rows": shown, "total": len(found), "month": month}


def _exports(sandbox: Sandbox, _question: Question, _sought: Search) -> dict[str, object]:
    return {"exports": reversed(sandbox.exports.exports.values()), "status": sandbox.exports.status}


def _settings(sandbox: Sandbox, _question: Question, _sought: Search) -> dict[str, object]:
    groups = [(name, list(knobs)) for name, knobs in groupby(KNOBS.values(), lambda knob: knob.group)]
    return {"groups": groups, "values": changeable(sandbox.settings)}


_VIEWS: dict[str, Callable[[Sandbox, Question, Search], dict[str, object]]] = {
    "profiles": _profiles,
    "audiences": _audiences,
    "catalogs": _catalogs,
    "events": _events,
    "deletions": _deletions,
    "exports": _exports,
    "requests": lambda _sandbox, _question, _sought: {},
    "settings": _settings,
}


def render(sandbox: Sandbox, question: Question) -> str:
    """The whole page as HTML."""
    view = question.view if question.view in _VIEWS else "profiles"
    stats, requests = sandbox.recorder.stats(custom_ids=False), sandbox.recorder.requests[::-1]
    counts = {
        "profiles": len(sandbox.store.profiles),
        "audiences": len(sandbox.audiences.audiences),
        "catalogs": len(sandbox.catalogs.catalogs),
        "events": sandbox.events.total,
        "deletions": len(sandbox.deletions.requests),
        "exports": len(sandbox.exports.exports),
        "requests": stats.requests,
        "settings": None,
    }
    sandbox.advance()
    # A search through many profiles must not block requests.
    with nullcontext() if view == "profiles" else sandbox.reading():
        return _template().render(
            style=Markup(_STYLE),  # noqa: S704  # files of this package, whose hashes are in the policy
            script=Markup(_SCRIPT),  # noqa: S704
            view=view,
            views=_VIEWS,
            counts=counts,
            question=question,
            stats=stats,
            requests=requests[: _SHOWN_REQUESTS if view == "requests" else _BESIDE],
            chosen=next((entry for entry in requests if entry.number == question.request), None),
            page_size=PAGE_SIZE,
            **_VIEWS[view](sandbox, question, parse(question.search)),
        )
