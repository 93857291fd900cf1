"""A model of what Batch must hold, computed from rows, mappings and Batch's answers. Shares no code with the
package.

`Truth` is told about each `dbt run` and each look at Batch. It knows at any time which values Batch may hold,
and after a clean `dbt run` and push, which it must hold.
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
"""Nulls never delete them, unless the mapping says so."""

OPTED_OUT = TypedValue("string", "unsubscribed")
"""With `never_resubscribe`, an exit with `clear` keeps it."""


@dataclass(frozen=True)
class Attribute:
    """A mapped attribute. `kind` is a Batch type, or a standard attribute's `$name`."""

    column: str
    name: str
    kind: str
    type: str | None = None
    keep: bool = False

    @property
    def wire(self) -> str:
        """The name in Batch."""
        return self.kind if self.kind.startswith("$") else self.name

    @property
    def relation(self) -> str:
        """The column in the snapshot and the delta."""
        return "batch__" + self.kind[1:] if self.kind.startswith("$") else self.name


@dataclass(frozen=True)
class Spec:
    """A mapping, in the user's terms."""

    attributes: tuple[Attribute, ...]
    on_exit: str = "ignore"
    membership: str | None = None
    resubscribe: bool = True

    def meta(self) -> dict[str, object]:
        """The mapping as `batch_sync` meta."""
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
        """The expected result for each attribute of a row."""
        for each in self.attributes:
            yield each, expected(each.kind, row.get(each.column))

    @property
    def leaving(self) -> Leaving:
        return Leaving(self.on_exit, self.membership, self.cleared, self.resubscribe)

    @property
    def cleared(self) -> frozenset[str]:
        """The attributes, membership included, that are null in Batch after an exit with `clear`."""
        return frozenset(
            {each.wire for each in self.attributes} | ({self.membership} if self.membership else set())
        )


@dataclass(frozen=True)
class Leaving:
    """Everything that determines how a profile exits."""

    on_exit: str
    membership: str | None
    cleared: frozenset[str]
    resubscribe: bool

    def clears(self, held: Mapping[str, TypedValue]) -> set[str]:
        """The attributes that an exit with `clear` deletes."""
        kept = () if self.resubscribe else (each for each in CONSENTS if held.get(each) == OPTED_OUT)
        return (held.keys() & self.cleared).difference(kept)


def _entry(attribute: Attribute) -> object:
    entry: dict[str, object] = {"column": attribute.column, "name": attribute.name}
    if attribute.type:
        entry["type"] = attribute.type
    if attribute.keep:
        entry["on_null"] = "keep"
    return entry


@dataclass(frozen=True)
class Rows:
    """A sync's valid rows. A custom_id with several rows is `ambiguous`."""

    valid: Mapping[str, Row]
    ambiguous: frozenset[str]

    @staticmethod
    def of(rows: Sequence[Row]) -> Rows:
        """Classify rows."""
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
    """The possible states of Batch. Call `look` whenever Batch is known to be in order."""

    held: dict[str, dict[str, TypedValue]] = field(default_factory=dict)
    possible: dict[str, dict[str, set[TypedValue | None]]] = field(default_factory=dict)
    away: dict[str, set[Leaving]] = field(default_factory=dict)
    unsendable: set[tuple[str, str]] = field(default_factory=set)
    spec: Spec = field(default_factory=lambda: Spec(()))
    rows: Rows = field(default_factory=lambda: Rows({}, frozenset()))

    def build(self, spec: Spec, rows: Sequence[Row]) -> None:
        """Record a completed `dbt run`: its rows may now be sent."""
        self.spec, self.rows = spec, Rows.of(rows)
        for name, row in self.rows.valid.items():
            self.possible.setdefault(name, {})  # also if it has nothing to send until it leaves
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

    def gone(self) -> dict[str, set[Leaving]]:
        """Profiles that were not in the last `dbt run`, with the ways in which they may have exited."""
        here = {*self.rows.valid, *self.rows.ambiguous}
        return {name: how for name, how in self.away.items() if name not in here}

    def _may(self, name: str, attribute: str, value: TypedValue | None) -> None:
        held = self.held.get(name, {}).get(attribute)
        self.possible.setdefault(name, {}).setdefault(attribute, {held}).add(value)

    def impossible(self, held: Held) -> list[str]:
        """Values in Batch that no `dbt run` since the last look asked for."""
        wrong = [f"{name}: an unknown profile" for name in held.keys() - self.possible.keys()]
        for name, known in self.possible.items():
            attributes = held.get(name, {})
            for each in {*attributes, *known, *self.held.get(name, {})}:
                may = known.get(each, {self.held.get(name, {}).get(each)})
                # A profile that is not in Batch yet has no attributes.
                if attributes.get(each) not in may:
                    wrong.append(
                        f"{name}: {each} is {attributes.get(each)}, and may be {sorted(map(str, may))}"
                    )
        return wrong

    def wrong(self, held: Held, rejects: Rejects) -> list[str]:
        """Differences between Batch and the last `dbt run`, apart from rejected values."""
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
        (leaving,) = self.away[name]
        member = leaving.membership
        named = {relation.removeprefix("batch__") for who, relation in rejects if who == name and relation}
        if leaving.on_exit == "clear":
            left = {each for each in leaving.clears(held) if each.lstrip("$") not in named}
            if left:
                yield f"{name}: left, and still has {sorted(left)}"
        elif member and held.get(member) != TypedValue("boolean", False) and member not in named:
            yield f"{name}: left, and its {member} is {held.get(member)}"

    def look(self, held: Held) -> None:
        """Record that Batch holds this and nothing is in flight. Earlier possibilities are dropped."""
        self.held = {name: dict(attributes) for name, attributes in held.items()}
        # A profile that came back may still be exited in Batch until then: each exit is sent once.
        self.away = {name: how for name, how in self.away.items() if name not in self.rows.valid}
        self.possible = {name: {} for name in {*self.possible, *held}}

    def adopted(self) -> dict[str, dict[str, TypedValue | None]]:
        """What Batch holds after an adoption: the state of the last `dbt run`. None: no value."""
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
