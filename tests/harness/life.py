"""The life of a segment as a model checker plays it: everything that users, Batch, networks and power cuts do to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dbt_batch_sync.crash import POINTS
from dbt_batch_sync.sandbox.server import Fault, FaultKind, When
from harness.bench import Bench, Crash, Knobs, Outcome
from harness.truth import Attribute, Spec, Truth

PEOPLE = tuple("abcdefgh")
Row = dict[str, object]


@dataclass(frozen=True)
class Typing:
    """A way to have a column and to map it: its type in the warehouse, the mapping's `type`, what that is in Batch."""

    column_type: str
    type: str | None
    kind: str
    cell: Callable[[Any], object] = lambda value: value


def _text(value: object) -> object:
    return None if value is None else str(value)


def _decimal(value: object) -> object:
    return None if value is None else Decimal(str(value))


def _moment(value: date | None) -> object:
    return None if value is None else datetime(value.year, value.month, value.day)


TYPINGS: Mapping[str, tuple[Typing, ...]] = {
    "nick": (Typing("varchar", None, "string"), Typing("varchar", "url", "url")),
    "points": (
        Typing("bigint", None, "integer"),
        Typing("varchar", None, "string", _text),
        Typing("decimal(10,2)", None, "float", _decimal),
        Typing("decimal(12,4)", None, "float", _decimal),
        Typing("bigint", "string", "string"),
        Typing("varchar", "integer", "integer", _text),
    ),
    "born": (Typing("date", None, "date"), Typing("timestamp", None, "date", _moment)),
    "tags": (Typing("varchar[]", None, "string_array"),),
    "email": (Typing("varchar", None, "$email_address"),),
    "optin": (Typing("boolean", None, "$email_marketing"),),
}
"""Columns of the segment, and how each can be mapped."""

CELLS: Mapping[str, tuple[object, ...]] = {
    "nick": ("https://a.example/1", "https://a.example/2", None, "Zoé", "", "x" * 301),
    "points": (1, 2, None, 0),
    "born": (date(2020, 1, 1), date(2021, 6, 1), None),
    "tags": (["a"], ["a", "b"], None, [], ["t"] * 26),
    "email": ("a@example.com", "b@example.com", None, "nobody"),
    "optin": (True, False, None),
}

ODD_IDS: tuple[object, ...] = (None, "null", "a\nb", "   ", "i" * 512)


@st.composite
def attributes(draw: st.DrawFn, column: str) -> tuple[Attribute, Typing] | None:
    """One column's mapping, or none."""
    if not draw(st.booleans(), label=f"map {column}"):
        return None
    typing = draw(st.sampled_from(TYPINGS[column]))
    name = column if typing.kind.startswith("$") else draw(st.sampled_from([column, f"{column}_2"]))
    keep = not typing.kind.startswith("$") and draw(st.booleans())
    return Attribute(column, name, typing.kind, typing.type, keep), typing


@st.composite
def specs(draw: st.DrawFn) -> tuple[Spec, dict[str, Typing]]:
    """A mapping, and the types of the columns that it needs."""
    found = [each for column in TYPINGS if (each := draw(attributes(column))) is not None]
    found = found or [(Attribute("points", "points", "integer"), TYPINGS["points"][0])]
    on_exit = draw(st.sampled_from(["clear", "ignore", "flag"]))
    membership = "member" if on_exit == "flag" or (on_exit == "clear" and draw(st.booleans())) else None
    spec = Spec(tuple(each for each, _ in found), on_exit, membership, draw(st.booleans()))
    return spec, {each.column: typing for each, typing in found}


rows_of_people = st.fixed_dictionaries({column: st.sampled_from(cells) for column, cells in CELLS.items()})
"""Cells of a row, without its id."""

changes = st.dictionaries(
    st.sampled_from(PEOPLE),
    st.one_of(st.lists(rows_of_people, min_size=1, max_size=1), st.just([]), st.lists(rows_of_people, min_size=2, max_size=2)),
    min_size=1,
    max_size=len(PEOPLE),
)
"""What becomes of some people: a row, none any more, or two that contradict each other."""

crashes = st.builds(Crash, st.sampled_from(POINTS), st.integers(1, 6)) | st.builds(
    Crash, st.just("inside_commit"), st.integers(1, 30)
)

knobs = st.builds(
    Knobs,
    chunk_rows=st.integers(1, 4),
    window_rows=st.sampled_from([1, 3, 0]),
    slice_rows=st.integers(1, 4),
    in_flight=st.integers(1, 3),
    checkpoint_every=st.sampled_from([1, 2, 100]),
    max_attempts=st.integers(1, 3),
    seed=st.integers(0, 3),
)

_WHEN = st.one_of(
    st.builds(When, nth=st.integers(1, 4).map(lambda number: (number,))),
    st.builds(When, probability=st.just(0.4), seed=st.integers(0, 7)),
    st.builds(When, every=st.integers(1, 2)),
)
_SOMEBODY = st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True).map(tuple)
_NAMES = st.sampled_from(["points", "nick", "$email_address", "tags_2"]).map(lambda name: (name,))

