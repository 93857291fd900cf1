"""The options that verbs share: dbt's own flags with dbt's meaning, each also as an environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dbt_batch_sync.errors import BatchSyncError, ConfigurationError

if TYPE_CHECKING:
    from dbt_batch_sync import api
    from dbt_batch_sync.connections.profiles import DbtOptions


def complete_sync(context: typer.Context, incomplete: str) -> list[str]:
    """The syncs whose names begin so, for a shell; none where there is no manifest that can be read."""
    from dbt_batch_sync import api
    from dbt_batch_sync.connections.profiles import DbtOptions, find_project

    directory = context.params.get("project_dir") or os.environ.get("DBT_PROJECT_DIR") or find_project(Path())
    try:
        syncs = api.load_syncs(DbtOptions(Path(directory), os.environ), api.Selection())
    except BatchSyncError:
        return []
    return [sync.name for sync in syncs if sync.name.startswith(incomplete)]


ProjectDir = Annotated[
    Optional[Path],  # noqa: UP045 - typer on Python 3.10 reads the annotation at run time
    typer.Option(
        "--project-dir",
        envvar=["DBT_BATCH_SYNC_PROJECT_DIR", "DBT_PROJECT_DIR"],
        help="Directory of dbt_project.yml. Default: the nearest one upwards.",
        rich_help_panel="dbt",
    ),
]
ProfilesDir = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--profiles-dir",
        envvar=["DBT_BATCH_SYNC_PROFILES_DIR", "DBT_PROFILES_DIR"],
        help="Directory of profiles.yml. Default: here, the project, ~/.dbt.",
        rich_help_panel="dbt",
    ),
]
Profile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--profile",
        envvar=["DBT_BATCH_SYNC_PROFILE", "DBT_PROFILE"],
        help="dbt profile. Default: the project's.",
        rich_help_panel="dbt",
    ),
]
Target = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--target",
        "-t",
        envvar=["DBT_BATCH_SYNC_TARGET", "DBT_TARGET"],
        help="Target of the dbt profile. Default: the profile's.",
        rich_help_panel="dbt",
    ),
]
Vars = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--vars",
        envvar=["DBT_BATCH_SYNC_VARS"],
        help="YAML of variables for profiles.yml and dbt_project.yml.",
        rich_help_panel="dbt",
    ),
]
Select = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--select",
        "-s",
        envvar=["DBT_BATCH_SYNC_SELECT"],
        help="Syncs: model names, wildcards, tag:…, path:…. Default: all.",
        autocompletion=complete_sync,
        rich_help_panel="dbt",
    ),
]
Exclude = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--exclude",
        envvar=["DBT_BATCH_SYNC_EXCLUDE"],
        help="Syncs to leave out, in the same words.",
        autocompletion=complete_sync,
        rich_help_panel="dbt",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", envvar=["DBT_BATCH_SYNC_JSON"], help="Print one JSON document to standard output."
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", envvar=["DBT_BATCH_SYNC_YES"], help="Do not ask before acting.")
]


def dbt_options(
    project_dir: Path | None,
    profiles_dir: Path | None,
    profile: str | None,
    target: str | None,
    variables: str | None,
) -> DbtOptions:
    """What the options say of the project."""
    from dbt_batch_sync.connections.profiles import DbtOptions, find_project

    return DbtOptions(
        project_dir=project_dir or find_project(Path()),
        environ=os.environ,
        profiles_dir=profiles_dir,
        profile=profile,
        target=target,
        variables=_variables(variables),
    )


def _variables(text: str | None) -> dict[str, object]:
    """`--vars`, as dbt reads it."""
    import yaml

    try:
        values = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        raise ConfigurationError(
            "--vars is no YAML mapping: write it like --vars 'key: value' or --vars '{key: value}'"
        )
    return {str(key): value for key, value in values.items()}


def selection_of(select: list[str] | None, exclude: list[str] | None) -> api.Selection:
    """What `--select` and `--exclude` say; a value may hold several words."""
    from dbt_batch_sync import api

    return api.Selection(_words(select), _words(exclude))


def _words(values: list[str] | None) -> tuple[str, ...]:
    return tuple(word for value in values or () for word in value.split())
