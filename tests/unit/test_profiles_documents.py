"""Reading valid and invalid YAML files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_batch_sync.connections.profiles import read_yaml
from dbt_batch_sync.errors import ProfileError


def write(directory: Path, content: str | bytes) -> Path:
    path = directory / "profiles.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 1", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("é: ☃", {"é": "☃"}),
    ],
)
def test_read(tmp_path: Path, content: str, value: object) -> None:
    assert read_yaml(write(tmp_path, content)) == value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [", "line 1, column 5: is not valid YAML"),
        ("ok: 1\nb: {", "line 2, column 5"),
        ("a: %s3cret", "is not valid YAML"),
        ("a: *s3cret", "is not valid YAML"),
        ("a: !!python/object/apply:os.system ['exit 3']", "is not valid YAML"),
        ("a: !s3cret b", "is not valid YAML"),
        ("a: 2026-13-45", "is not valid YAML"),
        ("a: !!timestamp s3cret", "is not valid YAML"),
        ("a: !!int s3cret", "is not valid YAML"),
        ("a: !!int ''", "is not valid YAML"),
        ("a: !!bool s3cret", "is not valid YAML"),
        ("a: " + "9" * 5000, "is not valid YAML"),
        ("? [a]\n: b", "is not valid YAML"),
        ("a: 1\n---\nb: 2", "is not valid YAML"),
        ("a: \x00", "is not valid YAML"),
        (b"a: \xff", "is not valid YAML"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_error(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        read_yaml(write(tmp_path, content))
    assert words in str(caught.value)
    assert str(tmp_path / "profiles.yml") in str(caught.value)
    assert "s3cret" not in str(caught.value).replace(str(tmp_path), "")


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yml"):
        with pytest.raises(ProfileError, match="can't be read"):
            read_yaml(path)
