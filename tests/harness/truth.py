"""What Batch must hold, worked out from rows, mappings and Batch's own answers alone; it shares nothing with the product.

`Truth` is told of every `dbt run` and of every look at Batch, and can say at any time which values Batch may hold, and after
a clean `dbt run` and push which ones it must hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.oracle import Rejected, expected

from dbt_batch_sync.sandbox.server import TypedValue

Row = Mapping[str, object]
Held = Mapping[str, Mapping[str, TypedValue]]
Rejects = Mapping[tuple[str, str | None], str]
_BAD_WORDS = (
    "undefined",
    "null",
    "nil",
    "(null)",
    "[object object]",
    "true",
    "false",
    "nan",
    "infinity",
    "-infinity",
)


CONSENTS = ("$email_marketing", "$sms_marketing")
"""A null never deletes them, unless the mapping says so."""


@dataclass(frozen=True)
class Attribute:
    """One mapped attribute: `kind` is a type of Batch, or a standard attribute's `$name`."""

    column: str
    name: str
    kind: str
    type: str | None = None
    keep: bool = False

    @property
    def wire(self) -> str:
        """Its name in Batch."""
        return self.kind if self.kind.startswith("$") else self.name

    @property
    def relation(self) -> str:
        """Its column in the snapshot and the delta."""
        return "batch__" + self.kind[1:] if self.kind.startswith("$") else self.name


@dataclass(frozen=True)
class Spec:
    """A mapping, as a user thinks of it."""

    attributes: tuple[Attribute, ...]
    on_exit: str = "ignore"
    membership: str | None = None
    resubscribe: bool = True

    def meta(self) -> dict[str, object]:
        """The same as `batch_sync` meta."""
        standard = {each.kind[1:]: each.column for each in self.attributes if each.kind.startswith("$")}
        custom = [_entry(each) for each in self.attributes if not each.kind.startswith("$")]
        found: dict[str, object] = {
            "identifier": "id",
            "standard": standard,
            "custom": custom,
            "on_exit": self.on_exit,
        }
        if self.membership:
            found["membership"] = self.membership
        return {**found, "guards": {"min_rows": 0, "never_resubscribe": not self.resubscribe}}

    def wanted(self, row: Row) -> Iterator[tuple[Attribute, TypedValue | Rejected | None]]:
        """What should become of each attribute of a row."""
        for each in self.attributes:
            yield each, expected(each.kind, row.get(each.column))

    @property
    def leaving(self) -> tuple[object, ...]:
        """What decides how a profile leaves."""
        return (self.on_exit, self.membership, self.cleared)

    @property
    def cleared(self) -> frozenset[str]:
        """What is null in Batch after an exit with `clear`: the membership too."""
        return frozenset(
            {each.wire for each in self.attributes} | ({self.membership} if self.membership else set())
        )


def _entry(attribute: Attribute) -> object:
    entry: dict[str, object] = {"column": attribute.column, "name": attribute.name}
    if attribute.type:
        entry["type"] = attribute.type
    if attribute.keep:
        entry["on_null"] = "keep"
    return entry


