"""The verb that asks dbt to send rows again: resend."""

from __future__ import annotations

from typing import Annotated

import typer

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags, Json
from dbt_batch_sync.errors import ConfigurationError


def resend(
    dbt: DbtFlags,
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
    result = api.resend(dbt.options, "all" if everything else "rejected", dbt.selection)
    if as_json:
        show.print_json(result.to_json())
    else:
        show.resent(result)
