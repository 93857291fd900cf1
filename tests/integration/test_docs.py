"""The docs match the code: verbs, options, keys, columns, documents, links and tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

import pytest
import typer.main
from harness.markdown import Document, anchors, codes, documents, links, read
from harness.project import ROOT, Project
from typer.core import TyperGroup, TyperOption

from dbt_batch_sync.artifacts.compiled import Origin
from dbt_batch_sync.cli.app import app
from dbt_batch_sync.connections.outputs import Output
from dbt_batch_sync.kinds import audience, catalog, deletions, profiles
from dbt_batch_sync.kinds.attributes import STANDARD_ATTRIBUTES
from dbt_batch_sync.ledger.audits import Audited
from dbt_batch_sync.ledger.records import EventName, RejectCount, RejectedKey, Rejection, Run
from dbt_batch_sync.ledger.requests import Request
from dbt_batch_sync.mapping.mapping import Guards
from dbt_batch_sync.mapping.validation import names_of
from dbt_batch_sync.results.look import (
    AttributeLineage,
    AuditResult,
    Change,
    Difference,
    DriftSample,
    Flapping,
    LineageResult,
    Pending,
    PlanResult,
    ProfileResult,
    RejectsResult,
    Sample,
    StatusResult,
    SyncAudited,
    SyncLineage,
    SyncPlanned,
    SyncProfile,
    SyncRejects,
    SyncStatus,
    ValidateResult,
)
from dbt_batch_sync.results.sync import EXIT_CODES, PushResult, ResendResult, SyncPushed
from dbt_batch_sync.sandbox.knobs import KNOBS

COMMANDS = read("docs/commands.md")
MAPPING = read("docs/mapping.md")
MACROS = read("docs/macros.md")
SANDBOX = read("docs/sandbox.md")
GUARANTEES = read("docs/delivery-guarantees.md")
GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
VERBS = GROUP.commands
DBT = "Options of dbt"
NOW = datetime(2026, 4, 1, 6)


def options(verb: str, *, of_dbt: bool) -> Iterator[TyperOption]:
    """A verb's options except `--help`: those shared with dbt (`of_dbt`), or the others."""
    for option in VERBS[verb].params:
        shared = getattr(option, "rich_help_panel", None) == "dbt"
        if isinstance(option, TyperOption) and "--help" not in option.opts and shared is of_dbt:
            yield option


def written(section: Document) -> set[tuple[frozenset[str], frozenset[str]]]:
    """The options in a section's first table, with their environment variables."""
    return {(frozenset(codes(row[0])), frozenset(codes(row[1]))) for row in section.table()}


def existing(found: Iterator[TyperOption]) -> set[tuple[frozenset[str], frozenset[str]]]:
    """The same for the command line's own options."""
    named = ((option, option.envvar or ()) for option in found)
    return {
        (
            frozenset((*option.opts, *option.secondary_opts)),
            frozenset([names] if isinstance(names, str) else names),
        )
        for option, names in named
    }


def test_every_verb_has_a_section_and_is_listed() -> None:
    listed = {verb for row in COMMANDS.table() for verb in codes(row[1])}
    sections = {
        title.strip("`") for title in COMMANDS.headings if title.startswith("`") and ".yml" not in title
    }
    assert listed == set(VERBS)
    assert sections == set(VERBS)


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_the_options_in_commands_exist(document: Document) -> None:
    """The options that the docs pass to a verb are options of that verb."""
    always = {"--help", "--version", "--install-completion", "--show-completion"}
    text = document.text.replace("\\\n", " ")
    for verb, rest in re.findall(r"dbt-batch-sync (\w+)([^`\n|;&#]*)", text):
        if verb in VERBS:
            known = {name for each in VERBS[verb].params for name in (*each.opts, *each.secondary_opts)}
            shared = {
                name for each in options("push", of_dbt=True) for name in (*each.opts, *each.secondary_opts)
            }
            given = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest))
            assert given - known - shared - always == set(), f"{verb}{rest}"


