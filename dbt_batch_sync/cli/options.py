"""Options that verbs share: dbt's flags with dbt's meaning, before or after every verb."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dbt_batch_sync.errors import BatchSyncError, ConfigurationError

if TYPE_CHECKING:
    from dbt_batch_sync import api
    from dbt_batch_sync.connections.profiles import DbtOptions

_SWITCHES = """
cache-selected-only debug defer fail-fast favor-state introspect log-cache-events macro-debugging
partial-parse partial-parse-file-diff populate-cache print quiet send-anonymous-usage-stats
show-all-deprecations show-resource-report single-threaded static-parser upload-to-artifacts-ingest-api
use-colors-file use-experimental-parser use-fast-test-edges version-check warn-error write-json
"""
_VALUES = """
defer-state exclude-resource-type exclude-resource-types indirect-selection log-file-max-bytes log-format
log-format-file log-level log-level-file log-path partial-parse-file-path printer-width record-timing-info
resource-type resource-types state threads warn-error-options
"""
IGNORED_SWITCHES = frozenset(
    ("-d", "-q", "-x", *(f"--{no}{name}" for name in _SWITCHES.split() for no in ("", "no-")))
)
"""dbt's flags that have no effect here."""

IGNORED_VALUES = frozenset(("-r", *(f"--{name}" for name in _VALUES.split())))
"""The same, with a value."""

SEVERAL = dict.fromkeys(("-s", "--select", "-m", "--model", "--models"), "--select") | {
    "--exclude": "--exclude"
}
"""Flags that take all following words, by the name of their parameter."""


def complete_sync(context: typer.Context, incomplete: str) -> list[str]:
    """Shell completion: the syncs whose names start with a text. Empty if there is no readable manifest."""
    from dbt_batch_sync import api

    try:
        flags = DbtFlags(project_dir=context.params.get("project_dir"))
        syncs = api.load_syncs(flags.options, api.Selection())
    except BatchSyncError:
        return []
    return [sync.name for sync in syncs if sync.name.startswith(incomplete)]


def _flag(help_text: str, *names: str, env: str | None = None, syncs: bool = False) -> Any:
    """One of dbt's flags, with dbt's variables in the order in which dbt 1.11 looks at them. `syncs`: its
    values are names of syncs.
    """
    variables = None if env is None else [f"DBT_ENGINE_{env}", f"DBT_{env}"]
    completion = complete_sync if syncs else None
    return typer.Option(
        *names, envvar=variables, help=help_text, autocompletion=completion, rich_help_panel="dbt"
    )


_PROJECT_DIR = "Directory of dbt_project.yml. Default: the nearest one upwards."
_PROFILES_DIR = "Directory of profiles.yml. Default: here, the project, ~/.dbt."
_TARGET_PATH = "Directory of dbt's artifacts. Default: the project's."
_VARS = "YAML of variables for profiles.yml and dbt_project.yml."
_SELECT = "Models to include: names, wildcards, tag:…, path:…. Default: every sync."
_EXCLUDE = "Models to exclude; same syntax as --select."
_SELECTOR = "Selector of selectors.yml to include; instead of --select."


@dataclass(frozen=True)
class DbtFlags:
    """The values of dbt's flags; None if not given."""

    project_dir: Annotated[Path | None, _flag(_PROJECT_DIR, env="PROJECT_DIR")] = None
    profiles_dir: Annotated[Path | None, _flag(_PROFILES_DIR, env="PROFILES_DIR")] = None
    profile: Annotated[str | None, _flag("dbt profile. Default: the project's.", env="PROFILE")] = None
    target: Annotated[
        str | None,
        _flag("Target of the dbt profile. Default: the profile's.", "--target", "-t", env="TARGET"),
    ] = None
    target_path: Annotated[Path | None, _flag(_TARGET_PATH, env="TARGET_PATH")] = None
    vars: Annotated[str | None, _flag(_VARS)] = None
    select: Annotated[list[str] | None, _flag(_SELECT, "--select", "-s", syncs=True)] = None
    exclude: Annotated[list[str] | None, _flag(_EXCLUDE, syncs=True)] = None
    selector: Annotated[str | None, _flag(_SELECTOR)] = None
    use_colors: Annotated[bool | None, _flag("Print in colors, on a terminal.", env="USE_COLORS")] = None

    @property
    def options(self) -> DbtOptions:
        """The project options from the flags."""
        from dbt_batch_sync.connections.profiles import DbtOptions, find_project

        return DbtOptions(
            project_dir=self.project_dir or find_project(Path()),
            environ=os.environ,
            profiles_dir=self.profiles_dir,
            profile=self.profile,
            target=self.target,
            variables=_variables(self.vars),
            target_path=self.target_path,
        )

    @property
    def selection(self) -> api.Selection:
        """The values of `--select`, `--exclude` and `--selector`; a value may contain several words."""
        from dbt_batch_sync import api

        if self.selector is not None and self.select:
            raise ConfigurationError("--selector and --select: give one of the two")
        return api.Selection(tuple(self.select or ()), tuple(self.exclude or ()), self.selector)


