"""Where results are shown: standard output, for people or as JSON. All else is on standard error."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.markup import escape

from dbt_batch_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from dbt_batch_sync.results import Result


def out() -> Console:
    """Standard output. rich omits colors if it is not a terminal or NO_COLOR is set."""
    return _console(stderr=False)


def err() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    # A pipe has no width, so a table is as wide as its cells.
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, soft_wrap=True, width=10_000)
    )


def print_json(document: dict[str, object]) -> None:
    sys.stdout.write(json_text(document))
    sys.stdout.flush()


_Result = TypeVar("_Result", bound="Result")


def answer(result: _Result, show: Callable[[_Result], None], as_json: bool) -> None:
    """Prints a result as JSON, or with `show`."""
    if as_json:
        print_json(result.to_json())
    else:
        show(result)


def json_text(document: dict[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def write(path: Path, text: str) -> None:
    """Writes the file of `--out` atomically: readers see the old text or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a device, such as /dev/stdout
            path.write_text(text, encoding="utf-8")
            return
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--out: {path} can't be written: {error.strerror}") from None


def error(message: str) -> None:
    """Prints a message on standard error, without markup."""
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
