"""Commands about runs that start by themselves: trigger, pause, resume, backfill, and retry-now."""

from __future__ import annotations

from datetime import date as Date
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nbflow.cli.help import Group
from nbflow.cli.running import REPAIR, RUNS, Note, Params, ParamsFile, RunDate, RunRef, TaskAddress
from nbflow.cli.session import OK, Json, Session, command
from nbflow.cli.tables import new_table
from nbflow.cli.words import local_time
from nbflow.errors import InvalidInput
from nbflow.text import counted, with_offset

if TYPE_CHECKING:
    from nbflow.api import BackfillPreview, BackfillView
    from nbflow.timetable import Skip
    from nbflow.wiring import Live

SCHEDULES = "Schedules"

NO_SCHEDULER = "no scheduler is running; it starts with the next nbflow up"

Pipeline = Annotated[str, typer.Argument(metavar="PIPELINE", help="A pipeline's name.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="The backfill's number.")]


class StartsByDefault(Group):
    """`nbflow backfill PIPELINE …` is `nbflow backfill start PIPELINE …`. Typer brings its own click, or does not."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        given = args if args[0] in self.commands else ["start", *args]
        return super().resolve_command(ctx, given)


class Reprocess(StrEnum):
    """What a backfill does with dates that have a finished run."""

    NONE = "none"
    FAILED = "failed"
    ALL = "all"


def add_to(app: typer.Typer) -> None:
    command(app, panel=RUNS)(trigger)
    command(app, panel=REPAIR, name="retry-now")(retry_now)
    command(app, panel=SCHEDULES)(pause)
    command(app, panel=SCHEDULES)(resume)
    group = typer.Typer(
        cls=StartsByDefault, no_args_is_help=True, help="Runs for past dates; backfill PIPELINE starts one."
    )
    command(group, panel=SCHEDULES)(start)
    command(group, panel=SCHEDULES, name="list")(list_)
    command(group, panel=SCHEDULES, name="pause")(pause_backfill)
    command(group, panel=SCHEDULES, name="resume")(resume_backfill)
    command(group, panel=SCHEDULES, name="cancel")(cancel_backfill)
    app.add_typer(group, name="backfill", rich_help_panel=SCHEDULES)


def trigger(
    session: Session,
    pipeline: Pipeline,
    param: Params = None,
    params: ParamsFile = None,
    date: RunDate = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Makes it one run: the same key again gives the same run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the scheduler for a run, and return at once.

    The run is queued behind other runs of the pipeline as max_active_runs says.
    """
    from nbflow.cli.inputs import day_or_instant, pairs, values_file
    from nbflow.shapes import run as run_document

    texts = pairs(param or (), "-p")
    given = values_file(params) if params else {}
    when = day_or_instant(date, "--date") if date else None
    with session.open() as live:
        run = live.api.trigger(pipeline, given=given, texts=texts, when=when, key=key)
        _warn_without_scheduler(session, live)
    if as_json:
        session.print_json({"run": run_document(run)})
        return
    session.out.print(run.id)
    session.say(f"look at it: {session.command('status', run.id)}")


def retry_now(session: Session, run: RunRef, task: TaskAddress, note: Note = "") -> None:
    """Start a task that waits for its retry at once."""
    with session.open_runs() as live:
        live.api.retry_now(run, task, note=note)
    session.say(f"{task} is tried again now")


def pause(session: Session, pipeline: Pipeline, note: Note = "") -> None:
    """Start no more scheduled runs of a pipeline.

    Running ones finish, and runs by hand are allowed.
    """
    with session.open() as live:
        live.api.pause(pipeline, note=note)
    session.say(f"paused {pipeline}; resume it with {session.command('resume', pipeline)}")


def resume(session: Session, pipeline: Pipeline, note: Note = "") -> None:
    """Let scheduled runs of a pipeline start again.

    Ticks that passed while it was paused start no run; they are named, with the command that makes up for them.
    """
    with session.open() as live:
        skip = live.api.resume(pipeline, note=note)
        zone = _zone(live, pipeline)
    session.say(f"resumed {pipeline}")
    if skip is not None:
        session.say(f"{_stretch(skip, zone)} started no run; to make up for them:")
        session.say(f"  {_make_up(session, skip, zone)}")


def _zone(live: Live, pipeline: str) -> Any:
    from zoneinfo import ZoneInfo

    found = live.api.pipeline(pipeline).definition.pipeline
    return ZoneInfo(found.schedule.timezone if found and found.schedule else "UTC")


def _stretch(skip: Skip, zone: Any) -> str:
    first, last = (with_offset(each.astimezone(zone)) for each in (skip.first, skip.last))
    return f"the tick of {first}" if skip.first == skip.last else f"the ticks from {first} to {last}"


def _make_up(session: Session, skip: Skip, zone: Any) -> str:
    days = [each.astimezone(zone).date().isoformat() for each in (skip.first, skip.last)]
    return session.command("backfill", skip.pipeline, "--start", days[0], "--end", days[1])


# --- backfills ------------------------------------------------------------------------------------------------------


def start(
    session: Session,
    pipeline: Pipeline,
    first: Annotated[str, typer.Option("--start", metavar="DATE", help="The first date, in the schedule's zone.")],
    last: Annotated[str, typer.Option("--end", metavar="DATE", help="The last date, included.")],
    reverse: Annotated[bool, typer.Option("--reverse", help="Newest dates first.")] = False,
    max_active: Annotated[int, typer.Option(min=1, metavar="N", help="How many of its runs at once.")] = 1,
    reprocess: Annotated[
        Reprocess, typer.Option(help="Dates that have a finished run: leave it, run failed ones again, or all.")
    ] = Reprocess.NONE,
    note: Note = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be created or run again.")] = False,
    as_json: Json = False,
) -> int:
    """Create the runs of past dates, one a tick, in order."""
    from nbflow.shapes import backfill, backfill_preview_document

    begin, end = _day(first, "--start"), _day(last, "--end")
    with session.open() as live:
        preview = live.api.preview_backfill(
            pipeline, start=begin, end=end, is_reverse=reverse, reprocess=reprocess.value
        )
        if dry_run:
            if as_json:
                session.print_json(backfill_preview_document(preview))
            else:
                _print_preview(session, preview)
            return OK
        made = live.api.backfill(
            pipeline,
            start=begin,
            end=end,
            is_reverse=reverse,
            max_active=max_active,
            reprocess=reprocess.value,
            note=note,
        )
        view = live.api.backfill_status(made.id)
        _warn_without_scheduler(session, live)
    if as_json:
        session.print_json({"backfill": backfill(view)})
        return OK
    session.say(_summary(preview))
    session.out.print(str(made.id))
    return OK


def list_(
    session: Session,
    active: Annotated[bool, typer.Option("--active", help="Only those that have not ended.")] = False,
    as_json: Json = False,
) -> None:
    """Backfills, newest first, and how far they have come."""
    from nbflow.shapes import backfills_document

    with session.open() as live:
        views = live.api.backfills(only_active=active)
    if as_json:
        session.print_json(backfills_document(views))
    elif views:
        _print_backfills(session, views)
    else:
        session.say("no backfills")


def pause_backfill(session: Session, number: Number, note: Note = "") -> None:
    """Begin no further date; runs under way go on."""
    with session.open() as live:
        live.api.pause_backfill(number, note=note)
    session.say(f"paused backfill {number}")


def resume_backfill(session: Session, number: Number, note: Note = "") -> None:
    """Go on with the dates that wait."""
    with session.open() as live:
        live.api.resume_backfill(number, note=note)
        _warn_without_scheduler(session, live)
    session.say(f"resumed backfill {number}")


def cancel_backfill(session: Session, number: Number, note: Note = "") -> None:
    """Begin no further date, and cancel the runs of it that have not ended."""
    with session.open() as live:
        live.api.cancel_backfill(number, note=note)
    session.say(f"cancelled backfill {number}")


def _day(text: str, option: str) -> Date:
    from nbflow.cli.inputs import day_or_instant

    day = day_or_instant(text, option)
    if isinstance(day, datetime):
        raise InvalidInput(f"{option} takes a date, not an instant: '{text}'")
    return day


def _print_preview(session: Session, preview: BackfillPreview) -> None:
    table = new_table("for", "tick", "what", "run", "why")
    for item in preview.items:
        action = str(item.action) if item.action else ""
        table.add_row(
            item.run_date.isoformat(), local_time(item.logical_date), action, str(item.run or ""), item.reason
        )
    session.out.print(table)
    session.say(_summary(preview))


def _summary(preview: BackfillPreview) -> str:
    from nbflow.backfill import ItemAction

    said = {ItemAction.CREATE: "to create", ItemAction.RESET: "to run again", ItemAction.PASS: "to pass over"}
    numbers = {words: sum(item.action is action for item in preview.items) for action, words in said.items()}
    return f"{counted(len(preview.items), 'tick')}: " + ", ".join(
        f"{number} {words}" for words, number in numbers.items()
    )


def _print_backfills(session: Session, views: Any) -> None:
    from nbflow.backfill import BackfillState
    from nbflow.why import why_paused

    table = new_table("id", "pipeline", "dates", "state", "done", "failed", "by")
    for view in views:
        _add_row(table, view)
    session.out.print(table)
    for view in views:
        if view.backfill.state is BackfillState.PAUSED:
            session.out.print(f"{why_paused(view.backfill)}.", style="yellow", markup=False, highlight=False)


def _add_row(table: Any, view: BackfillView) -> None:
    of, progress = view.backfill, view.progress
    total = progress.waiting + progress.active + progress.ended + progress.passed
    table.add_row(
        str(of.id),
        of.pipeline,
        f"{of.start} – {of.end}",
        str(of.state),
        f"{progress.ended + progress.passed} of {total}",
        str(progress.failed),
        of.created_by,
    )


def _warn_without_scheduler(session: Session, live: Live) -> None:
    scheduler = live.api.scheduler()
    if scheduler is None or not scheduler.is_alive:
        session.say(NO_SCHEDULER, "yellow")
