"""Starts or resumes an export, waits for it, and loads its files one by one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dbt_batch_sync.audit import AuditObserver, Wait
from dbt_batch_sync.audit.comparison import Comparison, room
from dbt_batch_sync.batch_api.exports import Exports, View
from dbt_batch_sync.errors import DeliveryError
from dbt_batch_sync.ledger.state import process_exists, this_host

WAITS = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0)
"""Seconds between polls of an export; the last one repeats."""


def begin(exports: Exports, names: Sequence[str], observer: AuditObserver) -> str:
    """Requests an export of these attributes and returns its id."""
    observer.state("asking Batch for an export")
    export_id = exports.start(sorted(names))
    observer.exporting(export_id)
    return export_id


def load(
    exports: Exports, export_id: str, into: Comparison, directory: Path, wait: Wait, observer: AuditObserver
) -> None:
    """Waits for an export and loads its files."""
    view = _finished(exports, export_id, wait, observer)
    for number, url in enumerate(view.files, 1):
        observer.state(f"{export_id}: file {number} of {len(view.files)}")
        path = directory / "downloaded.jsonl"
        exports.download(url, path)
        into.add_exported(path)
        path.unlink()
    into.check()


def _finished(exports: Exports, export_id: str, wait: Wait, observer: AuditObserver) -> View:
    began, looks = wait.now(), 0
    while True:
        view = exports.view(export_id)
        if view.state == "SUCCESS":
            return view
        if view.state == "ERROR":
            raise DeliveryError(f"Batch could not make the export {export_id} (ERROR). Run the audit again")
        observer.state(f"{export_id}: {view.state.lower()}, {wait.now() - began:.0f} s")
        wait.seconds(WAITS[min(looks, len(WAITS) - 1)])
        looks += 1


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A private directory, removed in any case: the next audit removes what a killed one left. Raises
    DeliveryError if there is no room for it.
    """
    host = hashlib.sha256(this_host().encode()).hexdigest()[:8]
    prefix = f"dbt-batch-sync-audit-{host}-"
    with room():
        for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            process = left.name.removeprefix(prefix).partition("-")[0]
            if process.isdigit() and not process_exists(int(process)):
                shutil.rmtree(left, ignore_errors=True)
        own = f"{prefix}{os.getpid()}-"
        directory = tempfile.TemporaryDirectory(prefix=own, ignore_cleanup_errors=True)
    with directory as name:
        yield Path(name)
