"""State machine for model checking: everything that users, Batch, networks and crashes can do to a sync."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from harness.bench import Bench, Knobs, Outcome
from harness.faults import Fault, FaultKind, When
from harness.faulty import EVENTS, Trouble
from harness.truth import CONSENTS, Attribute, Leaving, Spec, Truth
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dbt_batch_sync.sandbox.profile import Profile
from dbt_batch_sync.sandbox.server import TypedValue

PEOPLE = tuple("abcdef")
Row = dict[str, object]


@dataclass(frozen=True)
class Typing:
    """One way to declare and map a column: its warehouse type, the mapping's `type`, and the resulting Batch
    type.
    """

    column_type: str
    type: str | None
    kind: str
    cell: Callable[[Any], object] = field(default=lambda value: value, repr=False)


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
"""The sync's columns and the ways to map each."""

_COLUMNS = ("nick", "points", "born", "tags", "email", "optin")
_A, _B = "https://a.example/1", "https://a.example/2"
_BORN = date(2020, 1, 1)
ROWS: tuple[Row, ...] = tuple(
    dict(zip(_COLUMNS, cells, strict=True))
    for cells in (
        (_A, 1, _BORN, ["a"], "a@example.com", True),
        (_B, 1, _BORN, ["a"], "a@example.com", True),
        (_B, 2, date(2021, 6, 1), ["a", "b"], "b@example.com", False),
        (None, None, None, None, None, None),
        (_A, None, _BORN, ["a"], None, True),
        (_A, 1, None, [], "a@example.com", None),
        ("", 2, _BORN, ["a"], "b@example.com", False),
        ("Zoé", 0, _BORN, None, "a@example.com", False),
        ("x" * 301, 1, _BORN, ["a"], "a@example.com", True),
        (_A, 2, None, ["t"] * 26, "nobody", True),
    )
)
"""Possible rows. Neighbors differ in one cell, some have nulls, and Batch rejects cells of the last three."""

ODD_IDS: tuple[object, ...] = (None, "null", "a\nb", "   ", "i" * 512)


@st.composite
def attributes(draw: st.DrawFn, column: str) -> tuple[Attribute, Typing] | None:
    """A random mapping of a column, or None."""
    if not draw(st.booleans(), label=f"map {column}"):
        return None
    typing = draw(st.sampled_from(TYPINGS[column]))
    name = column if typing.kind.startswith("$") else draw(st.sampled_from([column, f"{column}_2"]))
    keep = typing.kind in CONSENTS or (not typing.kind.startswith("$") and draw(st.booleans()))
    return Attribute(column, name, typing.kind, typing.type, keep), typing


@st.composite
def specs(draw: st.DrawFn) -> tuple[Spec, dict[str, Typing]]:
    """A random mapping, and the columns' types."""
    found = [each for column in TYPINGS if (each := draw(attributes(column))) is not None]
    found = found or [(Attribute("points", "points", "integer"), TYPINGS["points"][0])]
    on_exit = draw(st.sampled_from(["clear", "ignore", "flag"]))
    membership = "member" if on_exit == "flag" or (on_exit == "clear" and draw(st.booleans())) else None
    spec = Spec(tuple(each for each, _ in found), on_exit, membership, draw(st.booleans()))
    return spec, {each.column: typing for each, typing in found}


Fate = tuple[int, ...]
"""A profile's rows, as indexes into `ROWS`."""

_ONE = st.tuples(st.integers(0, len(ROWS) - 1))
_FATE = st.one_of(st.none(), _ONE, _ONE, st.just(()), st.just((0, 2)))
changes = st.fixed_dictionaries(dict.fromkeys(PEOPLE, _FATE))
"""Changes by profile: no change, one row, no rows, or two conflicting rows."""


