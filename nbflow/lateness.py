"""Which runs are late, and which tasks run far beyond their usual time (semantics §4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nbflow.alerts import about_run
from nbflow.estimates import beyond_usual, usual
from nbflow.model import Pipeline, TaskName
from nbflow.notice import Notice, NoticeKind
from nbflow.run import Run, TaskRun
from nbflow.schedule import zones
from nbflow.states import RunKind
from nbflow.text import seconds_text


def late(pipeline: Pipeline, run: Run, now: datetime) -> Notice | None:
    """An unfinished run that should have been finished by now."""
    due, channels = overdue_since(pipeline, run, now), pipeline.alerts.on_late
    if due is None or not channels:
        return None
    return about_run(pipeline, NoticeKind.LATE, channels, run, now, first=due)


def overdue_since(pipeline: Pipeline, run: Run, now: datetime) -> datetime | None:
    """When an unfinished run should have been finished; None where it is in time, whether it has begun or not."""
    due = None if run.state.is_terminal else late_at(pipeline, run)
    return due if due is not None and due <= now else None


def late_at(pipeline: Pipeline, run: Run) -> datetime | None:
    """The first moment after the logical date at which the clocks of the schedule's zone show `late_after`.

    None for a run that no schedule started, and where the manifest has no such time.
    """
    time, timing = pipeline.alerts.late_after, pipeline.schedule
    if time is None or timing is None or run.kind is not RunKind.SCHEDULED:
        return None
    zone = ZoneInfo(timing.timezone)
    today = run.logical_date.astimezone(zone).date()
    days = (datetime.combine(today + timedelta(days=later), time) for later in range(3))
    return next(at for at in (zones.reached(day, zone) for day in days) if at > run.logical_date)


def overruns(
    pipeline: Pipeline,
    run: Run,
    tasks: Iterable[TaskRun],
    seconds: Mapping[TaskName, Sequence[float]],
    now: datetime,
) -> tuple[Notice, ...]:
    """The running attempts that take far longer than `seconds`, what good ones took, lets expect."""
    if not pipeline.alerts.on_late:
        return ()
    found = (_overrun(pipeline, run, each, seconds.get(each.key.task, ()), now) for each in tasks)
    return tuple(notice for notice in found if notice is not None)


def _overrun(pipeline: Pipeline, run: Run, task_run: TaskRun, samples: Sequence[float], now: datetime) -> Notice | None:
    limit = beyond_usual(samples)
    began = task_run.live.started_at if task_run.live else None
    if limit is None or began is None or (elapsed := (now - began).total_seconds()) <= limit:
        return None
    key, number = task_run.key, task_run.attempts
    text = f"running for {seconds_text(elapsed)}, usually done in {seconds_text(usual(samples).median)}"
    name = f"{key.address}/{number}"
    channels = pipeline.alerts.on_late
    return about_run(pipeline, NoticeKind.OVERRUN, channels, run, now, name, key=key, attempt=number, text=text)
