"""Preparing an audience or a catalog before a push, and polling it afterwards, with all kinds of answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from threading import Event
from types import SimpleNamespace

import pytest

from dbt_batch_sync.batch_api.answers import Accepted, Answer, Broken, BrokenKind, Busy, Fatal, Rejected
from dbt_batch_sync.batch_api.retry import RetryPolicy
from dbt_batch_sync.delivery.pacing import Pacer, Timing
from dbt_batch_sync.delivery.sender import Interrupted
from dbt_batch_sync.errors import DeliveryError, Stopped
from dbt_batch_sync.kinds.kind import Step
from dbt_batch_sync.ledger.state import Built, SyncState
from dbt_batch_sync.mapping.mapping import Mapping as SyncMapping
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push import containers
from dbt_batch_sync.push.channels import Talk

Document = Mapping[str, object]
NOW = datetime(2024, 2, 29)


class Batch:
    """Answers calls in order and records them. Time advances only by waits."""

    def __init__(self, *answers: Answer | Document) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Document | None]] = []
        self.seconds = 0.0

    def ask(self, method: str, path: str, document: Document | None = None) -> Answer:
        self.asked.append((method, path, document))
        answer = self.answers.pop(0)
        return Accepted(document=answer) if isinstance(answer, Mapping) else answer

    def wait(self, event: Event, seconds: float) -> bool:
        self.seconds += seconds
        return event.is_set()

    def talk(self, stop: Event | None = None) -> Talk:
        timing = Timing(lambda: self.seconds, self.wait, lambda: 0.0)
        pacer = Pacer(0, 0, lambda: self.seconds, calls=1)
        return Talk(self.ask, pacer, RetryPolicy(max_attempts=3), stop or Event(), timing)


def mapping(**raw: object) -> SyncMapping:
    return parse_mapping("s", raw, "f.yml")


VIPS = mapping(kind="audience", identifier="id", audience="vips", display_name="VIPs")
SHOP = mapping(kind="catalog", identifier="sku", catalog="shop", fields=["title", "price"])


def sync_of(known: SyncMapping) -> Sync:
    return Sync(known, SimpleNamespace(name="s"), None, None)  # type: ignore[arg-type]


def compare(
    known: SyncMapping, *answers: Answer | Document, types: str = "", begun: bool = False
) -> Step | None:
    built = Built("d", NOW, attribute_types=types)
    state = SyncState("s", NOW, built, project_hash="p" if begun else None)
    return containers.compare(Batch(*answers).talk(), sync_of(known), state)


def test_calls_are_paced_and_retried() -> None:
    batch = Batch(Busy(429, 5.0), Broken(BrokenKind.CUT), {"nb_ids": 3})
    assert batch.talk().get("audiences/view", {"name": "a b"}) == {"nb_ids": 3}
    assert [path for _, path, _ in batch.asked] == ["audiences/view?name=a+b"] * 3
    assert batch.seconds >= 6


def test_calls_that_fail() -> None:
    assert Batch(Fatal(404)).talk().get("x", {}) is None
    with pytest.raises(DeliveryError, match="rejected the credentials"):
        Batch(Fatal(401)).talk().get("x", {})
    with pytest.raises(DeliveryError, match="retries are used up"):
        Batch(*[Busy(503)] * 3).talk().post("x", {})
    assert Batch(Rejected(409)).talk().post("x", {}) == Rejected(409)
    stop = Event()
    stop.set()
    with pytest.raises(Interrupted):
        Batch(Busy(503)).talk(stop).get("x", {})


def test_an_audience() -> None:
    assert compare(VIPS, {"nb_ids": 0}) is None
    step = compare(VIPS, Fatal(404))
    assert step is not None
    assert step.path == "audiences/create"
    assert step.document == {"name": "vips", "display_name": "VIPs", "type": "custom_ids"}
    with pytest.raises(Stopped, match="resend --all --select s"):
        compare(VIPS, Fatal(404), begun=True)


TYPES = "title:string,price:float,batch__present:boolean"


def test_a_catalog() -> None:
    created = compare(SHOP, Fatal(404), types=TYPES)
    assert created is not None
    assert created.document == {
        "name": "shop",
        "fields": [{"name": "title", "type": "string"}, {"name": "price", "type": "float"}],
    }
    same = [{"name": "title", "type": "string"}, {"name": "price", "type": "float"}]
    assert compare(SHOP, {"fields": [*same, {"name": "old", "type": "bool"}]}, types=TYPES) is None
    added = compare(SHOP, {"fields": same[:1]}, types=TYPES)
    assert added is not None
    assert added.path == "catalogs/update"
    assert added.document["fields"] == [{"action": "add", "name": "price", "type": "float"}]
    with pytest.raises(Stopped, match="`price` is integer in Batch and float in the model"):
        compare(SHOP, {"fields": [same[0], {"name": "price", "type": "integer"}]}, types=TYPES, begun=True)
    full = [{"name": f"f{n}", "type": "string"} for n in range(24)]
    with pytest.raises(Stopped, match="would have 26 fields"):
        compare(SHOP, {"fields": full}, types=TYPES)
    with pytest.raises(Stopped):
        compare(SHOP, Fatal(404), types=TYPES, begun=True)


def prepare(batch: Batch) -> list[str]:
    """The paths of the requests of a push's preparation."""
    state = SyncState("s", NOW, Built("d", NOW, attribute_types=""))
    containers.prepare(batch.talk(), sync_of(VIPS), state)
    return [path.partition("?")[0].removeprefix("audiences/") for _, path, _ in batch.asked]


