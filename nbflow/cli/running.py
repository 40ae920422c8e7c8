"""Commands that make a run go on: run, rerun, mark, cancel."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.session import OK, Json, Session, command
from nbflow.errors import InvalidInput
from nbflow.text import join_names

if TYPE_CHECKING:
    from nbflow.api import RepairView, RunView
    from nbflow.cli.driving import Driving
    from nbflow.model import TaskKey
    from nbflow.run import Run

RUNS, REPAIR = "Runs", "Repair"


class Mark(StrEnum):
    """The states that an operator may set."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


RunRef = Annotated[
    str, typer.Argument(metavar="RUN", help="A run id, the beginning of one, latest, or latest:PIPELINE.")
]
TaskAddress = Annotated[str, typer.Argument(metavar="TASK", help="The task's name.")]
Params = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="A run parameter; may be repeated.")
]
ParamsFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Parameters from a YAML or JSON file; -p wins over them.")
]
RunDate = Annotated[
    str | None, typer.Option(metavar="DATE", help="The date that the run is for, or an instant with its UTC offset.")
]
Note = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the history.")]
Kill = Annotated[bool, typer.Option("--kill", help="Stop what still runs instead of refusing.")]
Slots = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", show_default=False, help="How many at once. Default: nbflow.toml."),
]


def add_to(app: typer.Typer) -> None:
    command(app, panel=RUNS)(run)
    command(app, panel=REPAIR)(rerun)
    command(app, panel=REPAIR)(mark)
    command(app, panel=REPAIR)(cancel)


def run(
    session: Session,
    pipeline: Annotated[
        str,
        typer.Argument(metavar="PIPELINE", help="A pipeline's name, or a path: its folder, its file or one notebook."),
    ],
    param: Params = None,
    params: ParamsFile = None,
    date: RunDate = None,
    task: Annotated[list[str] | None, typer.Option(metavar="TASK", help="Run only this task; may be repeated.")] = None,
    lend_from: Annotated[
        str | None, typer.Option("--from", metavar="RUN", help="A run that lends the values of the tasks left out.")
    ] = None,
    slots: Slots = None,
    as_json: Json = False,
) -> int:
    """Run a pipeline here and now, and wait for its end.

    Exits 0 if the run succeeds, 1 if not, 130 if it was interrupted. Ctrl-C cancels the run: its notebooks are
    interrupted and get 10 s; a second Ctrl-C kills them.
    """
    from nbflow.cli.driving import drive
    from nbflow.cli.inputs import day_or_instant, pairs, values_file

    texts = pairs(param or (), "-p")
    given = values_file(params) if params else {}
    when = day_or_instant(date, "--date") if date else None
    if lend_from and not task:
        raise InvalidInput("--from lends values to the tasks named with --task", hint="Name at least one.")
    with session.open_runs(slots) as live:
        created = live.api.create_run(
            pipeline, given=given, texts=texts, when=when, tasks=task or (), lend_from=lend_from
        )

        def work(driving: Driving) -> Run:
            driving.is_driving = True  # the run is ours from its first moment
            return live.api.drive(created.id, driving)

        view, driving = drive(session, live, created.pipeline, work)
    return _end(session, view, driving, as_json=as_json)


def rerun(
    session: Session,
    run: RunRef,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK", help="A task to run again; may be repeated. Default: all failed and cancelled."),
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Leave descendants that ended well as they are.")] = False,
    param: Params = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Run the notebooks of before, not those that are on disk now.")
    ] = False,
    kill: Kill = False,
    note: Note = "",
    slots: Slots = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run again.")] = False,
    as_json: Json = False,
) -> int:
    """Repair a run: run failed tasks and all below them again.

    They run in the same run, for the same date. Their notebooks are taken as they are on disk now. With --task other
    tasks are run again.
    """
    from nbflow.cli.driving import drive
    from nbflow.cli.inputs import pairs
    from nbflow.shapes import repair_document

    with session.open_runs(slots) as live:
        of = live.api.status(run).run
        request = live.api.repair_request(
            of.id, tasks=task or (), only=only, texts=pairs(param or (), "-p"), frozen=frozen, kill=kill, note=note
        )
        preview = live.api.preview_rerun(of.id, request)
        _print_preview(session, preview, dry_run=dry_run)
        if dry_run:
            if as_json:
                session.print_json(repair_document(of.id, preview))
            return OK
        view, driving = drive(session, live, of.pipeline, lambda driving: live.api.rerun(of.id, request, driving))
    return _end(session, view, driving, as_json=as_json)


