"""Random sequences in which profiles are edited in Batch directly. Audits must report those edits and nothing
else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from harness.faulty import Trouble
from harness.life import Before, Life, befores
from harness.oracle import Rejected
from harness.truth import CONSENTS
from hypothesis import strategies as st
from hypothesis.stateful import rule

from dbt_batch_sync.results.look import SyncAudited
from dbt_batch_sync.sandbox.server import Profile, TypedValue
from dbt_batch_sync.sandbox.store import ProfileStore

Edit = tuple[int, int, int]
"""Indexes, taken modulo, of a profile, an attribute and its new value."""

_TEXT = TypedValue("string", "edited by hand")
_TRUE = TypedValue("boolean", True)
_CONSENT = tuple(TypedValue("string", word) for word in ("subscribed", "unsubscribed"))
VALUES: Mapping[str, tuple[TypedValue, ...]] = {
    "nick": (_TEXT, TypedValue("url", "https://elsewhere.example/")),
    "points": (_TEXT, *(TypedValue("integer", n) for n in (1, 2)), TypedValue("float", 1.005), _TRUE),
    "born": (TypedValue("date", "1999-09-09T00:00:00Z"), _TEXT, _TRUE),
    "tags": (TypedValue("string_array", ("b", "a")), TypedValue("string_array", ("z",))),
    "$email_address": (TypedValue("string", "stranger@example.com"),),
    "$email_marketing": _CONSENT,
    "member": (_TRUE, TypedValue("boolean", False), TypedValue("integer", 1), TypedValue("string", "yes")),
}
"""Values written by direct edits. A reordered array, or 1.0 for 1, is not an edit."""

edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 7), st.integers(0, 6)), min_size=1, max_size=4
)
deaths = st.builds(
    Trouble,
    st.sampled_from(["append:export", "append:audited", "append:rejects", "fetch"]),
    st.integers(1, 4),
    st.sampled_from(["before", "after"]),
)


class AuditedLife(Life):
    """`untouched` is a second store that only receives pushes: what Batch would hold without edits."""

    def __init__(self) -> None:
        super().__init__()
        self.untouched = ProfileStore()
        store = self.bench.sandbox.store
        apply = type(store).apply

        def both(operations: Any, now: str, *more: Any, **named: Any) -> Any:
            self.untouched.apply(operations, now)
            return apply(store, operations, now, *more, **named)

        store.apply = both  # type: ignore[method-assign]

    # Steps

    @rule(edited=edits)
    def edit(self, edited: list[Edit]) -> None:
        """Edit profiles in Batch directly."""
        profiles = self.bench.sandbox.store._profiles
        wires = sorted(self._audited().values()) or ["points"]
        for who, what, how in edited:
            names = [*sorted(self.untouched.profiles), "stranger"]
            name, wire = names[who % len(names)], wires[what % len(wires)]
            values = VALUES[wire.removesuffix("_2")]
            new = (*values, None, "removed")[how % (len(values) + 2)]
            if new is None:
                profiles.setdefault(name, Profile(name)).attributes.pop(wire, None)
            elif isinstance(new, str):
                profiles.pop(name, None)
            else:
                profiles.setdefault(name, Profile(name)).attributes[wire] = new

    @rule(repair=st.booleans())
    def audit(self, repair: bool) -> None:
        """Audit at any time: whatever it reports was edited."""
        self._audit(repair=repair)

    @rule(death=deaths)
    def audit_and_die(self, death: Trouble) -> None:
        """`kill -9` during an audit with repair."""
        self._audit(repair=True, trouble=death)

    @rule(before=befores)
    def adopt(self, before: Before) -> None:
        """Adopt as usual, after undoing all edits: adopting claims that Batch matches the delta."""
        self._undo()
        super().adopt(before)
        self.untouched._profiles = deepcopy(dict(self.bench.sandbox.store._profiles))

    @rule(before=befores, edited=edits)
    def sync(self, before: Before, edited: Sequence[Edit] = ()) -> None:
        """After a clean sync, an audit reports every edit. After the repair it reports none."""
        super().sync(before)
        self.edit(list(edited))
        found = self._audit()
        assert found is not None
        assert found.error is None, found.error
        self._check_complete()
        if not found.drifted:
            return
        self._audit(repair=True)
        self._build()
        outcome = self._push(force=True)
        assert outcome.pushed is not None
        assert outcome.pushed.status in ("succeeded", "partial"), outcome.pushed.error
        self.in_order = False
        self._audit()
        drift = self._drift()
        left = {(name, attribute) for name, attribute, kind in drift if kind != "unknown_profile"}
        assert left <= set(self._subscribed()), f"not repaired: {left}"

    # Internals

    def _held(self) -> Mapping[str, Mapping[str, TypedValue]]:
        return {name: dict(each.attributes) for name, each in self.untouched.profiles.items()}

    def _undo(self) -> None:
        self.bench.sandbox.store._profiles = deepcopy(dict(self.untouched.profiles))

    def _audit(self, **options: Any) -> SyncAudited | None:
        self.audit_number = len(self._audits())
        found = self.bench.audit(**options)
        self.in_order &= not options.get("repair")
        if found is not None and found.error is None:
            edited = self._edited()
            for name, attribute, difference in self._drift():
                kinds = edited.get(name, {})
                if difference == "missing_profile":
                    right = name not in self.bench.profiles()
                elif difference == "unknown_profile":
                    right = name not in self.untouched.profiles
                else:
                    right = kinds.get(attribute or "") == difference
                assert right, f"{name}: {attribute} is reported as {difference}, but the edits were {kinds}"
        return found

    def _check_complete(self) -> None:
        named = {(name, attribute) for name, attribute, _ in self._drift()}
        for name, kinds in self._edited().items():
            for attribute, kind in kinds.items():
                if (name, None) in named or (name, attribute) in named:
                    continue
                assert self._is_excused(name, attribute), (
                    f"{name}: {attribute} is {kind}, but the audit did not report it"
                )

    def _audits(self) -> list[str]:
        return [row["run_id"] for row in self.bench.journal() if row["event"] == "audited"]

    def _drift(self) -> set[tuple[str, str | None, str]]:
        """The drift recorded by the last completed audit."""
        last = self._audits()[-1]
        rows = self.bench.table("batch_sync_drift")
        return {(row["key"], row["attribute"], row["difference"]) for row in rows if row["audit_id"] == last}

    def _audited(self) -> dict[str, str]:
        """The audited attributes: relation name to Batch name."""
        spec = self.truth.spec
        named = {each.relation: each.wire for each in spec.attributes}
        return {**named, **({spec.membership: spec.membership} if spec.membership else {})}

    def _edited(self) -> dict[str, dict[str, str]]:
        """Differences between Batch and `untouched`, by profile and attribute."""
        ours, theirs = self._held(), self.bench.profiles()
        found: dict[str, dict[str, str]] = {}
        for name in {*ours, *theirs}:
            for relation, wire in self._audited().items():
                kind = _difference(ours.get(name, {}).get(wire), theirs.get(name, {}).get(wire))
                if kind is not None:
                    found.setdefault(name, {})[relation] = kind
        return found

    def _is_excused(self, name: str, attribute: str) -> bool:
        """Whether an audit may ignore a difference: rejected, exited, never sent, or opted out."""
        rejects, rows, spec = self.bench.rejects(), self.truth.rows, self.truth.spec
        if (name, None) in rejects or (name, attribute) in rejects or name in rows.ambiguous:
            return True
        wire = self._audited()[attribute]
        held = self.bench.profiles().get(name, {}).get(wire)
        if wire in CONSENTS and held == _CONSENT[1]:
            return True
        if name not in rows.valid:
            if wire in CONSENTS and self._held().get(name, {}).get(wire) == _CONSENT[1]:
                return True  # an opt-out that an exit kept; the snapshot has no values of who left
            flagged = attribute == spec.membership and name in self.bench.profiles()
            return spec.on_exit == "ignore" or (spec.on_exit == "flag" and not flagged)
        return any(
            isinstance(value, Rejected) or (value is None and each.keep)
            for each, value in spec.wanted(rows.valid[name])
            if each.relation == attribute
        )

    def _subscribed(self) -> Iterator[tuple[str, str | None]]:
        """Consents that a repair never restores."""
        for name, held in self._held().items():
            for relation, wire in self._audited().items():
                if wire in CONSENTS and held.get(wire) == _CONSENT[0]:
                    yield name, relation
                    yield name, None


def _difference(ours: TypedValue | None, theirs: TypedValue | None) -> str | None:
    if ours == theirs or (ours and theirs and _compared(ours) == _compared(theirs)):
        return None
    return "missing_value" if theirs is None else "unexpected_value" if ours is None else "other_value"


def _compared(value: TypedValue) -> object:
    if value.type in ("integer", "float"):
        return "number", value.value
    return frozenset(value.value) if isinstance(value.value, tuple) else value