def test_the_options_of_dbt() -> None:
    shared = {verb: existing(options(verb, of_dbt=True)) for verb in VERBS}
    assert written(COMMANDS.section(DBT)) == shared["push"]
    assert all(found == shared["push"] for verb, found in shared.items() if verb not in ("sandbox", "demo"))


def test_exit_codes() -> None:
    listed = {
        int(code) for row in COMMANDS.section("Exit codes").table() for code in re.findall(r"\d+", row[0])
    }
    assert listed == {*EXIT_CODES.values(), 2, 143}


def test_statuses_of_a_push() -> None:
    section = COMMANDS.section("`push`")
    head = "| Status | Meaning |"
    _, _, after = section.text.partition(head)
    assert {codes(row[0])[0] for row in Document("", head + after).table()} == set(EXIT_CODES)


SYNC = SyncPlanned(
    "s",
    "d",
    "o",
    "update",
    **{"inserts": 1, "updates": 0, "exits": 0, "invalid": 1},
    invalid_reasons={"r": 1},
    attributes={"a": 1},
    requests=1,
    seconds=0.0,
    samples=(Sample("p", "c", "a", "o", "n"),),
    flapping=(Flapping("a", 10, 20),),
)
AUDITED = SyncAudited(
    "s",
    "profiles",
    differences=(Difference("a", "other_value", 1),),
    samples=(DriftSample("p", "a", "other_value", "o", "b"),),
)
REQUEST = Request("s", "i", "all", NOW)
DOCUMENTS: Mapping[str, dict[str, object]] = {
    "validate": ValidateResult(True, ("s",)).to_json(),
    "plan": PlanResult((SYNC,)).to_json(),
    "lineage": LineageResult(
        (SyncLineage("s", (AttributeLineage("a", "c", (Origin("seed", "t", "c"),)),)),), ()
    ).to_json(),
    "push": PushResult("r", NOW, NOW, (SyncPushed("s", "profiles", "succeeded"),)).to_json(),
    "audit": AuditResult(0.0, (AUDITED,), ("dbt run",)).to_json(),
    "resend": ResendResult("all", (REQUEST,), ("dbt run",)).to_json(),
    "status": StatusResult(
        (
            SyncStatus(
                "s",
                (Run("r", "s", "partial", NOW),),
                0,
                (REQUEST,),
                audit=Audited("s", "a", NOW, NOW, 1, 0, 0),
            ),
        )
    ).to_json(),
    "profile": ProfileResult(
        "c",
        (
            SyncProfile(
                "s",
                NOW,
                "r",
                None,
                {"a": "b"},
                (),
                Pending("update", None, (Change("a", "b", "c"),)),
                (Rejection("a", "r", "batch", "r", NOW, None),),
            ),
        ),
    ).to_json(),
    "rejects": RejectsResult(
        (
            SyncRejects(
                "s",
                "t",
                (RejectCount("s", "a", "r", "batch", 1, NOW, NOW),),
                "profiles",
                {"r": 1},
                (RejectedKey("k", "a", "r"),),
            ),
        )
    ).to_json(),
}


@pytest.mark.parametrize("verb", sorted(DOCUMENTS))
def test_documents_have_the_documented_keys(verb: str) -> None:
    block = next(each for each in COMMANDS.section(f"`{verb}`").blocks if each.info == "json")
    assert shape(json.loads(block.text)) == shape(DOCUMENTS[verb])


def test_every_verb_with_a_document_shows_it() -> None:
    """`adopt` refers to the document of `push`."""
    with_json = {
        verb for verb, command in VERBS.items() if any("--json" in each.opts for each in command.params)
    }
    assert with_json == {*DOCUMENTS, "adopt"}


def shape(value: object) -> object:
    """A document's keys, sorted. Values, and mappings whose keys are data, become one dot."""
    if isinstance(value, dict):
        free = ("attributes", "invalid", "invalid_reasons", "expected")
        return {
            key: "." if key in free and isinstance(each, dict) else shape(each) for key, each in value.items()
        }
    return [shape(value[0])] if isinstance(value, list | tuple) and value else "."


