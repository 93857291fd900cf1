"""Where an audit keeps an export while it compares: personal data, which no audit may leave behind."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbt_batch_sync.ledger.state import process_exists, this_host


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory that only this user reads, removed in any case: what a killed audit of this host left is
    removed by the next one.
    """
    host = hashlib.sha256(this_host().encode()).hexdigest()[:8]
    prefix = f"dbt-batch-sync-audit-{host}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        process = left.name.removeprefix(prefix).partition("-")[0]
        if process.isdigit() and not process_exists(int(process)):
            shutil.rmtree(left, ignore_errors=True)
    own = f"{prefix}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=own, ignore_cleanup_errors=True) as name:
        yield Path(name)
