"""The command `next`: when a schedule starts runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.definitions import PANEL
from nbflow.cli.session import Json, Session, command
from nbflow.cli.tables import new_table
from nbflow.cli.words import utc_time
from nbflow.errors import InvalidInput
from nbflow.text import with_offset

if TYPE_CHECKING:
    from nbflow.schedule import Tick


def add_to(app: typer.Typer) -> None:
    command(app, panel=PANEL, name="next")(next_)


def next_(
    session: Session,
    pipeline: Annotated[
        str | None, typer.Argument(metavar="PIPELINE", help="The pipeline whose schedule is asked.")
    ] = None,
    cron: Annotated[
        str | None, typer.Option(metavar="EXPR", help="A cron expression to ask instead of a pipeline.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="The time zone of --cron. Without it, UTC.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="DATE", help="A date, or an instant with its UTC offset. Default: now.")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, metavar="N", help="How many ticks.")] = 5,
    as_json: Json = False,
) -> None:
    """Print when a schedule starts the next runs.

    Each time has its UTC offset, and a note where daylight saving moves it.
    """
    from nbflow.shapes import ticks_document

    if (pipeline is None) == (cron is None):
        raise InvalidInput("name a pipeline, or give --cron an expression")
    if pipeline and timezone:
        raise InvalidInput(f"--timezone belongs to --cron; the schedule of '{pipeline}' has its own")
    if pipeline:
        zone, found = _ticks_of(session, pipeline, after, count)
    else:
        zone = timezone or "UTC"
        found = _ticks_from(cron or "", zone, after, count)
    if as_json:
        session.print_json(ticks_document(zone, found))
    elif found:
        _print_ticks(session, found)
    else:
        session.say("the schedule has no later tick")


def _ticks_of(session: Session, name: str, after: str | None, count: int) -> tuple[str, Sequence[Tick]]:
    from nbflow.api import next_ticks, usable

    with session.open() as live:
        definition = live.api.definition(name)
    schedule = usable(definition).schedule
    timezone = schedule.timezone if schedule else "UTC"
    return timezone, next_ticks(definition, _start(after, timezone), count)


def _ticks_from(cron: str, timezone: str, after: str | None, count: int) -> Sequence[Tick]:
    from itertools import islice
    from zoneinfo import ZoneInfo

    from nbflow.model import Schedule
    from nbflow.schedule import check_cron, ticks

    if problem := check_cron(cron):
        raise InvalidInput(problem)
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(f"'{timezone}' is no IANA time zone", hint="An example is Europe/Berlin.") from None
    return tuple(islice(ticks(Schedule(cron=cron, timezone=timezone), _start(after, timezone)), count))


def _start(after: str | None, timezone: str) -> datetime:
    from nbflow.cli.inputs import instant_after

    return instant_after(after, timezone, "--after") if after else datetime.now(UTC)


def _print_ticks(session: Session, ticks: Sequence[Tick]) -> None:
    table = new_table()
    for tick in ticks:
        table.add_row(with_offset(tick.local), utc_time(tick.instant), tick.note)
    session.out.print(table)