def _print_preview(session: Session, preview: RepairView, *, dry_run: bool) -> None:
    """`these 4 will run again: clean, join, report and publish`, and what to know about them."""
    count = len(preview.again)
    these = "this one" if count == 1 else f"these {count:,}"
    would = "would" if dry_run else "will"
    session.say(f"{these} {would} run again: {_names(preview.again)}")
    if preview.changed:
        session.say(f"notebooks that changed since: {_names(preview.changed)}")
    if preview.has_new_manifest:
        session.say(
            "the manifest changed since: this run keeps the one it began with; start a new run for it", "yellow"
        )
    if preview.old_params:
        session.say(f"finished with the old parameters, and not run again: {_names(preview.old_params)}", "yellow")


def _names(keys: tuple[TaskKey, ...]) -> str:
    return join_names([key.address for key in keys], most=20)


def mark(
    session: Session,
    run: RunRef,
    task: TaskAddress,
    state: Annotated[Mark, typer.Argument(metavar="STATE", help="success, failed or skipped.")],
    output: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A value for the tasks downstream; may be repeated."),
    ] = None,
    note: Note = "",
    kill: Kill = False,
    slots: Slots = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what this would free.")] = False,
    as_json: Json = False,
) -> int:
    """Set a task's state by hand, and run what this frees.

    Exits 1 if something runs and the run does not succeed.
    """
    from nbflow.cli.driving import drive
    from nbflow.cli.inputs import typed_pairs
    from nbflow.states import TaskState

    outputs = typed_pairs(output or (), "--output")
    with session.open_runs(slots) as live:
        before, wanted = live.api.status(run), TaskState(state)
        if dry_run:
            freed = live.api.preview_mark(before.run.id, task, wanted, kill=kill)
            session.say(f"waits again and goes on: {_names(freed)}" if freed else "nothing below waits for it")
            return OK

        def work(driving: Driving) -> Run:
            return live.api.mark(before.run.id, task, wanted, outputs=outputs, note=note, kill=kill, watch=driving)

        view, driving = drive(session, live, before.run.pipeline, work)
    session.say(f"marked {task} as {state} in run {view.run.id}")
    if any(each.attempts > before.tasks[key].attempts for key, each in view.tasks.items()):
        return _end(session, view, driving, as_json=as_json)
    if as_json:
        _print_run(session, view)
    return OK


def cancel(
    session: Session,
    run: RunRef,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Only this task; without it, the whole run.")
    ] = None,
    note: Note = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be stopped.")] = False,
) -> None:
    """Stop a run, or one task of it.

    Notebooks are interrupted, and killed after 10 s. Returns when they have ended. What runs on another machine, where
    no scheduler is any more, is given up with the whole run.
    """
    from nbflow.cli.driving import follow
    from nbflow.cli.progress import Lines
    from nbflow.model import TaskKey

    with session.open_runs() as live:
        if dry_run:
            session.say(f"would stop {_names(live.api.preview_cancel(run, task))}")
            return
        cancelled = live.api.cancel(run, task, note=note)
        key = TaskKey.parse(task) if task else None
        view = follow(
            live,
            cancelled.id,
            Lines(session.say),
            until=lambda view: (view.tasks[key] if key else view.run).state.is_terminal,
        )
    session.say(f"{f'task {task} of ' if task else ''}run {view.run.id} is {_state(view, key)}")


def _state(view: RunView, key: TaskKey | None) -> str:
    return str(view.tasks[key].state if key else view.run.state)


def _end(session: Session, view: RunView, driving: Driving, *, as_json: bool) -> int:
    """Say how the run ended, and leave with the code that says it too."""
    from nbflow.cli.driving import exit_code
    from nbflow.cli.report import print_end

    print_end(session.err, view, session.command, driving.began)
    if as_json:
        _print_run(session, view)
    return exit_code(view, driving)


def _print_run(session: Session, view: RunView) -> None:
    from nbflow.shapes import status_document

    session.print_json(status_document(view))
