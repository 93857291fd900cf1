"""What lies before a push of one sync: its relations, its delta's identity, and the rows that are not
committed yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from dbt_batch_sync.artifacts.manifest import Model
from dbt_batch_sync.attributes import TypedAttribute, parse_types
from dbt_batch_sync.batch_api.limits import Endpoint
from dbt_batch_sync.errors import ConfigurationError, Stopped
from dbt_batch_sync.ledger.ledger import Ledger
from dbt_batch_sync.ledger.records import Resume
from dbt_batch_sync.mapping.mapping import EndpointChoice
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.payload.render import DELTA_COLUMNS
from dbt_batch_sync.sql.counts import delta_counts
from dbt_batch_sync.sql.pending import Pending, delta_identity
from dbt_batch_sync.sql.relations import Relation, parse_table
from dbt_batch_sync.warehouse import Statement, Value, Warehouse

MASS_UPDATE_FROM = 10_001
"""Rows of a delta from which `endpoint: auto` takes mass-update: up to 10,000 take 30 s or less at update's
rate.
"""

CONSENTS = ("batch__email_marketing", "batch__sms_marketing")
"""The subscriptions: `never_resubscribe` keeps them from going back to subscribed."""


@dataclass(frozen=True)
class Counts:
    """Rows of a delta that are not committed yet, by change."""

    inserts: int = 0
    updates: int = 0
    exits: int = 0
    invalid: int = 0

    @property
    def sendable(self) -> int:
        """All but the invalid ones."""
        return self.inserts + self.updates + self.exits


@dataclass(frozen=True)
class Work:
    """A delta that can be pushed; `delta_id` is None when it is empty."""

    sync: Sync
    delta: Relation
    snapshot: Relation
    ledger: Ledger
    has_ledger: bool
    delta_id: str | None
    types: str
    attributes: tuple[TypedAttribute, ...]
    resume: Resume
    counts: Counts

    @property
    def name(self) -> str:
        """The sync's name."""
        return self.sync.mapping.sync

    def endpoint(self) -> Endpoint:
        """The endpoint that the mapping asks for; `auto` decides by the number of rows."""
        choice = self.sync.mapping.endpoint
        if choice is EndpointChoice.AUTO:
            return Endpoint.MASS_UPDATE if self.counts.sendable >= MASS_UPDATE_FROM else Endpoint.UPDATE
        return Endpoint(choice.value)

    @property
    def after(self) -> dict[str, Value]:
        """The values of a statement that reads behind the last commit."""
        return {} if self.resume.key is None else {"after": self.resume.key}

    def pending_rows(self, limit: int | None) -> Statement:
        """The rows to send, in the order of their keys; joined with what is parked or blocked only where
        something is.
        """
        rejects = (
            self.ledger.rejects.table if self.has_ledger and self.ledger.rejects.any_held_back() else None
        )
        source = Pending(self.delta, self.snapshot, self._names, self._consents, rejects)
        finds = self.ledger.rejects.finds
        if source.consents and not (finds(source.any_given()) and finds(source.any_blocked())):
            source = replace(source, consents=())
        values: dict[str, Value] = {**self.after, **({"sync": self.name} if rejects is not None else {})}
        return Statement(source.select(after=self.resume.key is not None, limit=limit), values)

    @property
    def has_columns_of_mapping(self) -> bool:
        """Whether the delta, which tells nothing else when it is empty, has the columns of this mapping: then
        `dbt run` has seen it. A mapping of `all` columns can't be told from the columns.
        """
        mapping = self.sync.mapping
        names = {column.name.lower() for column in self.delta.columns} - {"custom_id"}
        mapped = {attribute.name for attribute in mapping.attributes} | {mapping.membership or ""}
        return mapping.all_columns or {n for n in names if not n.startswith("_batch_")} == mapped - {""}

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def _consents(self) -> tuple[str, ...]:
        guarded = self.sync.mapping.guards.never_resubscribe
        return tuple(name for name in self._names if name in CONSENTS) if guarded else ()


