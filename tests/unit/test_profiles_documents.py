"""YAML files that anybody may have written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dbt_batch_sync.connections.documents import MAX_YAML_BYTES, read_yaml
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


def bomb(step: str, depth: int = 30) -> str:
    return "k0: &k0 {a: 1, b: 2}\n" + "".join(step.format(n, n - 1) for n in range(1, depth))


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
        (b"a: \xff", "is not UTF-8 text"),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 51 + "1" + "}" * 51, "nested too deeply"),
        ("- 1\n" * 50_001, "too many entries"),
        ("a: &a 1\nb: [" + "*a," * 1_001 + "]", "too many entries or aliases"),
        (bomb("k{0}: &k{0} {{<<: [*k{1}, *k{1}, *k{1}, *k{1}]}}\n"), "too many entries or aliases"),
        ("a: " + "x" * MAX_YAML_BYTES, "is larger than"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_error(tmp_path: Path, content: str | bytes, words: str) -> None:
    started = time.process_time()
    with pytest.raises(ProfileError) as caught:
        read_yaml(write(tmp_path, content))
    assert words in str(caught.value)
    assert str(tmp_path / "profiles.yml") in str(caught.value)
    assert "s3cret" not in str(caught.value).replace(str(tmp_path), "")
    assert time.process_time() - started < 5


def test_a_bomb_of_aliases_is_read_in_no_time_and_is_small(tmp_path: Path) -> None:
    assert isinstance(read_yaml(write(tmp_path, bomb("k{0}: &k{0} [*k{1}, *k{1}]\n"))), dict)


def test_the_limits_are_beyond_what_people_write(tmp_path: Path) -> None:
    assert read_yaml(write(tmp_path, "{a: " * 49 + "1" + "}" * 49)) is not None
    assert read_yaml(write(tmp_path, "a: &a 1\nb: [" + "*a," * 1_000 + "]")) is not None


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yml"):
        with pytest.raises(ProfileError, match="is not a file"):
            read_yaml(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_a_pipe_does_not_hang_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(ProfileError, match="is not a file"):
        read_yaml(tmp_path / "pipe.yml")