@dataclass(frozen=True)
class Before:
    """Preparation of a step: new rows, or the rows of the last verified state (`back`); a new mapping; a `dbt
    run`.
    """

    people: Mapping[str, Fate | None] | None = None
    odd: tuple[object, ...] | None = None
    mapping: tuple[Spec, dict[str, Typing]] | None = None
    back: bool = False
    build: bool = True


_CHANGES = st.builds(Before, people=changes)
befores = st.one_of(
    _CHANGES,
    _CHANGES,
    st.builds(Before, people=changes, odd=st.lists(st.sampled_from(ODD_IDS), max_size=2).map(tuple)),
    st.builds(Before, back=st.just(True)),
    st.builds(Before, people=st.none() | changes, mapping=specs()),
    st.builds(Before, mapping=specs(), back=st.just(True)),
    st.just(Before(build=False)),
)

_PASSED = {"append:intent": 3, "append:checkpoint": 4, "append:rejects": 2, "send": 4, "fetch": 5}
deaths = st.sampled_from([*(f"append:{event}" for event in EVENTS), "send", "fetch"]).flatmap(
    lambda point: st.builds(
        Trouble, st.just(point), st.integers(1, _PASSED.get(point, 1)), st.sampled_from(["before", "after"])
    )
)
"""Where a push dies. `_PASSED`: how often a push of a few rows passes each point."""

lost_connections = st.sampled_from(["append", "fetch", "columns"]).flatmap(
    lambda point: st.builds(
        Trouble,
        st.just(point),
        st.integers(1, 7),
        st.sampled_from(["before", "after"]),
        act=st.just("fail"),
    )
)
"""Where the warehouse is briefly unreachable. With `after`, the append took effect."""

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
    st.builds(
        Fault, st.just(FaultKind.STATUS), _WHEN, status=st.sampled_from([429, 500, 503, 502, 401, 404, 400])
    ),
    st.builds(
        Fault, st.sampled_from([FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER]), _WHEN, reset=st.booleans()
    ),
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
        "dry_run": st.just(True),
        "force": st.just(True),
    },
)