faults = st.one_of(
    st.builds(Fault, st.just(FaultKind.STATUS), _WHEN, status=st.sampled_from([429, 500, 503, 502, 401, 404, 400])),
    st.builds(Fault, st.sampled_from([FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER]), _WHEN, reset=st.booleans()),
    st.builds(Fault, st.sampled_from([FaultKind.TRUNCATE, FaultKind.GARBAGE, FaultKind.REDIRECT]), _WHEN),
    st.builds(Fault, st.just(FaultKind.STORM), _WHEN, requests=st.integers(1, 5)),
    st.builds(Fault, st.just(FaultKind.REFUSE_ROWS), custom_ids=_SOMEBODY),
    st.builds(Fault, st.just(FaultKind.REFUSE_ATTRIBUTE), attributes=_NAMES),
    st.builds(Fault, st.just(FaultKind.REJECT_CALL), custom_ids=_SOMEBODY),
    st.builds(Fault, st.just(FaultKind.SLOW), _WHEN, seconds=st.just(0.01)),
    st.builds(Fault, st.just(FaultKind.HUGE), _WHEN, size=st.just(2_000_000)),
)

options = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers(1, 4),
        "retry_rejected": st.just(True),
        "full_refresh": st.just(True),
        "dry_run": st.just(True),
        "force": st.just(True),
    },
)


