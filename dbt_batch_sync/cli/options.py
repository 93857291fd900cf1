"""The options that verbs share: dbt's own flags with dbt's meaning, each also as an environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

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
        help="Segments: model names, wildcards, tag:…, path:…. Default: all.",
        rich_help_panel="dbt",
    ),
]
Exclude = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--exclude",
        envvar=["DBT_BATCH_SYNC_EXCLUDE"],
        help="Segments to leave out, in the same words.",
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