class Life(RuleBasedStateMachine):
    """Random steps. After a clean `dbt run` and push, Batch must match the sync."""

    bench: Bench  # set by the subclass that a test creates

    def __init__(self) -> None:
        super().__init__()
        self.bench.reset()
        self.bench.let_leases_expire()
        self.truth = Truth()
        self.people: dict[str, Fate] = {}
        self.odd: tuple[object, ...] = ()
        self.typings: dict[str, Typing] = {column: known[0] for column, known in TYPINGS.items()}
        self.spec = Spec(())
        self.remembered: dict[str, Fate] = {}
        self.builds = 0
        self.in_order = True
        """Nothing since the last verified state justifies sending a value twice."""
        self.held_by_dead = False

    # Steps

    @initialize(people=changes, given=specs())
    def begin(self, people: dict[str, Fate | None], given: tuple[Spec, dict[str, Typing]]) -> None:
        self._prepare(Before(people, mapping=given))

    @rule(before=befores)
    def live(self, before: Before) -> None:
        """Only change and build."""
        self._prepare(before)

    @rule(before=befores)
    def build_snapshot(self, before: Before) -> None:
        """`dbt run` of the snapshot only."""
        self._prepare(replace(before, build=False))
        self._set_rows()
        self.bench.build("_sent_snapshot")
        self.in_order = False

    @rule(before=befores, statement=st.integers(1, 60))
    def build_and_die(self, before: Before, statement: int) -> None:
        """`kill -9` during `dbt run`. A push then sends nothing."""
        self._prepare(replace(before, build=False))
        self._set_rows()
        if self.bench.build(dies_at=statement):
            self.truth.build(self.spec, self._rows())
            self.builds += 1
        self.in_order = False

    @rule(scope=st.sampled_from(["all", "rejected"]))
    def resend(self, scope: Any) -> None:
        """Request a resend of everything, or of what was rejected."""
        self.bench.resend(scope)
        self.in_order = False

    @rule(before=befores, options=options, knobs=knobs)
    def push(self, before: Before, options: dict[str, Any], knobs: Knobs) -> None:
        """An undisturbed push of everything or a part."""
        self._prepare(before)
        outcome = self._push(knobs=knobs, **options)
        if options.get("dry_run"):
            assert not outcome.requests, "a dry run sent requests"

    @rule(before=befores, options=options, knobs=knobs, faults=st.lists(faults, min_size=1, max_size=2))
    def push_under_faults(
        self, before: Before, options: dict[str, Any], knobs: Knobs, faults: list[Fault]
    ) -> None:
        """A push while Batch and the network fail."""
        self._prepare(before)
        self.in_order = False
        self._push(knobs=knobs, faults=faults, **options)

    @rule(before=befores, options=options, knobs=knobs, death=deaths, faults=st.lists(faults, max_size=1))
    def push_and_die(
        self, before: Before, options: dict[str, Any], knobs: Knobs, death: Trouble, faults: list[Fault]
    ) -> None:
        """`kill -9` during a push."""
        self._prepare(before)
        self.in_order = False
        outcome = self._push(knobs=knobs, trouble=death, faults=faults, **{"force": True, **options})
        self.held_by_dead = outcome.killed

    @rule(before=befores, options=options, knobs=knobs, trouble=lost_connections)
    def push_and_lose_the_warehouse(
        self, before: Before, options: dict[str, Any], knobs: Knobs, trouble: Trouble
    ) -> None:
        """The warehouse connection drops during a push, which may be unable to release its claim."""
        self._prepare(before)
        self.in_order = False
        self._push(knobs=knobs, trouble=trouble, **{"force": True, **options})
        self.held_by_dead = True

    @rule(before=befores, knobs=knobs, at=st.integers(1, 2), late=st.booleans())
    def push_twice_at_once(self, before: Before, knobs: Knobs, at: int, late: bool) -> None:
        """A second push starts during the first. `late`: after the first has missed its heartbeats."""
        self._prepare(before)
        self.in_order = False
        second: list[Outcome] = []

        def rival() -> None:
            if late:
                self.bench.let_leases_expire()
            second.append(self.bench.push(force=True))

        first = self._push(knobs=knobs, meanwhile=(at, rival), force=True)
        if second and not late:
            assert second[0].pushed is not None
            assert "is already being pushed" in str(second[0].pushed.error)
            assert not second[0].requests, "two pushes ran at once"
        if second and late:
            assert first.pushed is not None
            assert first.pushed.status == "failed", "a push continued without its claim"

    @rule(before=befores, knobs=knobs, at=st.integers(1, 3), meanwhile=befores)
    def push_overtaken(self, before: Before, knobs: Knobs, at: int, meanwhile: Before) -> None:
        """A push sleeps in a request until its claim has expired. Meanwhile rows change, dbt runs, and
        another push runs; then Batch receives the delayed request.
        """
        self._prepare(before)
        self.in_order = False

        def others() -> None:
            self.bench.let_leases_expire()
            self._prepare(meanwhile)
            self.bench.push(force=True)

        self._push(knobs=knobs, asleep=(at, others), force=True)

    @rule(before=befores, knobs=knobs, at=st.integers(1, 2), meanwhile=befores)
    def rebuild_during_push(self, before: Before, knobs: Knobs, at: int, meanwhile: Before) -> None:
        """`dbt run` during a push."""
        self._prepare(before)
        self.in_order = False
        self._push(knobs=knobs, meanwhile=(at, lambda: self._prepare(meanwhile)), force=True)

    @rule(before=befores)
    def adopt(self, before: Before) -> None:
        """Adopt the delta, after making sure that Batch matches it.

        Skipped if a profile may have exited in several ways: nobody could then tell what Batch holds.
        """
        self._prepare(before)
        self._free()
        held = self.bench.sandbox.store.profiles
        if any(name in held and len(how) > 1 for name, how in self.truth.gone().items()):
            return
        outcome = self.bench.push(adopt=True)
        assert outcome.pushed is not None
        assert not outcome.requests
        if outcome.pushed.status != "failed":
            self._give(self.truth.adopted())
            self.in_order = False

    @rule(before=befores)
    def sync(self, before: Before) -> None:
        """After a clean `dbt run` and push, Batch matches the sync, and the next push has nothing to do."""
        self._prepare(replace(before, build=False))
        held_before = self._held()
        self._build()
        outcome = self._push(force=True)
        assert outcome.pushed is not None
        assert outcome.pushed.status in ("succeeded", "partial"), outcome.pushed.error
        held, rejects = self._held(), self.bench.rejects()
        wrong = self.truth.wrong(held, rejects)
        assert not wrong, wrong
        if self.in_order and self.builds == 1:
            self._check_economy(held_before, held, outcome)
        self.truth.look(held)
        self.remembered = dict(self.people)
        again = self._push(force=True)
        assert not again.requests, "the next push sent requests"
        self._build()
        again = self._push(force=True)
        assert not again.requests, f"the push after the next dbt run sent requests: {again.sent}"
        self.builds, self.in_order = 0, not rejects

    def teardown(self) -> None:
        if self.spec.attributes:
            self.sync(Before())

    @invariant()
    def obeys(self) -> None:
        """No operation broke a rule of the API, and Batch holds nothing that was never requested."""
        stats = self.bench.sandbox.stats
        assert not stats.violations, stats.examples
        wrong = self.truth.impossible(self._held())
        assert not wrong, wrong

    # Internals

    def _held(self) -> Mapping[str, Mapping[str, TypedValue]]:
        """What Batch holds as a result of pushes."""
        return self.bench.profiles()

    def _prepare(self, before: Before) -> None:
        if before.people is not None:
            self.people.update({name: rows for name, rows in before.people.items() if rows is not None})
        if before.back:
            self.people = dict(self.remembered)
        if before.odd is not None:
            self.odd = before.odd
        if before.mapping is not None:
            self.spec, typings = before.mapping
            self.typings.update(typings)
            self.bench.map(self.spec.meta())
        if before.build:
            self._build()

    def _build(self) -> None:
        self._set_rows()
        self.bench.build()
        self.truth.build(self.spec, self._rows())
        self.builds += 1

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
            assert not refused.requests or "is already being pushed" not in str(refused.pushed.error)
            self.bench.let_leases_expire()
            self.held_by_dead = False

    def _rows(self) -> list[Row]:
        rows: list[Row] = [
            {"id": name, **{column: self.typings[column].cell(cell) for column, cell in ROWS[row].items()}}
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
            profile = store._profiles.setdefault(name, Profile(name))
            for attribute, value in attributes.items():
                if value is None:
                    profile.attributes.pop(attribute, None)
                else:
                    profile.attributes[attribute] = value
        for name, how in self.truth.gone().items():
            if name in store._profiles:
                (leaving,) = how
                self._take_leave(store._profiles[name].attributes, leaving)

    def _take_leave(self, held: dict[str, TypedValue], leaving: Leaving) -> None:
        if leaving.on_exit == "clear":
            for name in leaving.clears(held):
                del held[name]
        elif leaving.membership:
            held[leaving.membership] = _BOOLEAN_FALSE

    def _check_economy(self, before: Mapping[str, Any], after: Mapping[str, Any], outcome: Outcome) -> None:
        """Assert that only differences were sent, and only once."""
        twice = {name for name, count in outcome.sent.items() if count > 1}
        assert not twice, f"sent twice: {twice}"
        changed = {name for name in after if after[name] != before.get(name, {})}
        needless = outcome.sent.keys() - changed
        assert not needless, f"sent without need: {needless}"


_BOOLEAN_FALSE = TypedValue("boolean", False)
