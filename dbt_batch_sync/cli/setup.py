"""The verbs init, generate, sandbox and demo."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dbt_batch_sync.cli import show
from dbt_batch_sync.cli.options import DbtFlags
from dbt_batch_sync.errors import ConfigurationError

_NO_MACROS = (
    "\n[yellow]These models call macros that the manifest doesn't have.[/] If they are not installed: "
    "[bold]dbt-batch-sync init && dbt deps[/]"
)


def init(
    dbt: DbtFlags,
    git: Annotated[
        str | None, typer.Option(help="Take the macros from this git repository instead of copying them.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Its tag or commit. Default: the tag of this version.")
    ] = None,
) -> None:
    """Add the macros to packages.yml, and print what else to add. Overwrites nothing.

    Example: [bold]dbt-batch-sync init && dbt deps[/]
    """
    from dbt_batch_sync.connections.outputs import PROFILE_YAML, default_output
    from dbt_batch_sync.connections.profiles import read_project
    from dbt_batch_sync.scaffold import installation

    options = dbt.options
    read_project(options)
    installed = installation.init(options.project_dir, git, revision)
    console = show.out()
    for line in installed.done:
        console.print(f"[green]✓[/] {escape(line)}")
    if installed.by_hand:
        console.print(f"\nAdd to the packages in [bold]{escape(installed.file)}[/]:\n")
        console.print(escape(installed.by_hand).rstrip("\n"))
    if default_output(options) is not None:
        console.print("[green]✓[/] profiles.yml has `dbt_batch_sync` already")
    else:
        console.print("\nAdd to [bold]profiles.yml[/], beside your dbt profile:\n")
        console.print(escape(PROFILE_YAML).rstrip("\n"))
    console.print("\nMap a model in its YAML:\n")
    console.print(escape(installation.META_YAML))
    console.print(
        "Then: [bold]dbt deps && dbt parse && dbt-batch-sync generate && dbt run && dbt-batch-sync plan[/]"
    )


def generate(
    dbt: DbtFlags,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if anything would be written.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the models of syncs that are not mapped any more.")
    ] = False,
    from_cloud_sync: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Print a mapping of a model that Batch's Cloud Sync reads, from its column prefixes.",
        ),
    ] = None,
) -> None:
    """Write the two models of each mapped sync, the sources and the exposures to models/batch_sync/.

    Example: [bold]dbt parse && dbt-batch-sync generate --check[/]
    """
    from dbt_batch_sync import api
    from dbt_batch_sync.connections.profiles import read_project, target_schema
    from dbt_batch_sync.scaffold import generation

    options = dbt.options
    project, manifest, schema = read_project(options), api.load_manifest(options), target_schema(options)
    if from_cloud_sync is not None:
        from dbt_batch_sync.scaffold.cloud_sync import mapping_of

        typer.echo(mapping_of(project, manifest, from_cloud_sync), nl=False)
        return
    notes: list[str] = []
    if prune:
        found = generation.obsolete(manifest, project, schema)
    else:
        # Where another target enables all of the models, there is nothing to write here.
        elsewhere = not any(each.mapped for each in manifest.models)
        elsewhere = elsewhere and any(each.mapped and each.is_live for each in manifest.disabled)
        syncs = () if elsewhere else api.load_syncs(options, api.Selection())
        found = generation.missing(syncs, manifest, project, schema)
        notes += api.sync_notes(syncs, manifest.adapter_type)
    if not check:
        generation.apply(found)
    console = show.out()
    for change in found:
        would = f"would {change.kind}" if check else f"{change.kind}d"
        console.print(f"{would} {escape(os.path.relpath(change.path))}")
    for note in notes:
        console.print(f"[yellow]Note:[/] {escape(note)}")
    if not found:
        console.print("up to date")
        return
    if check:
        raise typer.Exit(1)
    if not prune and manifest.macros_version is None:
        console.print(_NO_MACROS)
    console.print("\nNext: [bold]dbt run[/], then [bold]dbt-batch-sync plan[/]")


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8700,
    store: Annotated[Path | None, typer.Option(help="File that keeps profiles. Default: memory.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting, such as latency=0.5. May be repeated. The page lists all.",
        ),
    ] = None,
) -> None:
    """Run a local Batch API, strict as documented, with a page that shows what it holds.

    Example: [bold]dbt-batch-sync sandbox --set rate_limits=false[/]
    """
    from dbt_batch_sync.sandbox.knobs import BadSettingError, parse_settings
    from dbt_batch_sync.sandbox.server import SandboxServer, serve
    from dbt_batch_sync.sandbox.settings import SandboxSettings

    def ready(server: SandboxServer) -> None:
        show.err().print(f"Sandbox and its page: [bold]{server.url}[/] (Ctrl-C stops it)")

    try:
        settings = SandboxSettings(store=store, **parse_settings(assignments or ()))
    except BadSettingError as error:
        raise ConfigurationError(f"--set {error}") from None
    serve(host, port, settings=settings, on_ready=ready)


def demo(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Directory for the example project. Default: a temporary one."),
    ] = None,
) -> None:
    """Build the example project, push it to the sandbox, change it, push again, and audit.

    Example: [bold]dbt-batch-sync demo --dir ./batch-demo[/]
    """
    from dbt_batch_sync.scaffold.demo import next_command, run_demo

    console = show.out()
    target = directory or Path(tempfile.mkdtemp(prefix="dbt-batch-sync-demo-"))
    run_demo(
        target.absolute(),
        tell=lambda line: console.print(f"[dim]→ {escape(line)}[/]"),
        show=lambda text: console.print(f"\n{escape(text)}", soft_wrap=True),
    )
    # A program that was started by its path may not be on the PATH.
    program = "dbt-batch-sync" if shutil.which("dbt-batch-sync") else os.path.abspath(sys.argv[0])
    look = next_command(target.absolute(), program, os.environ)
    console.print(f"Explore: {escape(look)}", soft_wrap=True)
