"""Where results are shown: standard output, for people or as JSON. All else is on standard error."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from dbt_batch_sync.results import Result


def out() -> Console:
    """Standard output; rich leaves colors out where it is no terminal, or NO_COLOR is set."""
    return _console(stderr=False)


def err() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    # A pipe has no width: a table in it is as wide as its cells.
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, soft_wrap=True, width=10_000)
    )


def print_json(document: dict[str, object]) -> None:
    """One document on standard output."""
    sys.stdout.write(json_text(document))
    sys.stdout.flush()


_Result = TypeVar("_Result", bound="Result")


def answer(result: _Result, show: Callable[[_Result], None], as_json: bool) -> None:
    """A result as one document, or as `show` does."""
    if as_json:
        print_json(result.to_json())
    else:
        show(result)


def json_text(document: dict[str, object]) -> str:
    """A document as it is printed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def error(message: str) -> None:
    """A message on standard error, as it is."""
    err().print(f"[red bold]Error:[/] {escape(message)}")


@contextmanager
def handling(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """In here, SIGINT and SIGTERM are handled like this."""
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
