"""`init` adds the package to the right file and changes nothing else in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from dbt_batch_sync import __version__
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.scaffold.installation import init

ENTRY = "local: packages/dbt_batch_sync"


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("packages.yml", None, f"packages:\n  - {ENTRY}\n"),
        ("packages.yml", "", f"packages:\n  - {ENTRY}\n"),
        ("packages.yml", "# ours\n", f"# ours\npackages:\n  - {ENTRY}\n"),
        ("packages.yml", "packages:\n- local: x\n", f"packages:\n- {ENTRY}\n- local: x\n"),
        (
            "packages.yml",
            "packages: # a\n    - local: x\n",
            f"packages: # a\n    - {ENTRY}\n    - local: x\n",
        ),
        ("packages.yml", '"packages":\n  - local: x\n', f'"packages":\n  - {ENTRY}\n  - local: x\n'),
        ("packages.yml", "packages:\r\n  - local: x\r\n", f"packages:\r\n  - {ENTRY}\r\n  - local: x\r\n"),
        ("packages.yml", "\ufeffpackages:\n  - local: x\n", f"\ufeffpackages:\n  - {ENTRY}\n  - local: x\n"),
        ("packages.yml", "packages:\n  # none yet\n", f"packages:\n  - {ENTRY}\n  # none yet\n"),
        ("packages.yml", "packages: []\n", f"packages:\n  - {ENTRY}\n"),
        ("packages.yml", "packages: [{local: x}]\n", f"packages: [{ENTRY}, local: x]\n"),
        ("packages.yml", "{packages: [{local: x}]}\n", f"{{packages: [{ENTRY}, local: x]}}\n"),
        (
            "packages.yml",
            "packages :\n  - git: \"{{ env_var('X') }}\"  # ours\n    revision: 1.0\n\n# end\n",
            f"packages:\n  - {ENTRY}\n  - git: \"{{{{ env_var('X') }}}}\"  # ours\n    revision: 1.0\n\n# end\n",
        ),
        ("dependencies.yml", "packages:\n", f"packages:\n  - {ENTRY}\n"),
        ("dependencies.yml", "packages: [{local: x}]\n", f"packages: [{ENTRY}, local: x]\n"),
        ("dependencies.yml", "packages:\n  - local: x\n", f"packages:\n  - {ENTRY}\n  - local: x\n"),
        (
            "dependencies.yml",
            "projects:\n  - name: other\npackages:\n  - local: x\n",
            f"projects:\n  - name: other\npackages:\n  - {ENTRY}\n  - local: x\n",
        ),
    ],
)
def test_an_entry_is_added_and_nothing_else_changes(
    tmp_path: Path, file: str, before: str | None, after: str
) -> None:
    path = tmp_path / file
    if before is not None:
        path.write_bytes(before.encode())
    assert init(tmp_path).by_hand is None
    assert path.read_bytes().decode() == after
    assert "left as it is" in init(tmp_path).done[-1]
    assert path.read_bytes().decode() == after
    assert sorted(each.name for each in tmp_path.glob("*.yml")) == [file]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("packages.yml", "packages: {{ x }}\n"),
        ("packages.yml", "packages: '{{ x }}'\n"),
        ("packages.yml", "- local: x\n"),
        ("packages.yml", b"packages:\n  - local: caf\xe9\n"),
        ("dependencies.yml", "packages: '{{ x }}'\n"),
        ("packages.yml", "packages:\n  - local: x\npackages:\n  - local: y\n"),
    ],
)
def test_unsupported_files_are_left_alone(tmp_path: Path, file: str, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / file).write_bytes(content)
    installed = init(tmp_path)
    assert (installed.file, installed.by_hand) == (file, f"  - {ENTRY}\n")
    assert (tmp_path / file).read_bytes() == content
    assert not (tmp_path / "packages.yml").exists() or file == "packages.yml"


def test_dependencies_without_packages_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "dependencies.yml").write_text("projects:\n  - name: other\n")
    assert init(tmp_path).file == "packages.yml"
    assert (tmp_path / "dependencies.yml").read_text() == "projects:\n  - name: other\n"


def test_the_tag_of_this_version_must_be_in_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "macros"
    git = ("git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    with pytest.raises(ConfigurationError, match=f"has no tag v{__version__}. Choose .* with --revision"):
        init(tmp_path, str(repository))
    assert not (tmp_path / "packages.yml").exists()
    subprocess.run([*git, "tag", f"v{__version__}"], check=True)
    assert init(tmp_path, str(repository)).by_hand is None
    assert f"revision: v{__version__}" in (tmp_path / "packages.yml").read_text()


def test_an_unreachable_repository_is_assumed_to_have_it(tmp_path: Path) -> None:
    init(tmp_path, str(tmp_path / "nowhere"))
    assert f"revision: v{__version__}" in (tmp_path / "packages.yml").read_text()


def test_a_git_revision(tmp_path: Path) -> None:
    init(tmp_path, "https://git.example/x.git", "v9")
    entry = {"git": "https://git.example/x.git", "revision": "v9"}
    assert yaml.safe_load((tmp_path / "packages.yml").read_text()) == {"packages": [entry]}
    assert not (tmp_path / "packages").exists()


@pytest.mark.parametrize(
    "listed",
    ["local: packages/dbt_batch_sync", "git: https://git.example/Org/dbt-batch-sync.git\n    revision: v0"],
)
def test_the_package_is_never_listed_twice(tmp_path: Path, listed: str) -> None:
    init(tmp_path)
    (tmp_path / "packages.yml").write_text(f"packages:\n  - local: x\n  - {listed}\n")
    init(tmp_path, "https://git.example/x.git", "v9")
    entry = "git: https://git.example/x.git\n    revision: v9"
    assert (tmp_path / "packages.yml").read_text() == f"packages:\n  - local: x\n  - {entry}\n"
    assert "in place of the other entry" in init(tmp_path, "https://git.example/x.git", "v10").done[-1]
    assert "revision: v10" in (tmp_path / "packages.yml").read_text()
    assert (tmp_path / "packages.yml").read_text().count("git:") == 1
