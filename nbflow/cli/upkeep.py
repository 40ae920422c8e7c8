"""Commands that keep the house clean: prune, and db."""

from __future__ import annotations

from typing import Annotated

import typer

from nbflow.cli.session import Json, Session, command
from nbflow.text import counted

INSTALLATION = "Installation"


def add_to(app: typer.Typer) -> None:
    command(app, panel=INSTALLATION)(prune)


def prune(
    session: Session,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove finished runs that are no longer kept, with their notebooks and logs.

    What is kept stands under keep in nbflow.toml and in the manifests. Runs that have not ended, and the last good run
    of each pipeline, always stay. The scheduler does the same every night.
    """
    with session.open() as live:
        doomed = {str(name): list(runs) for name, runs in live.api.preview_prune().items()}
        removed = None if dry_run else live.api.prune()
    if as_json:
        session.print_json({"runs": doomed, "removed": removed.runs if removed else 0})
        return
    for name, runs in doomed.items():
        session.out.print(f"{name}: {counted(len(runs), 'run')}, {runs[0]} to {runs[-1]}", soft_wrap=True)
    if removed is None:
        session.say("nothing was removed" if doomed else "nothing would be removed")
    else:
        also = f"{counted(removed.manifests, 'manifest')} and {counted(removed.notebooks, 'frozen notebook')}"
        session.say(f"removed {counted(removed.runs, 'run')}, and {also} that no run needs any more")
