"""Commands that only look at runs and at the installation: runs, status, logs, why, doctor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.running import RUNS, RunRef
from nbflow.cli.session import FAILED, OK, Json, Session, command
from nbflow.errors import InvalidInput, NbflowError
from nbflow.states import RunState, TaskState
from nbflow.text import join_names

if TYPE_CHECKING:
    from nbflow.api import Check, RunView

INSTALLATION = "Installation"


def add_to(app: typer.Typer) -> None:
    command(app, panel=RUNS)(runs)
    command(app, panel=RUNS)(status)
    command(app, panel=RUNS)(logs)
    command(app, panel=RUNS)(why)
    command(app, panel=INSTALLATION)(doctor)


def runs(
    session: Session,
    pipeline: Annotated[str | None, typer.Argument(metavar="PIPELINE", help="Only runs of this pipeline.")] = None,
    state: Annotated[RunState | None, typer.Option(help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    from nbflow.cli.tables import print_runs
    from nbflow.shapes import runs_document

    with session.open_runs() as live:
        found = live.api.runs(pipeline, state, limit)
    if as_json:
        session.print_json(runs_document(found))
    elif found:
        print_runs(session.out, found)
    else:
        session.say("There is no such run." if pipeline or state else "Nothing has run here yet.")


def status(session: Session, run: RunRef, as_json: Json = False) -> None:
    """Show one run: its tasks, what failed, what to do next."""
    from nbflow.cli.report import print_status
    from nbflow.cli.words import ready_text
    from nbflow.shapes import status_document

    with session.open_runs() as live:
        view = live.api.status(run)
        estimate = live.api.estimate(view.run.id)
        if as_json:
            session.print_json(status_document(view, estimate))
        else:
            usual = live.api.usual_seconds(view.run.pipeline)
            ready = ready_text(estimate, datetime.now(UTC))
            print_status(session.out, view, live.api.progress, usual, session.command, ready)


def logs(
    session: Session,
    run: RunRef,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task's name. Without it, the one that failed or runs.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, metavar="N", show_default=False, help="Which attempt. Default: the latest.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the executed notebook as one HTML file instead.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print what is added until the task has ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the executed notebook of a task.

    The failing cell stands first, then the whole log. Long outputs are cut in the middle; the notebook has them all.
    """
    from nbflow.cli import logs as show
    from nbflow.shapes import log_document

    if sum((html is not None, follow, as_json)) > 1:
        raise InvalidInput("--html, --follow and --json exclude each other")
    if follow and attempt is not None:
        raise InvalidInput("--follow shows the attempt that runs; it takes no --attempt")
    with session.open_runs() as live:
        view = live.api.status(run)
        task = task or _standing_out(view)
        if follow:
            show.follow(session, live.api, view.run.id, task)
            return
        log = live.api.log(view.run.id, task, attempt)
    if html:
        show.write_html(view.run, log, html)
        session.say(f"written to {html}")
    elif as_json:
        session.print_json(log_document(view.run.id, log))
    else:
        show.print_log(session.out, view.run, log)


def _standing_out(view: RunView) -> str:
    """The task run whose log a person looks for. Raises InvalidInput where there is none."""
    tried = [each for each in view.tasks.values() if view.attempts.get(each.key)]
    for state in (TaskState.FAILED, TaskState.RUNNING):
        for each in tried:
            if each.state is state:
                return each.key.address
    names = join_names(each.key.address for each in tried or view.tasks.values())
    if len(tried) == 1:
        return names
    raise InvalidInput(f"no task of run {view.run.id} failed or runs", hint=f"Name one: {names}.")


def why(
    session: Session,
    run: RunRef,
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="The task's name; the run if none.")] = None,
    as_json: Json = False,
) -> None:
    """Say in one sentence why a run or a task is not running.

    Of one that has ended it says how, and why so.
    """
    from nbflow.model import TaskKey
    from nbflow.shapes import why_document, why_run_document

    with session.open_runs() as live:
        sentence = live.api.why(run, task) if task else live.api.why_run(run)
        if not as_json:
            session.out.print(sentence, soft_wrap=True)
            return
        view = live.api.status(run)
    if task is None:
        session.print_json(why_run_document(view.run, sentence))
    else:
        key = TaskKey.parse(task)
        session.print_json(why_document(view.run.id, key, view.tasks[key].state, sentence))


def doctor(session: Session, as_json: Json = False) -> int:
    """Check the installation and the project.

    Each finding says what to do about it. Exits 1 if a check fails.
    """
    from nbflow.shapes import doctor_document

    checks = _checks(session)
    if as_json:
        session.print_json(doctor_document(checks))
    else:
        for check in checks:
            _print_check(session, check)
    return OK if all(check.is_fine for check in checks) else FAILED


def _checks(session: Session) -> Sequence[Check]:
    """Where the project cannot even be opened, that is what the doctor found."""
    from nbflow.api import Check

    try:
        with session.open() as live:
            return live.api.doctor()
    except NbflowError as error:
        return [Check(name="settings", is_fine=False, message=str(error))]


def _print_check(session: Session, check: Check) -> None:
    icon, style = ("✓", "green") if check.is_fine else ("✕", "red")
    session.out.print(f"{icon} {check.name:<16} {check.message}", style=style, soft_wrap=True)
    if check.hint and not check.is_fine:
        session.out.print(f"  {'':<16} {check.hint}", soft_wrap=True)