def open_work(warehouse: Warehouse, sync: Sync, *, check: bool = True) -> Work:
    """Reads what there is to do; writes nothing. `check` holds the delta's mapping against the sync's.

    Raises ConfigurationError when models or relations are missing, Stopped when the delta was built with
    another mapping.
    """
    snapshot = _relation(
        warehouse,
        sync,
        sync.snapshot,
        "_sent_snapshot",
        ("custom_id", "_batch_delta_id", "_batch_doubt"),
    )
    delta = _relation(
        warehouse, sync, sync.delta, "_delta", (*DELTA_COLUMNS[:3], "_batch_delta_id", "_batch_types")
    )
    ledger = Ledger(warehouse, sync.mapping.sync, snapshot, delta)
    rows = warehouse.fetch(Statement(delta_identity(delta)))
    if not rows:
        return Work(sync, delta, snapshot, ledger, ledger.exists(), None, "", (), Resume(), Counts())
    delta_id, mapping_hash, types = (str(cell) for cell in rows[0])
    if check and mapping_hash != sync.mapping.hash:
        raise Stopped(
            f"the mapping of `{sync.mapping.sync}` has changed since {delta.table.name} was built; "
            "nothing was sent. "
            f"Run: dbt run --select {_build(sync)}"
        )
    attributes = parse_types(types)
    _check_columns(warehouse, sync, delta, snapshot, [attribute.name for attribute in attributes])
    has_ledger = ledger.exists()
    resume = ledger.resume(delta_id) if has_ledger else Resume()
    counts = _counts(warehouse, delta, resume)
    return Work(sync, delta, snapshot, ledger, has_ledger, delta_id, types, attributes, resume, counts)


def _check_columns(
    warehouse: Warehouse, sync: Sync, delta: Relation, snapshot: Relation, names: list[str]
) -> None:
    """What is sent must be committed: an attribute without a column in the snapshot would go again for
    ever.
    """
    for relation in (delta, snapshot):
        missing = [name for name in names if not relation.has(name)]
        if missing:
            raise ConfigurationError(
                f"{relation.table.sql(warehouse.dialect)} lacks the columns {', '.join(missing)}: somebody "
                "altered it; nothing "
                f"was sent. Run: dbt run --select {_build(sync)}"
            )


def _counts(warehouse: Warehouse, delta: Relation, resume: Resume) -> Counts:
    after: dict[str, Value] = {} if resume.key is None else {"after": resume.key}
    rows = warehouse.fetch(Statement(delta_counts(delta, resume.key is not None), after))
    found = {str(change): int(str(count)) for change, count in rows}
    return Counts(
        found.get("insert", 0), found.get("update", 0), found.get("exit", 0), found.get("invalid", 0)
    )


def _relation(
    warehouse: Warehouse, sync: Sync, model: Model | None, suffix: str, required: tuple[str, ...]
) -> Relation:
    name = sync.mapping.sync
    if model is None or model.relation_name is None:
        raise ConfigurationError(
            f"the sync `{name}` has no model `{name}{suffix}`. Run: dbt-batch-sync generate, then dbt "
            f"run --select {_build(sync)}"
        )
    relation = relation_of(warehouse, model.relation_name)
    if not relation.columns:
        raise ConfigurationError(
            f"{relation.table.sql(warehouse.dialect)} is not in the warehouse yet. Run: dbt run --select "
            f"{_build(sync)}"
        )
    missing = [column for column in required if not relation.has(column)]
    if missing:
        raise ConfigurationError(
            f"{relation.table.sql(warehouse.dialect)} lacks the columns {', '.join(missing)}: somebody "
            "altered it, or another "
            "version of the macros built it. Run: dbt-batch-sync init, then dbt run --select "
            f"{_build(sync)}"
        )
    return relation


def relation_of(warehouse: Warehouse, relation_name: str) -> Relation:
    """A relation with its columns; none when there is no such table."""
    table: exp.Table = parse_table(relation_name, warehouse.dialect)
    return Relation(table, warehouse.columns(table))


def _build(sync: Sync) -> str:
    name = sync.mapping.sync
    return f"{name} {name}_sent_snapshot {name}_delta"
