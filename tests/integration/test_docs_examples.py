"""The docs' examples work: mappings and profiles are parsed, faults set, commands run."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from harness.markdown import Block, Document, documents, read

from dbt_batch_sync.connections.outputs import PROFILE, read_output
from dbt_batch_sync.connections.profiles import DbtOptions
from dbt_batch_sync.errors import MappingError
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.sandbox.knobs import read_settings

KEYS = {
    "BATCH_REST_API_KEY": "key",
    "BATCH_PROJECT_KEY": "project_key",
    "SLACK_WEBHOOK_URL": "https://hooks.example.com/services/T/B/x",
}
"""Environment variables that the docs' profiles use."""

RUNNABLE = "shell runnable"
PORT = "8700"
"""The sandbox's default port, replaced by a free one."""

PRELUDE = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


@dataclass(frozen=True)
class Example:
    """A block, the text after it in its document, and its location."""

    block: Block
    following: Block | None
    name: str


def examples(info: str, containing: str = "") -> list[Example]:
    """The blocks of this kind in all documents."""
    found = []
    for document in documents():
        blocks = document.blocks
        for number, block in enumerate(blocks):
            if block.info == info and containing in block.text:
                following = blocks[number + 1] if number + 1 < len(blocks) else None
                found.append(Example(block, following, f"{document.name}-{number}"))
    return found


def named(example: Example) -> str:
    return example.name


def mapping_in(text: str) -> object:
    """The mapping in a model's YAML, or the whole text."""
    document = yaml.safe_load(text)
    if "models" in document:
        document = document["models"][0]["config"]["meta"]
    return document["batch_sync"]


@pytest.mark.parametrize("example", examples("yaml", "batch_sync:\n"), ids=named)
def test_mappings_are_valid(example: Example) -> None:
    if f"{PROFILE}:" not in example.block.text:
        parse_mapping("crm_contacts", mapping_in(example.block.text), "models/crm.yml")


@pytest.mark.parametrize("example", examples("yaml wrong"), ids=named)
def test_a_wrong_mapping_gives_the_message_below_it(example: Example) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping("crm_contacts", mapping_in(example.block.text), "models/crm.yml")
    lines = [f"{problem.key}: {problem.message}" for problem in caught.value.problems]
    assert example.following is not None
    assert example.following.text.splitlines() == lines


@pytest.mark.parametrize("example", examples("yaml", f"{PROFILE}:\n"), ids=named)
def test_profiles_are_valid(example: Example, tmp_path: Path) -> None:
    check_profile(example.block.text, tmp_path)


def test_the_profiles_example(tmp_path: Path) -> None:
    check_profile(read("profiles.yml.example").text, tmp_path)


def check_profile(text: str, directory: Path) -> None:
    """Assert that every output of the profile is usable."""
    (directory / "profiles.yml").write_text(text, encoding="utf-8")
    options = DbtOptions(project_dir=directory, profiles_dir=directory, environ=KEYS)
    outputs = yaml.safe_load(text)[PROFILE]["outputs"]
    assert {read_output(options, name).name for name in outputs} == set(outputs)


@pytest.mark.parametrize("example", examples("json", '"reject_ids"'), ids=named)
def test_the_sandbox_accepts_the_settings(example: Example) -> None:
    assert read_settings(json.loads(example.block.text)).keys() >= {"latency", "reject_ids"}


@pytest.mark.parametrize("example", examples("python"), ids=named)
def test_python_compiles_and_its_imports_exist(example: Example) -> None:
    for node in ast.walk(ast.parse(example.block.text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def scripts() -> list[Document]:
    """The documents with runnable blocks."""
    return [each for each in documents() if any(block.info == RUNNABLE for block in each.blocks)]


@pytest.mark.parametrize("document", scripts(), ids=lambda document: document.name)
def test_commands_run_as_written(document: Document, tmp_path: Path, path: str) -> None:
    output = run(document, tmp_path, path)
    accepted = [
        int(found) for found in re.findall(r" ([1-9]\d*) +(?:0|\d+ [a-z]+) +[\d.]+ s$", output, re.MULTILINE)
    ]
    expected = {"README.md": [2, 1], "docs/tutorial.md": [4, 3, 1]}
    assert accepted[: len(expected[document.name])] == expected[document.name]
    assert [line for line in shown_output(document) if not re.search(line, output, re.MULTILINE)] == []
    # The guard at the end of the tutorial.
    assert ("push once with --force" in output) == (document.name == "docs/tutorial.md")


def shown_output(document: Document) -> list[str]:
    """The output lines shown in a document, as patterns: `…` matches what varies."""
    lines = (
        line for block in document.blocks if block.info == "text printed" for line in block.text.splitlines()
    )
    return [f"^{'.*'.join(map(re.escape, re.split(' *… *', line)))} *$" for line in lines if line.strip(" …")]


def run(document: Document, directory: Path, path: str) -> str:
    """Run a document's script with the programs in `path` and a free port. Return its output."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    script = PRELUDE + "\n".join(block.text for block in document.blocks if block.info == RUNNABLE)
    script = script.replace("sync sandbox", f"sync sandbox --port {port}").replace(PORT, port)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={
            **os.environ,
            "PATH": path,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
