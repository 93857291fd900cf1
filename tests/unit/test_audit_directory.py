"""The directory of an audit's export is removed, however the audit ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dbt_batch_sync.audit.run import temporary_directory

KILLED = """
import os, signal
from dbt_batch_sync.audit.run import temporary_directory
with temporary_directory() as directory:
    (directory / "export").write_text("ada@example.com")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_leftovers_of_a_killed_audit_are_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    other = tmp_path / "dbt-batch-sync-audit-elsewhere-1-x"
    other.mkdir()
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert len(list(tmp_path.glob("*/export"))) == 1
    with temporary_directory() as first, temporary_directory() as second:
        assert not list(tmp_path.glob("*/export"))
        assert {*tmp_path.iterdir()} == {first, second, other}
    assert [*tmp_path.iterdir()] == [other], "made on another host, whose processes are unknown here"
