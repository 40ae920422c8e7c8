"""Commands that keep the house clean: prune, and db."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.help import Group
from nbflow.cli.session import Json, Session, command
from nbflow.text import counted

if TYPE_CHECKING:
    from nbflow.ports.housekeeping import BackupContent

INSTALLATION = "Installation"


def add_to(app: typer.Typer) -> None:
    command(app, panel=INSTALLATION)(prune)
    db = typer.Typer(cls=Group, no_args_is_help=True)
    command(db, panel=INSTALLATION, name="backup")(backup)
    command(db, panel=INSTALLATION, name="restore")(restore)
    command(db, panel=INSTALLATION, name="upgrade")(upgrade)
    app.add_typer(db, name="db", rich_help_panel=INSTALLATION, help="Back up, restore and upgrade the history.")


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
        for problem in removed.left:
            session.say(f"{problem}; it is tried again the next time")


def backup(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as nbflow-2026-04-01.tar.gz.")],
) -> None:
    """Write the whole history to one file: every run, attempt and log, and the frozen notebooks.

    Work goes on meanwhile; the backup is of the moment at which it began. It is the same for SQLite and PostgreSQL, and
    can be restored into either. Manifests, notebooks, nbflow.toml and secrets are not in it.
    """
    with session.open() as live:
        content = live.api.backup(file)
    session.say(f"{file}: {_said(content)}")


def restore(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that nbflow db backup wrote.")],
) -> None:
    """Fill an empty database, and the folder of outputs, from a backup.

    Nobody owns the runs afterwards: a scheduler goes on with those that had not ended.
    """
    with session.open() as live:
        content = live.api.restore(file)
    session.say(f"restored {_said(content)}")


def upgrade(session: Session) -> None:
    """Bring the database up to date with this nbflow. Every other command does so too when it opens it."""
    with session.open() as live:
        session.say(f"up to date: {live.doors.store.open()}")


def _said(content: BackupContent) -> str:
    runs, attempts, files = content
    return f"{counted(runs, 'run')}, {counted(attempts, 'attempt')}, {counted(files, 'file')}"