@dataclass(frozen=True)
class Rows:
    """A sync's rows by what they are good for; a custom_id of several rows is `ambiguous`."""

    valid: Mapping[str, Row]
    ambiguous: frozenset[str]

    @staticmethod
    def of(rows: Sequence[Row]) -> Rows:
        """Sorts them."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row["id"] is not None:
                found[str(row["id"])].append(row)
        valid = {name: same[0] for name, same in found.items() if len(same) == 1 and _is_good(name)}
        return Rows(valid, frozenset(name for name, same in found.items() if len(same) > 1))


def _is_good(name: str) -> bool:
    broken = "\n" in name or "\r" in name
    return bool(name.strip()) and len(name) <= 511 and not broken and name.strip().lower() not in _BAD_WORDS


@dataclass
class Truth:
    """What is known of Batch. `look` at it whenever it is known to be in order."""

    held: dict[str, dict[str, TypedValue]] = field(default_factory=dict)
    possible: dict[str, dict[str, set[TypedValue | None]]] = field(default_factory=dict)
    away: dict[str, set[tuple[object, ...]]] = field(default_factory=dict)
    unsendable: set[tuple[str, str]] = field(default_factory=set)
    spec: Spec = field(default_factory=lambda: Spec(()))
    rows: Rows = field(default_factory=lambda: Rows({}, frozenset()))

    def build(self, spec: Spec, rows: Sequence[Row]) -> None:
        """A `dbt run` finished: what it found may be sent from now on."""
        self.spec, self.rows = spec, Rows.of(rows)
        for name, row in self.rows.valid.items():
            for attribute, value in spec.wanted(row):
                if isinstance(value, Rejected):
                    continue
                self.unsendable.discard((name, attribute.relation))
                if value is not None or not attribute.keep:
                    self._may(name, attribute.wire, value)
            if spec.membership:
                self._may(name, spec.membership, TypedValue("boolean", True))
        for name in self.possible.keys() - self.rows.valid.keys() - self.rows.ambiguous:
            self.away.setdefault(name, set()).add(spec.leaving)
            if spec.on_exit == "clear":
                for attribute in spec.cleared:
                    self._may(name, attribute, None)
            elif spec.membership:
                self._may(name, spec.membership, TypedValue("boolean", False))

    def gone(self) -> dict[str, set[tuple[object, ...]]]:
        """Who is not in the sync of the last `dbt run`, and the ways in which he may have left."""
        here = {*self.rows.valid, *self.rows.ambiguous}
        return {name: how for name, how in self.away.items() if name not in here}

    def _may(self, name: str, attribute: str, value: TypedValue | None) -> None:
        held = self.held.get(name, {}).get(attribute)
        self.possible.setdefault(name, {}).setdefault(attribute, {held}).add(value)

    def impossible(self, held: Held) -> list[str]:
        """What Batch holds and no `dbt run` ever asked for since the last look."""
        wrong = [f"{name}: an unknown profile" for name in held.keys() - self.possible.keys()]
        for name, known in self.possible.items():
            attributes = held.get(name, {})
            for each in {*attributes, *known, *self.held.get(name, {})}:
                may = known.get(each, {self.held.get(name, {}).get(each)})
                # A profile that is not in Batch yet holds nothing.
                if attributes.get(each) not in may:
                    wrong.append(
                        f"{name}: {each} is {attributes.get(each)}, and may be {sorted(map(str, may))}"
                    )
        return wrong

    def wrong(self, held: Held, rejects: Rejects) -> list[str]:
        """What of Batch differs from the sync of the last `dbt run`, but for what rejects name."""
        found = self.impossible(held)
        for name, row in self.rows.valid.items():
            if (name, None) not in rejects:
                found += self._wrong_row(name, row, held.get(name, {}), rejects)
        for name, policies in self.gone().items():
            if name in held and len(policies) == 1 and (name, None) not in rejects:
                found += self._wrong_exit(name, held[name], rejects)
        return found

    def _wrong_row(
        self, name: str, row: Row, held: Mapping[str, TypedValue], rejects: Rejects
    ) -> Iterator[str]:
        for attribute, value in self.spec.wanted(row):
            if (name, attribute.relation) in rejects:
                continue
            have = held.get(attribute.wire)
            if isinstance(value, Rejected):
                if (name, attribute.relation) not in self.unsendable:
                    yield f"{name}: {attribute.name} is {value.reason}, and no reject says so"
            elif have != value and not (value is None and attribute.keep):
                yield f"{name}: {attribute.name} is {have} and should be {value}"
        member = self.spec.membership
        if member and held.get(member) != TypedValue("boolean", True) and (name, member) not in rejects:
            yield f"{name}: {member} is {held.get(member)} in the sync"

    def _wrong_exit(self, name: str, held: Mapping[str, TypedValue], rejects: Rejects) -> Iterator[str]:
        ((on_exit, membership, attributes),) = self.away[name]
        named = {relation.removeprefix("batch__") for who, relation in rejects if who == name and relation}
        if on_exit == "clear":
            left = {each for each in held if each in attributes and each.lstrip("$") not in named}  # type: ignore[operator]
            if left:
                yield f"{name}: left, and still has {sorted(left)}"
        elif (
            membership
            and held.get(str(membership)) != TypedValue("boolean", False)
            and membership not in named
        ):
            yield f"{name}: left, and its {membership} is {held.get(str(membership))}"

    def look(self, held: Held) -> None:
        """Batch is known to hold this and nothing is under way: what was possible before is over."""
        self.held = {name: dict(attributes) for name, attributes in held.items()}
        # Until then somebody who came back may be away for Batch: a profile leaves once.
        self.away = {name: how for name, how in self.away.items() if name not in self.rows.valid}
        self.possible = {name: {} for name in {*self.possible, *held}}

    def adopted(self) -> dict[str, dict[str, TypedValue | None]]:
        """What Batch has by the word of who adopts: what the last `dbt run` would have it hold. None: nothing."""
        found: dict[str, dict[str, TypedValue | None]] = defaultdict(dict)
        for name, row in self.rows.valid.items():
            for attribute, value in self.spec.wanted(row):
                if isinstance(value, Rejected):
                    self.unsendable.add((name, attribute.relation))
                elif value is not None or not attribute.keep:
                    found[name][attribute.wire] = value
            if self.spec.membership:
                found[name][self.spec.membership] = TypedValue("boolean", True)
        return found