class Life(RuleBasedStateMachine):
    """Steps in any order; after a clean `dbt run` and push, Batch is what the segment says."""

    bench: Bench  # of the class that a test makes of this one

    def __init__(self) -> None:
        super().__init__()
        self.bench.reset()
        self.bench.let_leases_expire()
        self.truth = Truth()
        self.people: dict[str, list[Row]] = {}
        self.odd: tuple[object, ...] = ()
        self.typings: dict[str, Typing] = {column: known[0] for column, known in TYPINGS.items()}
        self.spec = Spec(())
        self.built = False
        self.builds = 0
        self.in_order = True
        """Since the last look nothing happened that may be sent again."""
        self.held_by_dead = False

    # Steps

    @initialize(given=specs(), people=changes)
    def begin(self, given: tuple[Spec, dict[str, Typing]], people: dict[str, list[Row]]) -> None:
        self.map(given)
        self.change(people)

    @rule(people=changes)
    def change(self, people: dict[str, list[Row]]) -> None:
        """Rows change, come, leave, or are there twice."""
        self.people.update(people)

    @rule(odd=st.lists(st.sampled_from(ODD_IDS), max_size=2).map(tuple))
    def add_odd(self, odd: tuple[object, ...]) -> None:
        """Rows that no identifier is right of."""
        self.odd = odd

    @rule(given=specs())
    def map(self, given: tuple[Spec, dict[str, Typing]]) -> None:
        """The mapping changes, and with it perhaps the columns."""
        self.spec, typings = given
        self.typings.update(typings)
        self.bench.map(self.spec.meta())

    @rule()
    def build(self) -> None:
        """`dbt run`."""
        self._set_rows()
        self.bench.build()
        self.truth.build(self.spec, self._rows())
        self.built = True
        self.builds += 1

    @precondition(lambda self: self.built)
    @rule()
    def build_snapshot(self) -> None:
        """A `dbt run` that dies between the snapshot and the delta."""
        self._set_rows()
        self.bench.build("_sent_snapshot")
        self.in_order = False

    @precondition(lambda self: self.built)
    @rule(options=options, knobs=knobs)
    def push(self, options: dict[str, Any], knobs: Knobs) -> None:
        """A push that nothing disturbs, of a part or of everything."""
        if options.keys() & {"retry_rejected", "full_refresh"}:
            self.in_order = False
        outcome = self._push(knobs=knobs, **options)
        if options.get("dry_run"):
            assert not outcome.requests, "a dry run sent something"

    @precondition(lambda self: self.built)
    @rule(options=options, knobs=knobs, faults=st.lists(faults, min_size=1, max_size=3))
    def push_under_faults(self, options: dict[str, Any], knobs: Knobs, faults: list[Fault]) -> None:
        """Batch and the network do what they can."""
        self.in_order = False
        self._push(knobs=knobs, faults=faults, **options)

    @precondition(lambda self: self.built)
    @rule(options=options, knobs=knobs, crash=crashes, faults=st.lists(faults, max_size=1))
    def push_and_die(self, options: dict[str, Any], knobs: Knobs, crash: Crash, faults: list[Fault]) -> None:
        """`kill -9` somewhere in a push."""
        self.in_order = False
        outcome = self._push(knobs=knobs, crash=crash, faults=faults, **options)
        if outcome.killed:
            self.held_by_dead = crash.point != "ended"

    @precondition(lambda self: self.built)
    @rule(knobs=knobs, at=st.integers(1, 2), late=st.booleans())
    def push_twice_at_once(self, knobs: Knobs, at: int, late: bool) -> None:
        """A second push while the first is under way; `late`: when that has not been heard of for a minute."""
        self.in_order = False
        second: list[Outcome] = []

        def rival() -> None:
            if late:
                self.bench.let_leases_expire()
            second.append(self.bench.push(force=True))

        first = self._push(knobs=knobs, meanwhile=(at, rival))
        if second and not late:
            assert second[0].pushed is not None
            assert "is being pushed already" in str(second[0].pushed.error)
            assert not second[0].requests, "two pushes at once"
        if second and late:
            assert first.pushed is not None
            assert first.pushed.status == "failed", "a push went on without its lease"

    @precondition(lambda self: self.built)
    @rule(knobs=knobs, at=st.integers(1, 2), people=changes)
    def rebuild_during_push(self, knobs: Knobs, at: int, people: dict[str, list[Row]]) -> None:
        """`dbt run` while a push is under way."""
        self.in_order = False

        def rebuild() -> None:
            self.change(people)
            self.build()

        self._push(knobs=knobs, meanwhile=(at, rebuild))

    @precondition(lambda self: self.built and self.truth.spec == self.spec)
    @rule()
    def adopt(self) -> None:
        """Batch has the delta already, says somebody; here it is true."""
        self._free()
        outcome = self.bench.push(adopt=True)
        assert outcome.pushed is not None
        assert outcome.pushed.status in ("succeeded", "partial"), outcome.pushed.error
        assert not outcome.requests
        self._give(self.truth.adopted())
        self.in_order = False

    @rule()
    def sync(self) -> None:
        """A clean `dbt run` and push: Batch is what the segment says, and the next push has nothing to do."""
        before = self.bench.profiles()
        self.build()
        outcome = self._push(force=True)
        assert outcome.pushed is not None
        assert outcome.pushed.status in ("succeeded", "partial"), outcome.pushed.error
        held, rejects = self.bench.profiles(), self.bench.rejects()
        wrong = self.truth.wrong(held, rejects)
        assert not wrong, wrong
        if self.in_order and self.builds == 1:
            self._check_economy(before, held, outcome)
        self.truth.look(held)
        self.builds, self.in_order = 0, not rejects
        again = self._push(force=True)
        assert not again.requests, "the next push sends something"
        self.build()
        again = self._push(force=True)
        assert not again.requests, f"the next dbt run and push send something: {again.sent}"
        self.builds, self.in_order = 0, not rejects

    def teardown(self) -> None:
        if self.built:
            self.sync()

    @invariant()
    def obeys(self) -> None:
        """No operation broke a rule of the API, and Batch holds nothing that nobody asked for."""
        stats = self.bench.sandbox.stats
        assert not stats.violations, stats.examples
        wrong = self.truth.impossible(self.bench.profiles())
        assert not wrong, wrong

    # How

    def _push(self, **given: Any) -> Outcome:
        self._free()
        outcome = self.bench.push(**given)
        if outcome.pushed is not None and outcome.pushed.status != "failed" and not given.get("dry_run"):
            assert outcome.pushed.sent >= outcome.pushed.accepted
        return outcome

    def _free(self) -> None:
        if self.held_by_dead:
            refused = self.bench.push(force=True)
            assert refused.pushed is not None
            assert not refused.requests or "is being pushed already" not in str(refused.pushed.error)
            self.bench.let_leases_expire()
            self.held_by_dead = False

    def _rows(self) -> list[Row]:
        rows: list[Row] = [
            {"id": name, **{column: self.typings[column].cell(cell) for column, cell in row.items()}}
            for name, same in self.people.items()
            for row in same
        ]
        return [*rows, *({"id": name} for name in self.odd)]

    def _set_rows(self) -> None:
        columns = {"id": "varchar", **{name: typing.column_type for name, typing in self.typings.items()}}
        self.bench.set_rows(columns, self._rows())

    def _give(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        store = self.bench.sandbox.store
        for name, attributes in given.items():
            profile = store._profiles.setdefault(name, _new_profile(name))
            for attribute, value in attributes.items():
                if value is None:
                    profile.attributes.pop(attribute, None)
                else:
                    profile.attributes[attribute] = value
        for name, policies in self.truth.away.items():
            if name in store._profiles and len(policies) == 1:
                self._take_leave(store._profiles[name].attributes, *next(iter(policies)))

    def _take_leave(self, held: dict[str, Any], on_exit: object, membership: object, names: Any) -> None:
        if on_exit == "clear":
            for name in names:
                held.pop(name, None)
        elif on_exit == "flag":
            held[str(membership)] = _BOOLEAN_FALSE

    def _check_economy(self, before: Mapping[str, Any], after: Mapping[str, Any], outcome: Outcome) -> None:
        """Only what differed was sent, once."""
        twice = {name for name, count in outcome.sent.items() if count > 1}
        assert not twice, f"sent twice: {twice}"
        changed = {name for name in after if after[name] != before.get(name, {})}
        needless = outcome.sent.keys() - changed
        assert not needless, f"sent for nothing: {needless}"


def _new_profile(name: str) -> Any:
    from dbt_batch_sync.sandbox.profile import Profile

    return Profile(name)


from dbt_batch_sync.sandbox.server import TypedValue  # noqa: E402

_BOOLEAN_FALSE = TypedValue("boolean", False)
