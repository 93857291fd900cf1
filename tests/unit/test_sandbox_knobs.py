"""Settings as JSON: every changeable setting, and no other."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from dbt_batch_sync.sandbox.knobs import KNOBS, changeable, parse_settings, read_settings
from dbt_batch_sync.sandbox.settings import SandboxSettings

FIXED = {
    "rest_api_key",
    "project_key",
    "app_keys",
    "versions",
    "max_body_bytes",
    "store",
    "keep_profiles",
    "keep_requests",
    "keep_bodies",
    "keep_history",
    "keep_events",
    "count_custom_ids",
    "count_events",
    "controls",
}


def test_every_setting_is_changeable_or_fixed() -> None:
    assert {field.name for field in fields(SandboxSettings)} == KNOBS.keys() | FIXED
    assert not KNOBS.keys() & FIXED, "keys must not be shown or changed"


def test_shown_settings_can_be_set() -> None:
    settings = SandboxSettings(reject_ids=frozenset({"b", "a"}))
    shown = changeable(settings)
    assert shown["reject_ids"] == ["a", "b"]
    assert replace(SandboxSettings(), **read_settings(shown)) == settings


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("latency", 1, 1.0),
        ("exports_per_hour", None, None),
        ("exports_per_hour", 5, 5.0),
        ("export_file_profiles", 1, 1),
        ("reject_ids", ["a", "a"], frozenset({"a"})),
        ("on_existing", "accept", "accept"),
        ("deletion_token", "id", "id"),
        ("share_rate", True, True),
    ],
)
def test_accepted(name: str, value: object, read: object) -> None:
    assert read_settings({name: value}) == {name: read}


@pytest.mark.parametrize(
    ("document", "accepted"),
    [
        ([], "an object"),
        ({"rest_api_key": "x"}, "can't be set"),
        ({"latency": -1}, "a number"),
        ({"latency": True}, "a number"),
        ({"latency": float("inf")}, "a number"),
        ({"latency": None}, "a number"),
        ({"rate_limits": 1}, "true or false"),
        ({"export_file_profiles": 0}, "a whole number"),
        ({"export_file_profiles": 1.5}, "a whole number"),
        ({"reject_ids": "a"}, "an array"),
        ({"reject_ids": [1]}, "an array"),
        ({"on_existing": "500"}, "one of 409, 400, accept"),
        ({"on_existing": 409}, "one of"),
        ({"on_existing": []}, "one of"),
        ({"deletion_token": ""}, "text"),
    ],
)
def test_refused(document: object, accepted: str) -> None:
    with pytest.raises(ValueError, match=accepted):
        read_settings(document)


def test_command_line_settings() -> None:
    given = ["latency=0.5", "reject_ids=a,b", "reject_events=", "on_existing=accept", "rate_limits=false"]
    assert parse_settings([*given, "exports_per_hour=null", "deletion_token=id"]) == {
        "latency": 0.5,
        "reject_ids": frozenset({"a", "b"}),
        "reject_events": frozenset(),
        "on_existing": "accept",
        "rate_limits": False,
        "exports_per_hour": None,
        "deletion_token": "id",
    }


@pytest.mark.parametrize(
    ("assignment", "accepted"),
    [
        ("latency", "`latency`: a number"),
        ("latency=x", "`latency`: a number"),
        ("latency=NaN", "`latency`: a number"),
        ("rate_limits=no", "`rate_limits`: true or false"),
        ("on_existing=500", "one of 409"),
        ("rest_api_key=x", "`rest_api_key` can't be set"),
        ("=x", "`` can't be set"),
    ],
)
def test_rejected_command_lines(assignment: str, accepted: str) -> None:
    with pytest.raises(ValueError, match=accepted):
        parse_settings([assignment])
