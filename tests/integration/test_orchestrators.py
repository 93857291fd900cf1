"""The pre-commit hooks work, and the docs name them."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml
from harness.markdown import read
from harness.project import ROOT, Project

HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def run(project: Project) -> dict[str, int]:
    """The exit codes of the hooks in a project."""
    codes = {}
    for hook in HOOKS:
        program, *arguments = shlex.split(hook["entry"])
        assert program == "dbt-batch-sync"
        codes[hook["id"]] = project.call(*arguments).returncode
    return codes


def test_hooks_reject_errors(project: Project) -> None:
    validate, generate = (hook["id"] for hook in HOOKS)
    project.map({"identifier": "id", "custom": ["a"]}, models=())
    project.dbt("parse")
    assert run(project) == {validate: 0, generate: 1}
    assert project.call("generate").returncode == 0
    project.dbt("parse")
    assert run(project) == {validate: 0, generate: 0}
    project.map({"identifer": "id", "custom": ["a"]}, models=())
    project.dbt("parse")
    assert run(project) == {validate: 2, generate: 2}


def test_hooks_run_for_the_files_they_read_and_take_no_file_names() -> None:
    for hook in HOOKS:
        assert (hook["language"], hook["pass_filenames"]) == ("python", False)
        for name in (
            "dbt_project.yml",
            "shop/dbt_project.yml",
            "models/a.sql",
            "models/a.yml",
            "models/b.yaml",
        ):
            assert re.search(hook["files"], name), name
        assert not re.search(hook["files"], "README.md")


def test_the_docs_name_every_hook() -> None:
    page = read("docs/checks.md")
    (example,) = [yaml.safe_load(block.text) for block in page.blocks if block.info == "yaml"]
    used = [hook["id"] for repo in example["repos"] if repo["repo"] != "local" for hook in repo["hooks"]]
    assert used == [hook["id"] for hook in HOOKS]
    assert all(f"`{hook['entry']}`" in page.text for hook in HOOKS)
