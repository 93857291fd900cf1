"""Which guards stop a delta, given its counts."""

from __future__ import annotations

from datetime import datetime

import pytest

from dbt_batch_sync.ledger.state import Built
from dbt_batch_sync.mapping.mapping_reader import parse_mapping
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.push.guards import tripped


def built(model_rows: int, known_rows: int, inserts: int = 0, updates: int = 0, exits: int = 0) -> Built:
    counts = {"inserts": inserts, "updates": updates, "exits": exits, "invalid": 0, "parked": 0}
    made = {"delta_id": "d", "built_at": datetime(2024, 2, 29), "target": "dev", "mapping_hash": ""}
    rows = {"model_rows": model_rows, "known_rows": known_rows, "page": 0}
    return Built(**made, **rows, **counts, attribute_types="", mode=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("guards", "delta", "words"),
    [
        ({"min_rows": 4}, built(3, 5, exits=2), ["`min_rows` is 4"]),
        ({"min_rows": 4}, built(4, 5, exits=1), []),
        ({"min_rows": 4}, built(3, 3), []),
        ({"min_rows": 0}, built(0, 5, exits=5), ["every known profile would leave"]),
        ({}, built(1, 5, updates=1, exits=5), []),
        ({"max_exit_ratio": 0.5}, built(1, 4, updates=1, exits=3), ["3 profiles would leave, 75.0%"]),
        ({"max_exit_ratio": 0.5}, built(2, 4, exits=2), []),
        (
            {"max_change_ratio": 0.5},
            built(4, 4, inserts=1, updates=1, exits=1),
            ["3 profiles would change"],
        ),
        ({"max_change_ratio": 0.5}, built(4, 0, inserts=4), []),
    ],
    ids=[
        "few rows left, exits alone",
        "just enough",
        "nothing to do",
        "everybody leaves",
        "everybody leaves while somebody returns",
        "too many leave",
        "exactly as many as may",
        "inserts, updates and exits are changes",
        "of nobody, there is no share",
    ],
)
def test_guards(guards: dict[str, float], delta: Built, words: list[str]) -> None:
    meta = {"identifier": "id", "custom": ["a"], "guards": guards}
    sync = Sync(parse_mapping("people", meta, ""), None, None, None)  # type: ignore[arg-type]
    found = list(tripped(sync, delta))
    assert len(found) == len(words)
    assert all(word in said for word, said in zip(words, found, strict=True))
