"""The results of verbs, for display and `--json`. They contain no customer data."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any


class Result:
    """The answer of a verb, a frozen dataclass whose fields are the document of `--json`."""

    def to_json(self) -> dict[str, Any]:
        """The document: its times are RFC 3339 in UTC, in whole seconds."""
        return {key: _plain(cell) for key, cell in asdict(self).items()}  # type: ignore[call-overload]


def noun(kind: str) -> str:
    """The noun for a row of a kind, such as `profile`."""
    from dbt_batch_sync.mapping.mapping_reader import KINDS

    return KINDS[kind].noun


def counted(count: int, word: str) -> str:
    """A count with its noun, in the plural if needed."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def shown_name(attribute: str) -> str:
    """An attribute as in the mapping: `email_address`, where the relations have `batch__email_address`."""
    return attribute.removeprefix("batch__")


def shown_time(moment: datetime | None) -> str:
    """A time in UTC, to the minute; empty if there is none."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def compact(amount: float) -> str:
    """A short number: 950, 1.2k, 3M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if amount >= unit * 0.9995:
            return f"{amount / unit:.3g}{name}"
    return f"{amount:.3g}"


def _plain(cell: object) -> object:
    if isinstance(cell, datetime):
        return cell.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    if isinstance(cell, dict):
        return {key: _plain(each) for key, each in cell.items()}
    return [_plain(each) for each in cell] if isinstance(cell, (list, tuple)) else cell
