"""The closed lists against pycountry and the time zone database."""

from __future__ import annotations

import zoneinfo
from pathlib import Path

import pycountry
import pytest
import tzdata

from dbt_batch_sync.kinds.vocabularies import Vocabulary, words

WITHDRAWN = "sh"
"""Serbo-Croatian: pycountry still lists the code that ISO 639-1 withdrew in 2000."""


def test_languages() -> None:
    known = {each.alpha_2 for each in pycountry.languages if hasattr(each, "alpha_2")}
    assert set(words(Vocabulary.LANGUAGE)) == known - {WITHDRAWN}


def test_regions() -> None:
    known = {each.alpha_2 for each in pycountry.countries}
    assert set(words(Vocabulary.REGION)) == known


def test_time_zones_are_those_of_tzdata() -> None:
    zones = words(Vocabulary.TIMEZONE)
    folder = Path(tzdata.__file__).parent / "zoneinfo"
    assert all((folder / zone).is_file() for zone in zones)
    assert {"Europe/Paris", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "Asia/Calcutta"} < set(
        zones
    )
    assert len(zones) > 400


def test_time_zones_are_those_of_zoneinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uses only the package's data, as on a machine without its own."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    try:
        known = zoneinfo.available_timezones()
    finally:
        zoneinfo.reset_tzpath(to=before)
    assert set(words(Vocabulary.TIMEZONE)) == known - {"localtime", "posixrules"}


def test_subscriptions() -> None:
    assert words(Vocabulary.SUBSCRIPTION) == ("subscribed", "unsubscribed")


@pytest.mark.parametrize("vocabulary", Vocabulary)
def test_vocabularies_are_unique_and_clean(vocabulary: Vocabulary) -> None:
    listed = words(vocabulary)
    assert len(set(listed)) == len(listed)
    assert all(word and word.isascii() and word == word.strip() for word in listed)
    case = {Vocabulary.LANGUAGE: str.islower, Vocabulary.REGION: str.isupper}.get(vocabulary, str.strip)
    assert all(case(word) for word in listed)
