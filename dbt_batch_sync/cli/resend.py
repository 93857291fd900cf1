"""The verb that asks dbt to send rows again: resend."""

from __future__ import annotations

from typing import Annotated

import typer

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import (
    Exclude,
    Json,
    Profile,
    ProfilesDir,
    ProjectDir,
    Select,
    Target,
    Vars,
    dbt_options,
    selection_of,
)
from dbt_batch_sync.errors import ConfigurationError


def resend(
    project_dir: ProjectDir = None,
    profiles_dir: ProfilesDir = None,
    profile: Profile = None,
    target: Target = None,
    variables: Vars = None,
    select: Select = None,
    exclude: Exclude = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every row of the model, with all its attributes.")
    ] = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Rows and attributes with an open rejection.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Request that the next `dbt run` adds rows to the delta again. Sends nothing.

    Example: [bold]dbt-batch-sync resend --rejected --select crm_contacts[/]
    """
    from dbt_batch_sync import api

    if everything == rejected:
        raise ConfigurationError("resend: give either --all or --rejected")
    dbt = dbt_options(project_dir, profiles_dir, profile, target, variables)
    result = api.resend(dbt, "all" if everything else "rejected", selection_of(select, exclude))
    if as_json:
        show.print_json(result.to_json())
    else:
        show.resent(result)
