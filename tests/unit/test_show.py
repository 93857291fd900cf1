"""The human-readable output of the read-only verbs."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from dbt_batch_sync.cli import check, look, show, sync
from dbt_batch_sync.ledger.records import RejectCount, RejectedKey, Rejection, Run
from dbt_batch_sync.ledger.requests import Request
from dbt_batch_sync.results.look import (
    Change,
    Flapping,
    Occurrence,
    Pending,
    PlanResult,
    ProfileResult,
    RejectsResult,
    Sample,
    StatusResult,
    SyncPlanned,
    SyncProfile,
    SyncRejects,
    SyncStatus,
)
from dbt_batch_sync.results.sync import PushResult, ResendResult, SyncPushed

NOW = datetime(2026, 4, 1, 6)
PLANNED = SyncPlanned(
    "people",
    "d1",
    "prod",
    "update",
    inserts=1,
    updates=2,
    exits=1,
    invalid=3,
    parked=4,
    invalid_reasons={"null_identifier": 3},
    resubscriptions=1,
    attributes={"batch__language": 3},
    requests=1,
    samples=(Sample("c•••", "update", "batch__language", "A|••", "B••"),),
    stops=("dbt is at work",),
    guards=("too many",),
    flapping=(Flapping("batch__region", 6, 12),),
)
RUN = Run(
    "r1", "people", "partial", NOW, inserts=3, accepted=3, rejected_rows=1, rejected_attributes=2, parked=5
)
NOBODY = SyncProfile("people", None, None, None, {}, (), None, ())


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The printed lines, with runs of spaces collapsed."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    check.planned(
        PlanResult((PLANNED, SyncPlanned("empty", None), SyncPlanned("new", None, stops=("unbuilt",))))
    )
    assert printed(capsys) == [
        "people → prod",
        "A push would stop: dbt is at work",
        "1 insert · 2 updates · 1 exit → 1 request to update, about a second",
        "A guard would stop the push: too many",
        "not sent: 3 rows invalid (3 null_identifier) · 4 rows parked · 1 resubscription (never_resubscribe)",
        "`region` flaps: it changes again for 6 of the 12 rows of the last push. Does its column change "
        "with every build?",
        "Attribute Rows",
        "language 3",
        "Profile Change Attribute From To",
        "c••• update language A|•• B••",
        "empty",
        "nothing to send: the delta is empty",
        "new",
        "A push would stop: unbuilt",
    ]


def test_a_plan_ends_with_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    for changes, command in (
        ({"stops": ()}, "Next: if that is intended, dbt-batch-sync push --force"),
        ({"stops": (), "guards": ()}, "Next: dbt-batch-sync push"),
        ({"stops": (), "requests": 0}, None),
    ):
        check.planned(PlanResult((replace(PLANNED, **changes),)))  # type: ignore[arg-type]
        last = printed(capsys)[-1]
        assert last == command if command else not last.startswith("Next:")


def test_a_plan_as_a_comment() -> None:
    lines = check.comment(PlanResult((PLANNED, SyncPlanned("new", None, stops=("unbuilt",))))).splitlines()
    assert "| `people` | 1 | 2 | 1 | 3 | 4 | 1 | about a second |" in lines
    assert lines[lines.index("#### `new`") + 2 :] == ["> [!WARNING]", "> A push would stop: unbuilt"]
    assert "| c••• | update | language | A&#124;•• | B•• |" in lines
    tables = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in tables[:3]}) == 1


@pytest.mark.parametrize(
    ("kind", "noun"),
    [("profiles", "profile"), ("audience", "member"), ("catalog", "item"), ("events", "event")],
)
def test_a_comment_has_the_noun_of_the_kind(kind: str, noun: str) -> None:
    planned = replace(PLANNED, kind=kind, steps=("create the audience `vips`",))
    lines = check.comment(PlanResult((planned,))).splitlines()
    assert f"| {'event' if kind == 'events' else 'attribute'} | {noun}s |" in lines
    assert f"| {noun} | change | attribute | old | new |" in lines
    assert "> Before that, a push would create the audience &#96;vips&#96;" in lines


PUSHED = SyncPushed(
    "people", "profiles", "succeeded", "d", "update", inserts=3, accepted=3, settled=3, seconds=1.25
)


def push_of(*syncs: SyncPushed) -> PushResult:
    return PushResult("r1", NOW, NOW + timedelta(seconds=90), syncs)


def test_a_push(capsys: pytest.CaptureFixture[str]) -> None:
    partial = replace(PUSHED, sync="vips", status="partial", invalid=1, rejected_attributes=2, settled=1)
    failed = replace(PUSHED, sync="old", status="failed", error="[gone]")
    sync.pushed(push_of(PUSHED, partial, failed), dry_run=False)
    assert printed(capsys) == [
        "Sync Status Inserts Updates Exits Accepted Rejected Time",
        "people succeeded 3 0 0 3 0 1.2 s",
        "vips partial 3 0 0 3 1 row, 2 attributes 1.2 s",
        "old failed 3 0 0 3 0 1.2 s",
        "vips: 2 rows not sent yet. Run: dbt-batch-sync push",
        "vips: 1 row invalid · 2 attributes rejected. Reasons: dbt-batch-sync rejects",
        "old: [gone]",
        "failed: 3 syncs in 1 min 30 s, run r1",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "people: succeeded: 3 inserts, 0 updates, 0 exits; 3 of 3 profiles accepted, 1 request"),
        (
            {"kind": "audience", "inserts": 0, "exits": 1_000, "sent": 1_000, "accepted": 1_000},
            "people: succeeded: 0 inserts, 0 updates, 1,000 exits; 1,000 of 1,000 members accepted, 1 request",
        ),
        (
            {"kind": "catalog", "inserts": 1, "sent": 1, "accepted": 0, "status": "partial", "invalid": 1},
            "people: partial: 1 insert, 0 updates, 0 exits; 0 of 1 item accepted, 1 request; 0 rows and "
            "0 attributes rejected, 1 row invalid, 0 parked: dbt-batch-sync rejects --select people",
        ),
        (
            {"kind": "deletions", "status": "failed", "error": "no"},
            "people: failed: 3 inserts, 0 updates, 0 exits; 3 of 3 deletions accepted, 1 request: no",
        ),
        ({"status": "skipped"}, "people: skipped: the push was stopped before it"),
    ],
)
def test_the_summary_of_a_sync(changes: dict[str, object], line: str) -> None:
    """In logs and Slack."""
    given = {"sent": 3, "requests": 1, **changes}
    assert replace(PUSHED, **given).summary == line  # type: ignore[arg-type]


def test_a_dry_run_says_that_nothing_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    sync.pushed(push_of(replace(PUSHED, sent=3, requests=1, endpoint=None)), dry_run=True)
    assert printed(capsys) == [
        "Sync Inserts Updates Exits Would send Would reject Requests Endpoint",
        "people 3 0 0 3 0 1",
        "Dry run: nothing was sent or recorded. 1 sync in 1 min 30 s.",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_fit_the_terminal_and_break_between_words(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Ten million rows of a sync with a long name, and a long line."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True, no_color=True, highlight=False)
    long = replace(PUSHED, sync="subscribers_of_the_letter", inserts=10_000_000, accepted=10_000_000)
    monkeypatch.setattr(show, "out", lambda: console)
    sync.pushed(push_of(long, PUSHED), dry_run=False)
    show.say("a line of words " * 12)
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert {"subscribers_of_the_letter", "succeeded", "words"} <= words
    assert words & {"10,000,000", "10M"}


def test_status(capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(RUN, status="failed", error="gone [x]", inserts=0)
    request = Request("people", "q", "all", NOW)
    look.history(
        StatusResult(
            (
                SyncStatus("people", (failed, replace(RUN, unsure=4)), 2, (request,)),
                SyncStatus("new", (), 0, (request,)),
            )
        )
    )
    asked = "resend --all requested 2026-04-01 06:00: the next dbt run adds the rows to the delta"
    assert printed(capsys) == [
        "people",
        "Started (UTC) Status Inserts Updates Exits Accepted Rejected Time",
        "2026-04-01 06:00 failed 0 0 0 3 6 rows, 2 attributes 0.0 s",
        "2026-04-01 06:00 partial 3 0 0 3 6 rows, 2 attributes 0.0 s",
        "Rows per push, oldest first █· 3 0",
        "2 rows parked: rejected as a whole; sent again when changed, or after dbt-batch-sync resend --rejected",
        "4 events unsure: no usable answer came. With on_doubt: resend they may have arrived twice, with skip not at all",
        asked,
        "Last error: gone [x]",
        "new",
        "never pushed. Run: dbt-batch-sync push",
        asked,
    ]


def test_rejects(capsys: pytest.CaptureFixture[str]) -> None:
    counts = (
        RejectCount("people", "batch__language", "too_long", "validation", 1200, NOW, NOW),
        RejectCount("people", None, "TOO_LARGE", "batch", 1, NOW, NOW),
    )
    syncs = (
        SyncRejects("people", "s.rejects", counts, "profiles", {"null_identifier": 2}),
        SyncRejects("vips", "t", ()),
        SyncRejects(
            "few",
            "t",
            counts[:1],
            "profiles",
            {},
            (RejectedKey("c-1", "batch__region", "BAD"), RejectedKey(None, None, "null_identifier")),
        ),
        SyncRejects("bad", "t", (), "profiles", {"null_identifier": 2}),
    )
    look.rejected(RejectsResult(syncs))
    at = "2026-04-01 06:00"
    head = "Profiles Attribute Reason Rejected by Since (UTC) Last (UTC)"
    assert printed(capsys) == [
        "people",
        head,
        f"1,200 language too_long validation {at} {at}",
        f"1 whole row TOO_LARGE batch {at} {at}",
        "2 whole row null_identifier validation",
        "Profiles: dbt-batch-sync rejects --profiles 20",
        "vips",
        "no open rejections",
        "few",
        head,
        f"1,200 language too_long validation {at} {at}",
        "Profile Attribute Reason",
        "c-1 region BAD",
        "null whole row null_identifier",
        "bad",
        head,
        "2 whole row null_identifier validation",
        "Profiles: dbt-batch-sync rejects --profiles 20",
    ]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["never accepted by Batch", "nothing to send"]),
        (
            {"sent_at": NOW, "run_id": "r1", "exited_at": NOW, "attributes": {"name": "A•"}},
            [
                "last accepted 2026-04-01 06:00 UTC, run r1, left the model 2026-04-01 06:00 UTC",
                "nothing to send",
                "Attribute In Batch",
                "name A•",
            ],
        ),
        (
            {
                "attributes": {"name": "A•"},
                "pending": Pending("insert", None, (Change("name", "null", "B•"),)),
                "in_doubt": ("batch__region", "name"),
            },
            [
                "never accepted by Batch",
                "queued for the next push: insert",
                "in doubt, sent again by the next delta with a value: region, name",
                "Attribute In Batch Next push",
                "name A• B•",
            ],
        ),
        (
            {
                "pending": Pending(
                    "update", "never_resubscribe:batch__email_marketing,batch__sms_marketing", ()
                )
            },
            [
                "never accepted by Batch",
                "queued for the next push: update",
                "not sent: email_marketing, sms_marketing, unsubscribed in Batch (never_resubscribe)",
            ],
        ),
        (
            {"pending": Pending("invalid", "parked", ())},
            [
                "never accepted by Batch",
                "parked: rejected as a whole; sent again when changed, or after dbt-batch-sync resend --rejected",
            ],
        ),
        (
            {"pending": Pending("invalid", "null_identifier", ())},
            ["never accepted by Batch", "invalid, not sent: null_identifier"],
        ),
        (
            {
                "rejects": (
                    Rejection("batch__language", "too_long", "validation", "r1", NOW, None),
                    Rejection(None, "BAD", "batch", "r0", NOW, NOW),
                )
            },
            [
                "never accepted by Batch",
                "nothing to send",
                "row rejected: BAD (batch, 2026-04-01 06:00, resolved 2026-04-01 06:00)",
                "Attribute Rejected",
                "language too_long (validation, 2026-04-01 06:00)",
            ],
        ),
    ],
)
def test_a_profile(capsys: pytest.CaptureFixture[str], changes: dict[str, object], lines: list[str]) -> None:
    look.explained(ProfileResult("C-1", (replace(NOBODY, **changes),)))  # type: ignore[arg-type]
    first, *rest = printed(capsys)
    assert [first.removeprefix("people: "), *rest] == lines


def test_a_profile_of_several_syncs(capsys: pytest.CaptureFixture[str]) -> None:
    """Only known ones are shown. An event may be known before dbt has merged the push."""
    occurred = Occurrence("bought", NOW, "sent", None)
    events = replace(NOBODY, sync="orders", kind="events", events=(occurred,))
    result = ProfileResult("C-1", (NOBODY, events, replace(NOBODY, sync="shop", kind="catalog")))
    assert result.is_known
    look.explained(result)
    assert printed(capsys) == [
        *("orders", "Time (UTC) Event State", "2026-04-01 06:00 bought sent"),
        "Neither sent, queued nor rejected by people, shop",
    ]
    assert not ProfileResult("C-1", (NOBODY,)).is_known


def test_resend(capsys: pytest.CaptureFixture[str]) -> None:
    result = ResendResult(
        "rejected", (Request("people", "q", "rejected", NOW),), ("dbt run --select people",)
    )
    sync.resent(result)
    assert printed(capsys) == [
        "people: the next dbt run adds rejected rows and attributes to the delta",
        "Next:",
        "dbt run --select people",
    ]
    assert result.to_json() == {
        "request": "rejected",
        "syncs": [
            {"sync": "people", "id": "q", "request": "rejected", "recorded_at": "2026-04-01T06:00:00Z"}
        ],
        "next": ["dbt run --select people"],
        "notes": [],
    }