def test_keys_of_a_mapping() -> None:
    tables = MAPPING.section("Keys")
    _, entry, rest = tables.text.partition("An entry of `custom`")
    assert first_column(tables) == names_of(profiles._Form)
    assert first_column(Document("", entry + rest)) == names_of(profiles._Entry)
    assert {*first_column(MAPPING.section("Guards")), "max_rows"} == set(names_of(Guards))
    assert first_column(MAPPING.section("Standard attributes")) == STANDARD_ATTRIBUTES


@pytest.mark.parametrize("kind", [audience, catalog, deletions], ids=lambda kind: str(kind.NAME))
def test_keys_of_another_kind(kind: Any) -> None:
    page = read(f"docs/kinds/{kind.NAME}.md")
    assert ("kind", *first_column(page)) == names_of(kind._Form)


def test_keys_of_an_output() -> None:
    assert set(first_column(COMMANDS.section("`profiles.yml`"))) == set(names_of(Output))


def test_the_settings_of_the_sandbox_exist() -> None:
    rows = SANDBOX.section("Settings").table()
    assert {name for row in rows for name in codes(row[0])} - set(KNOBS) == set()


def first_column(section: Document) -> tuple[str, ...]:
    """The names in the first column of a section's first table."""
    return tuple(codes(row[0])[0] for row in section.table())


def test_columns_of_the_relations(project: Project) -> None:
    project.map({"identifier": "id", "standard": {"email_address": "email"}, "custom": ["points"]})
    project.set_rows({"id": "varchar", "email": "varchar", "points": "integer"}, [{"id": "1", "points": 1}])
    project.sync()
    for relation, title in (("people_delta", "The delta"), ("people_sent_snapshot", "The snapshot")):
        found = [row["column_name"] for row in project.query(f"describe {relation}")]
        own = [name for name in found if name not in ("batch__email_address", "points")]
        assert list(first_column(MACROS.section(title))) == own
    head = "| Column |"
    for relation in ("batch_sync_journal", "batch_sync_rejects", "batch_sync_drift", "batch_sync_runs"):
        found = [row["column_name"] for row in project.query(f"describe {relation}")]
        _, _, after = MACROS.section(f"`{relation}`").text.partition(head)
        listed = [name for row in Document("", head + after).table() for name in codes(row[0])]
        assert sorted(listed) == sorted(found)


def test_events_of_the_journal() -> None:
    section = MACROS.section("`batch_sync_journal`")
    assert {name for row in section.table() for name in codes(row[0])} == {*get_args(EventName), "merged"}


def test_public_macros_exist_and_each_file_of_them_is_named() -> None:
    listed = {codes(row[0])[0].split("(")[0] for row in MACROS.section("The two models").table()}
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "macros").rglob("*.sql"))
    assert {name for name in listed if f"macro {name}(" not in text} == set()


def test_links_work() -> None:
    broken = [
        f"{document.name}: {path.name}#{anchor}"
        for document in documents()
        for path, anchor in links(document)
        if not path.exists()
        or (anchor and anchor not in anchors(read(str(path.resolve().relative_to(ROOT)))))
    ]
    assert broken == []


def test_every_page_is_linked() -> None:
    pages = {path.resolve() for path in ROOT.glob("docs/**/*.md")}
    linked = {path.resolve() for document in documents() for path, _ in links(document)}
    assert {str(page.relative_to(ROOT)) for page in pages - linked} == set()


def test_the_tests_named_in_the_guarantees_exist() -> None:
    rows = [row for row in re.findall(r"^\|.*\|$", GUARANTEES.text, re.MULTILINE) if "tests/" in row]
    named = [name for row in rows for name in codes(row) if name.startswith("tests/")]
    assert len(named) >= 10
    for name in named:
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), name