def test_rows_are_sent_once_a_step_was_applied() -> None:
    assert prepare(Batch({"nb_ids": 0})) == ["view"]
    assert prepare(Batch(Fatal(404), {}, {"nb_ids": 0})) == ["view", "create", "view"]
    assert prepare(Batch(Fatal(404), {}, Fatal(404), Fatal(404), {"nb_ids": 0})) == [
        *("view", "create", "view", "view", "view")
    ]
    assert prepare(Batch(Fatal(404), Rejected(400), {"nb_ids": 0})) == ["view", "create", "view"]
    batch = Batch(Fatal(404), {}, *[Fatal(404)] * 900)
    with pytest.raises(DeliveryError, match="accepted to create the audience `vips` and has not done it"):
        prepare(batch)
    assert 600 <= batch.seconds < 1300
    with pytest.raises(DeliveryError, match="can't create the audience `vips`: Batch rejected it"):
        prepare(Batch(Fatal(404), Rejected(400), Fatal(404), Rejected(400)))
    with pytest.raises(DeliveryError, match="credentials"):
        prepare(Batch(Fatal(404), Fatal(401)))


def test_polling_until_applied() -> None:
    batch = Batch({"indexing_state": "IN_PROGRESS"}, {"indexing_state": "APPLIED"})
    containers.wait(batch.talk(), sync_of(VIPS), ["t"])
    assert [path for _, path, _ in batch.asked] == ["audiences/view?name=vips&indexing_token=t"] * 2
    batch = Batch(*[{"indexing_state": state} for state in ("IN_PROGRESS", "APPLIED", "APPLIED")])
    containers.wait(batch.talk(), sync_of(VIPS), ["first", "last"])
    assert [path.rpartition("=")[2] for _, path, _ in batch.asked] == ["last", "last", "first"]
    with pytest.raises(Stopped, match="replaced by someone else after its members"):
        containers.wait(Batch({"indexing_state": "REPLACED"}).talk(), sync_of(VIPS), ["t"])
    with pytest.raises(Stopped, match="catalog `shop` was removed after its items"):
        containers.wait(Batch(Fatal(404)).talk(), sync_of(SHOP), ["t"])


@pytest.mark.parametrize(
    ("known", "answer", "count"),
    [(VIPS, {"nb_ids": 7}, 7), (SHOP, {"items": 9}, 9), (SHOP, Fatal(404), None)],
)
def test_how_many_rows_it_has(known: SyncMapping, answer: Answer | Document, count: int | None) -> None:
    assert known.kind.container is not None
    assert known.kind.container.count(Batch(answer).talk(), known) == count
