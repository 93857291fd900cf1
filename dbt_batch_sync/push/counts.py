"""Figures and samples of a delta, for the plan and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dbt_batch_sync.ledger.state import Checkpoint
from dbt_batch_sync.warehouse import Statement, Value
from dbt_batch_sync.warehouse.relations import Relation, select


@dataclass(frozen=True)
class Pending:
    """The rows of a delta that are not settled by the checkpoint `at`."""

    delta: Relation
    delta_id: str
    at: Checkpoint

    @property
    def values(self) -> dict[str, Value]:
        """The values of a query with `conditions`."""
        key = {} if self.at.key is None else {"key": self.at.key}
        return {"delta_id": self.delta_id, "page": self.at.page, **key}

    def conditions(self, of: str = "") -> list[str]:
        """What an unsettled row of this build meets; `of` is the delta's alias and a dot."""
        found = [f"{of}_batch_delta_id = :delta_id", f"{of}_batch_page > :page"]
        if self.at.key is not None:
            found.append(f"({of}_batch_page > {self.at.page + 1} or {of}_batch_key > :key)")
        return found

    @property
    def settled(self) -> str:
        """What a row of this build meets when it is settled."""
        if self.at.key is None:
            return "_batch_page <= :page"
        return f"(_batch_page <= :page or (_batch_page = {self.at.page + 1} and _batch_key <= :key))"


def change_counts(pending: Pending, names: Sequence[str]) -> exp.Select:
    """By change and reason: `row_count`, `sending` (rows that send something), and `sends_<n>` for each
    attribute, in the order of `names`. Invalid rows are counted whether settled or not.
    """
    of_build, *unsettled = pending.conditions()
    return select(
        """
        select _batch_change as change, _batch_reason as reason, count(*) as row_count,
            sum(case when _batch_changed <> '' then 1 else 0 end) as sending
        from delta
        group by _batch_change, _batch_reason
        """,
        delta=pending.delta,
        cells={f"sends_{place}": count_of(_sends(name)) for place, name in enumerate(names)},
        where=[of_build, f"_batch_change = 'invalid' or ({' and '.join(unsettled)})"],
    )


def invalid_keys(pending: Pending, limit: int) -> exp.Select:
    """The first invalid rows of the build, by key. Parked ones have an open rejection."""
    return select(
        f"""
        select distinct _batch_key as key, _batch_reason as reason from delta
        where _batch_delta_id = :delta_id and _batch_change = 'invalid' and _batch_reason <> 'parked'
        order by key, reason limit {limit}
        """,
        delta=pending.delta,
    )


def names_of(pending: Pending) -> exp.Select:
    """The unsettled events by name: `row_count`, most frequent first."""
    return select(
        """
        select batch__name as name, count(*) as row_count
        from delta where _batch_change <> 'invalid' group by batch__name order by row_count desc, batch__name
        """,
        delta=pending.delta,
        where=pending.conditions(),
    )


def operations_of(pending: Pending, most: int) -> exp.Select:
    """The operations of the unsettled events, each with up to `most` of a profile: `operations`, and the
    `longest` number of one profile, whose operations are in different requests.
    """
    left = " and ".join(pending.conditions())
    return select(
        f"""
        select sum(counted) as operations, max(counted) as longest
        from (
            select ceil(count(*) / {most}.0) as counted from delta
            where _batch_change <> 'invalid' and {left} group by custom_id
        ) as profiles
        """,
        delta=pending.delta,
    )


def again_counts(pending: Pending, snapshot: Relation, names: Sequence[str]) -> exp.Select:
    """How many pending updates change each attribute (`again_<n>`) of profiles that the delta `:last` sent
    with a value. Attributes in doubt are ignored, because they are sent whatever their value.
    """
    again = [
        f"{_sends(name, 'd.')} and {_held(snapshot, name)} is not null and not {_in_doubt(name)}"
        for name in names
    ]
    return select(
        """
        select from delta as d join snapshot as s on s._batch_key = d._batch_key
        where d._batch_change = 'update' and s._batch_delta_id = :last
        """,
        delta=pending.delta,
        snapshot=snapshot,
        cells={f"again_{place}": count_of(each) for place, each in enumerate(again)},
        where=pending.conditions("d."),
    )


def keys(pending: Pending) -> Statement:
    """The keys of the unsettled rows that send something: `pending_key`."""
    query = select(
        "select _batch_key as pending_key from delta",
        delta=pending.delta,
        where=["_batch_change <> 'invalid'", "_batch_changed <> ''", *pending.conditions()],
    )
    return Statement(query, pending.values)


def samples(pending: Pending, snapshot: Relation, names: Sequence[str], limit: int) -> exp.Select:
    """Some pending rows that send something, updates first: `change`, `changed`, `sample_key`, and each
    attribute's value before (`old_<n>`) and after (`new_<n>`).
    """
    left = " and ".join(pending.conditions())
    old = {f"old_{place}": _held(snapshot, name) for place, name in enumerate(names)}
    new = {f"new_{place}": f'd."{name}"' for place, name in enumerate(names)}
    return select(
        f"""
        select d._batch_change as change, d._batch_changed as changed, d._batch_key as sample_key
        from (
            select * from delta
            where _batch_change <> 'invalid' and _batch_changed <> '' and {left}
            order by case when _batch_change = 'update' then 0 else 1 end, _batch_key
            limit {limit}
        ) as d
        left join snapshot as s on s._batch_key = d._batch_key
        """,
        delta=pending.delta,
        snapshot=snapshot,
        cells={**old, **new},
    )


def present_rows(pending: Pending, snapshot: Relation, rejects: exp.Table) -> exp.Select:
    """How many rows Batch has (`present`): the snapshot with what is settled of the delta since."""
    return select(
        f"""
        select sum(case when coalesce(d.batch__present, s.batch__present) then 1 else 0 end) as present
        from snapshot as s
        full join (
            select _batch_key, batch__present from delta
            where _batch_delta_id = :delta_id and _batch_changed <> '' and {pending.settled}
                and _batch_key not in (
                    select r.key from rejects as r
                    where r.sync = :sync and r.delta_id = :delta_id and r.attribute is null
                        and r.key is not null
                )
        ) as d on s._batch_key = d._batch_key
        """,
        delta=pending.delta,
        snapshot=snapshot,
        rejects=rejects,
    )


def count_of(condition: str) -> str:
    return f"sum(case when {condition} then 1 else 0 end)"


def _sends(name: str, of: str = "") -> str:
    return f"strpos(',' || {of}_batch_changed || ',', ',{name},') > 0"


def _in_doubt(name: str) -> str:
    return f"strpos(coalesce(s._batch_doubt, ''), ',{name},') > 0"


def _held(snapshot: Relation, name: str) -> str:
    return f's."{name}"' if name in snapshot.names else "null"
