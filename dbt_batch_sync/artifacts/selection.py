"""Resolves `--select` and `--exclude` to syncs, for the part of dbt's syntax that applies to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from dbt_batch_sync.errors import ConfigurationError
from dbt_batch_sync.mapping.syncs import Sync
from dbt_batch_sync.mapping.validation import listed, shown

ACCEPTED = (
    "accepted: a sync's name, its delta's or its snapshot's, with wildcards (`crm_*`); `tag:…`, `path:…`, "
    "`fqn:…`, `package:…`; a comma for `and`, a space or a second option for `or`"
)
_GRAPH = re.compile(r"@|[0-9]*\+|.*\+[0-9]*$")


def select_syncs(
    syncs: Sequence[Sync], select: Iterable[str] = (), exclude: Iterable[str] = (), selector: object = None
) -> tuple[Sync, ...]:
    """The selected syncs, in order: all without `select`, and none of `exclude`. `selector` is a definition
    from `selectors.yml`, as in the manifest, instead of `select`. Raises ConfigurationError if a selector is
    invalid or matches nothing, or no sync is left.
    """
    select, exclude = tuple(select), tuple(exclude)
    if selector is not None:
        chosen = _defined(syncs, selector)
        if not chosen:
            raise ConfigurationError("`--selector` matches no sync")
    else:
        chosen = _matching(syncs, select, "--select") if select else {each.name for each in syncs}
    dropped = _matching(syncs, exclude, "--exclude")
    left = tuple(each for each in syncs if each.name in chosen - dropped)
    if exclude and not left:
        raise ConfigurationError("`--exclude` leaves none of the selected syncs")
    return left


def _matching(syncs: Sequence[Sync], values: Iterable[str], option: str) -> set[str]:
    found: set[str] = set()
    for value in values:
        if not value.split():
            # Probably an unset variable in a script. Selecting every sync would push more than intended.
            raise ConfigurationError(f"`{option}` is empty; {ACCEPTED}")
        for union in value.split():
            tests = [_test(criterion, option) for criterion in union.split(",")]
            names = {each.name for each in syncs if all(test(each) for test in tests)}
            if not names:
                known = listed(shown(each.name) for each in syncs) or "none"
                raise ConfigurationError(f"`{option} {shown(union)}` matches no sync; there are: {known}")
            found |= names
    return found


def _defined(syncs: Sequence[Sync], definition: object) -> set[str]:
    if not isinstance(definition, dict):
        raise ConfigurationError("`--selector`: its definition in the manifest is not understood")
    if any(definition.get(key) for key in ("parents", "children", "childrens_parents")):
        raise ConfigurationError(f"`--selector`: graph operators are not accepted; {ACCEPTED}")
    kind = next((key for key in ("union", "intersection") if key in definition), None)
    entries = definition[kind] if kind else [definition]
    excluded = {
        name for each in entries for below in each.get("exclude", ()) for name in _defined(syncs, below)
    }
    if kind is None:
        test = _test(f"{definition.get('method')}:{definition.get('value')}", "--selector")
        return {each.name for each in syncs if test(each)} - excluded
    sets = [_defined(syncs, each) for each in entries if set(each) != {"exclude"}]
    return (set.union(*sets) if kind == "union" else set.intersection(*sets)) - excluded


def _test(criterion: str, option: str) -> Callable[[Sync], bool]:
    method, colon, value = criterion.partition(":")
    if _GRAPH.match(criterion):
        raise ConfigurationError(
            f"`{option} {shown(criterion)}`: graph operators are not accepted; {ACCEPTED}"
        )
    if not colon:
        method, value = "", criterion
    if method not in _METHODS or not value:
        raise ConfigurationError(f"`{option} {shown(criterion)}` is not understood; {ACCEPTED}")
    matches = _METHODS[method]
    return lambda sync: matches(sync, value)


def _by_name(sync: Sync, value: str) -> bool:
    """Without a method: a name, then a path if it looks like one, then an fqn, as in dbt."""
    if any(fnmatchcase(name, value) for name in sync.names):
        return True
    return _by_path(sync, value) if "/" in value else _by_fqn(sync, value)


def _by_fqn(sync: Sync, value: str) -> bool:
    """The full qualified name, or its leading folders, with or without the package."""
    pattern = value.split(".")
    fqn = sync.model.fqn
    return any(_begins(parts, pattern) for parts in (fqn, fqn[1:])) or fnmatchcase(sync.name, value)


def _by_path(sync: Sync, value: str) -> bool:
    """The model's file or one of its folders. `*` matches within a folder, `**` across folders."""
    parts = sync.model.path.replace("\\", "/").split("/")
    pattern = value.replace("\\", "/").removeprefix("./").removesuffix("/").split("/")
    return _begins(parts, [] if pattern == ["."] else pattern)


def _begins(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_begins(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _begins(parts[1:], pattern[1:])


_METHODS: Mapping[str, Callable[[Sync, str], bool]] = {
    "": _by_name,
    "tag": lambda sync, value: any(fnmatchcase(tag, value) for tag in sync.model.tags),
    "path": _by_path,
    "fqn": _by_fqn,
    "package": lambda sync, value: fnmatchcase(sync.model.package, value),
}
