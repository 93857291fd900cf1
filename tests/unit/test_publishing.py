"""Release and CI files agree with the repository: versions, links, targets, adapters, manifests."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from harness.markdown import read
from harness.project import ROOT

from dbt_batch_sync import __version__

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def loaded(name: str) -> ModuleType:
    """Import a program of `.ci` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_can_be_released(capsys: pytest.CaptureFixture[str]) -> None:
    """Every file has the same version, and the changelog has its section."""
    assert loaded("release_notes").main(f"v{__version__}") == 0
    assert "**Sync dbt models to Batch**" in capsys.readouterr().out


@pytest.mark.parametrize(
    "heading", ["## [0.1.0] - not released yet", "## [0.1.0]", "## [0.1.0-rc] - 2026-01-01"]
)
def test_a_version_without_a_date_is_not_released(heading: str, tmp_path: Path) -> None:
    program = loaded("release_notes")
    program.ROOT = tmp_path
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n- Something.\n")
    assert program.notes("0.1.0") == ""


@pytest.mark.parametrize(
    ("repository", "line", "expected"),
    [
        (
            "",
            "[a](docs/a.md#b) ![p](p.svg) [c](https://x.example/) [d](#d)",
            "a  [c](https://x.example/) [d](#d)",
        ),
        ("https://g.example/r", "[a](docs/a.md#b)", "[a](https://g.example/r/blob/v1/docs/a.md#b)"),
        ("https://g.example/r", "![p](docs/p.svg)", "![p](https://g.example/r/raw/v1/docs/p.svg)"),
    ],
)
def test_the_readme_on_the_package_index_has_no_relative_links(
    repository: str, line: str, expected: str
) -> None:
    assert loaded("metadata").readme(line, repository, "v1") == expected


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_existing_targets(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    targets = {
        target
        for job in workflow["jobs"].values()
        for target in job.get("strategy", {}).get("matrix", {}).get("target", [])
    }
    targets |= set(re.findall(r"run: make ([a-z][\w-]*)", path.read_text()))
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    names = re.findall(r"^(?:WAREHOUSES|ORCHESTRATORS|DBT_VERSIONS) := (.*)$", MAKEFILE, re.MULTILINE)
    known = {*phony[1].split(), "test-dbt-2", *(f"test-{each}" for line in names for each in line.split())}
    assert targets - known == set()


def test_the_docs_are_deployed_by_version() -> None:
    found = {path.name: re.findall(r"make docs-deploy (.*)", path.read_text()) for path in WORKFLOWS}
    assert found["docs.yml"] == ["VERSION=dev"]
    (release,) = found["release.yml"]
    script = release.split(" #")[0].replace("VERSION=", "echo ").replace(" ALIAS=", " ")
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "GITHUB_REF_NAME": "v1.20.3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1.20", "latest"]


def test_the_image_is_built_with_every_adapter() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    adapters = workflow["jobs"]["image"]["strategy"]["matrix"]["adapter"]
    (row,) = (row for row in read("docs/deploy.md").table() if row[0] == "`ADAPTER`")
    assert re.findall(r"`(\w+)`", row[2]) == adapters
    extras = re.findall(r"^(\w+) = \[\"dbt-core", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(adapters) == set(extras) - {"spark"}  # a Spark session needs Java


def test_the_manifests_of_the_docs() -> None:
    blocks = {
        block.info: yaml.safe_load(block.text)
        for block in read("docs/deploy.md").blocks
        if "yaml" in block.info
    }
    assert blocks["yaml kubernetes"]["spec"]["concurrencyPolicy"] == "Forbid"
    assert blocks["yaml cloud-run"]["kind"] == "Job"
