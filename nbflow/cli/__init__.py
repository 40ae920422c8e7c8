"""The command line. `nbflow.cli.app` is the Typer app; every command goes through `nbflow.api`."""

from __future__ import annotations

from typing import Annotated

import typer

from nbflow.cli import alerts, definitions, demo, looking, people, running, scheduling, serving, ticks, upkeep
from nbflow.cli.help import Group
from nbflow.cli.session import Debug, Project, Session

app = typer.Typer(
    cls=Group,
    name="nbflow",
    help="Run Jupyter notebook pipelines in order, with retries, and with logs that tell the truth.",
    epilog="Exit codes: 0 done; 1 the run or the check failed; 2 wrong use or invalid input; 130 interrupted. "
    "Results go to standard output, messages to standard error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nbflow {version('nbflow')}")
        raise typer.Exit


@app.callback()
def _shared(
    ctx: typer.Context,
    project: Project = None,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    ctx.obj = Session(project=project, debug=debug)


for _commands in (definitions, ticks, running, looking, scheduling, serving, demo, alerts, people, upkeep):
    _commands.add_to(app)