SWITCHES = ("--use-colors", "--no-use-colors")
VALUES = ("-t", *(f"--{each.name.replace('_', '-')}" for each in fields(DbtFlags)))
"""The names of the flags without a value, and of those with one."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]
ShowValues = Annotated[
    bool, typer.Option("--show-values", help="Print identifiers and values as they are, not masked.")
]


def with_dbt_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Adds dbt's flags to a verb that has a parameter `dbt`. Returns other verbs unchanged."""
    own = inspect.signature(verb, eval_str=True).parameters
    if "dbt" not in own:
        return verb
    flags = inspect.signature(DbtFlags, eval_str=True).parameters
    parameters = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for each in (*(own[name] for name in own if name != "dbt"), *flags.values())
    ]

    @wraps(verb)
    def run(**given: Any) -> None:
        dbt = DbtFlags(**{name: given.pop(name) for name in flags})
        if not _uses_colors(dbt):
            os.environ["NO_COLOR"] = "1"  # read by rich
        verb(dbt=dbt, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _uses_colors(dbt: DbtFlags) -> bool:
    """The value of `--use-colors`, or of `flags` in dbt_project.yml."""
    from dbt_batch_sync.connections.profiles import read_yaml

    if dbt.use_colors is not None:
        return dbt.use_colors
    try:
        project = read_yaml(dbt.options.project_dir / "dbt_project.yml")
    except BatchSyncError:
        return True  # the verb reports the error
    flags = project.get("flags") if isinstance(project, dict) else None
    return not isinstance(flags, dict) or flags.get("use_colors") is not False


def arrange(arguments: Sequence[str], verbs: Mapping[str, bool]) -> list[str]:
    """Rewrites a command line in dbt's form for typer: dbt's flags after the verb, one `--select` for each
    word of `--select a b`, no flags without effect. `verbs`: whether a verb takes dbt's flags.
    """
    before: list[str] = []
    moved: list[str] = []
    after: list[str] = []
    verb: str | None = None
    rest = list(arguments)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in IGNORED_SWITCHES:
            continue
        if name in IGNORED_VALUES:
            del rest[: not equals]
        elif name in SEVERAL:
            words = [value] if equals else _taken(rest, greedy=verb is not None)
            found = [part for each in words for part in (SEVERAL[name], each)] or [SEVERAL[name]]
            moved += found
        elif name in SWITCHES:
            moved.append(word)
        elif name in VALUES:
            moved += [word] if equals else [word, *_taken(rest, greedy=False)]
        elif verb is None and word in verbs:
            verb = word
        else:
            (before if verb is None else after).append(word)
    kept = moved if verb is not None and verbs[verb] else []
    return [*before, *([] if verb is None else [verb]), *kept, *after, *rest]


def _taken(rest: list[str], *, greedy: bool) -> list[str]:
    """Removes and returns the leading values: the next word, or all words up to the next option."""
    count = next((place for place, word in enumerate(rest) if word.startswith("-")), len(rest))
    count = count if greedy else min(1, len(rest))
    taken, rest[:count] = rest[:count], []
    return taken


def _variables(text: str | None) -> dict[str, object]:
    import yaml

    try:
        values = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        raise ConfigurationError(
            "--vars must be a YAML mapping, such as --vars 'key: value' or --vars '{key: value}'"
        )
    return {str(key): value for key, value in values.items()}
