"""`--select` and `--exclude`: dbt's meaning where syncs support it, otherwise an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbt_batch_sync.artifacts.manifest import read_manifest
from dbt_batch_sync.artifacts.selection import select_syncs
from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.mapping.syncs import Sync, read_syncs

MANIFEST = Path(__file__).parents[1] / "fixtures" / "manifests" / "dbt-1.11.json"


def sync(name: str, path: str, tags: tuple[str, ...], package: str = "shop") -> Sync:
    crm = read_syncs(read_manifest(MANIFEST))[0]
    fqn = (package, *path.removeprefix("models/").removesuffix(".sql").split("/"))
    return replace(crm, model=replace(crm.model, name=name, path=path, tags=tags, fqn=fqn, package=package))


SYNCS = (
    sync("crm_contacts", "models/crm/crm_contacts.sql", ("nightly", "crm")),
    sync("crm_leads", "models/crm/leads/crm_leads.sql", ("weekly",)),
    sync("loyalty", "models/loyalty/loyalty.sql", ("nightly",)),
    sync("partners", "models/partners.sql", ("b2b",), package="partner_hub"),
)
ALL = [each.name for each in SYNCS]


def select(*values: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in select_syncs(SYNCS, values, exclude)]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((), ALL),
        (("loyalty",), ["loyalty"]),
        (("loyalty_delta",), ["loyalty"]),
        (("loyalty_sent_snapshot",), ["loyalty"]),
        (("crm_*",), ["crm_contacts", "crm_leads"]),
        (("*_delta",), ALL),
        (("crm_lead?",), ["crm_leads"]),
        (("crm_[cx]*",), ["crm_contacts"]),
        (("loyalty", "crm_leads"), ["crm_leads", "loyalty"]),
        (("loyalty crm_leads",), ["crm_leads", "loyalty"]),
        (("loyalty loyalty",), ["loyalty"]),
        (("tag:nightly",), ["crm_contacts", "loyalty"]),
        (("tag:night*",), ["crm_contacts", "loyalty"]),
        (("tag:nightly,crm_*",), ["crm_contacts"]),
        (("tag:nightly,tag:crm loyalty",), ["crm_contacts", "loyalty"]),
        (("path:models/crm",), ["crm_contacts", "crm_leads"]),
        (("path:models/crm/",), ["crm_contacts", "crm_leads"]),
        (("path:./models/crm/leads",), ["crm_leads"]),
        (("path:.",), ALL),
        (("path:models/*.sql",), ["partners"]),
        (("path:models/*/*.sql",), ["crm_contacts", "loyalty"]),
        (("path:models/**/crm_*.sql",), ["crm_contacts", "crm_leads"]),
        (("path:models/crm/crm_contacts.sql",), ["crm_contacts"]),
        (("models/loyalty",), ["loyalty"]),
        (("fqn:shop.crm",), ["crm_contacts", "crm_leads"]),
        (("fqn:crm.leads",), ["crm_leads"]),
        (("fqn:loyalty",), ["loyalty"]),
        (("fqn:crm_leads",), ["crm_leads"]),
        (("shop.crm.*",), ["crm_contacts", "crm_leads"]),
        (("crm",), ["crm_contacts", "crm_leads"]),
        (("package:partner_hub",), ["partners"]),
        (("package:shop,tag:weekly",), ["crm_leads"]),
    ],
)
def test_select(values: tuple[str, ...], names: list[str]) -> None:
    assert select(*values) == names


@pytest.mark.parametrize(
    ("values", "exclude", "names"),
    [
        ((), ("loyalty",), ["crm_contacts", "crm_leads", "partners"]),
        (("tag:nightly",), ("path:models/crm",), ["loyalty"]),
        ((), ("tag:nightly tag:b2b",), ["crm_leads"]),
        ((), ("tag:nightly,crm_*",), ["crm_leads", "loyalty", "partners"]),
    ],
)
def test_exclude(values: tuple[str, ...], exclude: tuple[str, ...], names: list[str]) -> None:
    assert select(*values, exclude=exclude) == names


@pytest.mark.parametrize(
    ("values", "exclude", "words"),
    [
        (("crm_contcts",), (), ("`--select crm_contcts` matches no sync", "`crm_contacts`, `crm_leads`")),
        (("loyalty", "nothing"), (), ("`--select nothing` matches no sync",)),
        (("tag:nightly,tag:b2b",), (), ("`--select tag:nightly,tag:b2b` matches no sync",)),
        (("CRM_CONTACTS",), (), ("matches no sync",)),
        (("path:models/cr",), (), ("matches no sync",)),
        (("path:/",), (), ("matches no sync",)),
        (("path:crm",), (), ("matches no sync",)),
        ((), ("nothing",), ("`--exclude nothing` matches no sync",)),
        (("loyalty",), ("loyalty",), ("`--exclude` leaves none",)),
        (("",), (), ("`--select` is empty", "`tag:…`")),
        (("  ",), (), ("`--select` is empty",)),
        ((), ("",), ("`--exclude` is empty",)),
        (("loyalty,",), (), ("not understood", "`path:…`")),
        (("tag:",), (), ("not understood",)),
        (("state:modified",), (), ("`--select state:modified` is not understood", "`fqn:…`")),
        (("config.materialized:table",), (), ("not understood",)),
        (("+loyalty",), (), ("graph operators", "wildcards")),
        (("loyalty+",), (), ("graph operators",)),
        (("2+loyalty",), (), ("graph operators",)),
        (("loyalty+3",), (), ("graph operators",)),
        (("@loyalty",), (), ("graph operators",)),
        (("tag:nightly+",), (), ("graph operators",)),
        (("loyalty,crm+",), (), ("graph operators",)),
    ],
)
def test_an_error(values: tuple[str, ...], exclude: tuple[str, ...], words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        select(*values, exclude=exclude)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_windows_paths_are_found() -> None:
    windows = replace(SYNCS[2], model=replace(SYNCS[2].model, path="models\\loyalty\\loyalty.sql"))
    assert select_syncs((windows,), ("path:models/loyalty",)) == (windows,)


def test_no_syncs_and_no_selectors() -> None:
    assert select_syncs(()) == ()
    with pytest.raises(ConfigurationError, match="there are: none"):
        select_syncs((), ("x",))


def tagged(tag: str, **more: object) -> dict[str, object]:
    return {"method": "tag", "value": tag, **more}


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        (tagged("nightly"), ["crm_contacts", "loyalty"]),
        (tagged("nightly", exclude=[tagged("crm")]), ["loyalty"]),
        ({"union": [tagged("weekly"), tagged("b2b")]}, ["crm_leads", "partners"]),
        ({"union": [tagged("nightly"), {"exclude": [tagged("crm")]}]}, ["loyalty"]),
        ({"intersection": [tagged("nightly"), {"method": "path", "value": "models/crm"}]}, ["crm_contacts"]),
        ({"union": [{"intersection": [tagged("nightly"), tagged("crm")]}, tagged("b2b")]}, ["crm_contacts", "partners"]),
        ({"method": "fqn", "value": "loyalty"}, ["loyalty"]),
    ],
)  # fmt: skip
def test_a_selector_of_selectors_yml(definition: object, names: list[str]) -> None:
    assert [each.name for each in select_syncs(SYNCS, selector=definition)] == names


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (tagged("nobody"), "matches no sync"),
        (tagged("nightly", children=True), "graph operators"),
        ({"method": "state", "value": "modified"}, "not understood"),
        ("nightly", "not understood"),
    ],
)
def test_unsupported_selectors(definition: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        select_syncs(SYNCS, selector=definition)
