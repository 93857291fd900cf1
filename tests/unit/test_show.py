"""What the reading verbs print for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from dbt_batch_sync.cli import documents, show
from dbt_batch_sync.ledger.records import RejectCount, Rejection, Run
from dbt_batch_sync.ledger.requests import Request
from dbt_batch_sync.results import (
    Change,
    Flapping,
    Pending,
    PlanResult,
    ProfileResult,
    RejectsResult,
    ResendResult,
    Sample,
    StatusResult,
    SyncPlanned,
    SyncProfile,
    SyncRejects,
    SyncStatus,
)

NOW = datetime(2026, 4, 1, 6)
PLANNED = SyncPlanned(
    "people",
    "d1",
    "update",
    inserts=1,
    updates=2,
    exits=1,
    invalid=3,
    parked=4,
    invalid_reasons={"null_identifier": 3},
    resubscriptions=1,
    attributes={"name": 3},
    requests=1,
    samples=(Sample("c•••", "update", "name", "A|••", "B••"),),
    stops=("dbt is at work",),
    guards=("too many",),
    flapping=(Flapping("points", 6, 12),),
)
RUN = Run(
    "r1", "people", "partial", NOW, inserts=3, accepted=3, rejected_rows=1, rejected_attributes=2, parked=5
)
NOBODY = SyncProfile("people", None, None, None, {}, (), None, ())


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines, in which several spaces are one."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    show.planned(
        PlanResult((PLANNED, SyncPlanned("empty", None), SyncPlanned("new", None, stops=("unbuilt",))))
    )
    assert printed(capsys) == [
        "people",
        "A push would stop: dbt is at work",
        "1 insert · 2 updates · 1 exit · 3 invalid · 4 parked → 1 request to update, about a second at Batch's "
        "rate",
        "A guard would stop the push: too many",
        "`points` flaps: it changes again for 6 of the 12 rows of the last push. Does its column change "
        "with every build?",
        "3 × null_identifier",
        "1 resubscription not sent (never_resubscribe); the rest of each row is sent",
        "attribute rows",
        "name 3",
        "profile change attribute old new",
        "c••• update name A|•• B••",
        "empty",
        "nothing to send: the delta is empty",
        "new",
        "A push would stop: unbuilt",
    ]


def test_a_plan_as_a_comment() -> None:
    lines = documents.comment(
        PlanResult((PLANNED, SyncPlanned("new", None, stops=("unbuilt",))))
    ).splitlines()
    assert "| `people` | 1 | 2 | 1 | 3 | 4 | 1 | a second at Batch's rate |" in lines
    assert lines[lines.index("#### `new`") + 2 :] == ["> [!WARNING]", "> A push would stop: unbuilt"]
    assert "| c••• | update | name | A&#124;•• | B•• |" in lines
    tables = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in tables[:3]}) == 1


def test_status(capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(RUN, status="failed", error="gone [x]", inserts=0)
    request = Request("people", "q", "all", NOW)
    show.history(
        StatusResult(
            (SyncStatus("people", (failed, RUN), 2, (request,)), SyncStatus("new", (), 0, (request,)))
        )
    )
    asked = "resend --all requested 2026-04-01T06:00:00Z: the next dbt run adds the rows to the delta"
    assert printed(capsys) == [
        "people",
        "started (UTC) status inserts updates exits invalid accepted rejected parked seconds",
        "2026-04-01T06:00:00Z failed 0 0 0 0 3 3 5 0.0",
        "2026-04-01T06:00:00Z partial 3 0 0 0 3 3 5 0.0",
        "delta sizes, oldest first █· 3 0",
        "2 rows parked: rejected as a whole, sent again when changed or after dbt-batch-sync resend --rejected",
        asked,
        "last error: gone [x]",
        "new",
        "never pushed. Run: dbt-batch-sync push",
        asked,
    ]


def test_rejects(capsys: pytest.CaptureFixture[str]) -> None:
    counts = (
        RejectCount("people", "name", "too_long", "validation", 1200, NOW, NOW),
        RejectCount("people", None, "TOO_LARGE", "batch", 1, NOW, NOW),
    )
    show.rejected(RejectsResult((SyncRejects("people", "s.rejects", counts), SyncRejects("vips", "t", ()))))
    at = "2026-04-01T06:00:00Z"
    assert printed(capsys) == [
        "people",
        "profiles attribute reason rejected by since (UTC) last (UTC)",
        f"1,200 name too_long validation {at} {at}",
        f"1 (whole row) TOO_LARGE batch {at} {at}",
        "profiles: select distinct key from s.rejects where sync = 'people' and resolved_at is null",
        "vips",
        "no open rejections",
    ]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["never accepted by Batch", "nothing to send"]),
        (
            {"sent_at": NOW, "run_id": "r1", "exited_at": NOW, "attributes": {"name": "A•"}},
            [
                "last accepted 2026-04-01T06:00:00Z (run r1), left the model 2026-04-01T06:00:00Z",
                "Batch holds: name A•",
                "nothing to send",
            ],
        ),
        (
            {
                "pending": Pending("insert", None, (Change("name", "null", "B•"),)),
                "in_doubt": ("points", "name"),
            },
            [
                "never accepted by Batch",
                "in doubt, sent again after the next dbt run: points, name",
                "queued for the next push: insert",
                "name: null → B•",
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
                "not sent: batch__email_marketing, batch__sms_marketing, unsubscribed in Batch "
                "(never_resubscribe)",
            ],
        ),
        (
            {"pending": Pending("invalid", "parked", ())},
            [
                "never accepted by Batch",
                "parked: rejected as a whole, sent again when changed or after dbt-batch-sync resend --rejected",
            ],
        ),
        (
            {"pending": Pending("invalid", "null_identifier", ())},
            ["never accepted by Batch", "invalid, not sent: null_identifier"],
        ),
        (
            {
                "rejects": (
                    Rejection("name", "too_long", "validation", "r1", NOW, None),
                    Rejection(None, "BAD", "batch", "r0", NOW, NOW),
                )
            },
            [
                "never accepted by Batch",
                "nothing to send",
                "name rejected by validation: too_long (2026-04-01T06:00:00Z)",
                "whole row rejected by batch: BAD (2026-04-01T06:00:00Z, resolved 2026-04-01T06:00:00Z)",
            ],
        ),
    ],
)
def test_a_profile(capsys: pytest.CaptureFixture[str], changes: dict[str, object], lines: list[str]) -> None:
    show.profile(ProfileResult("C-1", (replace(NOBODY, **changes),)))  # type: ignore[arg-type]
    first, second, *rest = printed(capsys)
    assert first == "C-1"
    assert [second.removeprefix("people "), *rest] == lines


def test_a_request_to_send_again(capsys: pytest.CaptureFixture[str]) -> None:
    result = ResendResult(
        "rejected", (Request("people", "q", "rejected", NOW),), ("dbt run --select people",)
    )
    show.resent(result)
    assert printed(capsys) == [
        "people requested: resend rejected rows and attributes; nothing was sent yet",
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
