"""A backfill: runs for a range of past dates (semantics §5), and what becomes of each tick. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal

from nbflow import schedule
from nbflow.errors import InvalidInput
from nbflow.model import Pipeline, PipelineName, RunId, Schedule
from nbflow.run import Run
from nbflow.schedule import RunDates
from nbflow.states import RunState

MOST = 10_000
"""Runs in one backfill."""

Reprocess = Literal["none", "failed", "all"]


class BackfillState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"

    @property
    def is_active(self) -> bool:
        return self in {BackfillState.RUNNING, BackfillState.PAUSED}


class ItemAction(StrEnum):
    """What a backfill does with one tick."""

    CREATE = "create"
    """It has no run yet: one is created."""
    RESET = "reset"
    """It has a finished run, which runs again."""
    PASS = "pass"
    """Its run stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What was asked for. `id` is 0 before the store gave it one."""

    id: int = 0
    pipeline: PipelineName
    start: date
    end: date
    is_reverse: bool = False
    max_active: int = 1
    reprocess: Reprocess = "none"
    state: BackfillState = BackfillState.RUNNING
    created_at: datetime
    created_by: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillItem:
    """One tick of a backfill. `action` is None while it waits for its turn; `run` is the run that it concerns."""

    position: int
    logical_date: datetime
    run_date: date
    action: ItemAction | None = None
    run: RunId | None = None
    reason: str = ""
    """Why it is passed over."""

    @property
    def run_key(self) -> str:
        return run_key(self.logical_date)


def run_key(tick: datetime) -> str:
    """The key of a tick's run, whoever creates it (semantics §5)."""
    return f"sched:{tick.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def dates(timing: Schedule | None, start: date, end: date, now: datetime) -> Iterator[RunDates]:
    """What the runs of the local dates `start` to `end` are for, oldest first; none later than `now`.

    Without a schedule there is one a day, at 00:00 UTC.
    """
    if timing is None:
        yield from _days(start, end, now)
        return
    begin = datetime.combine(start, time(), UTC) - timedelta(days=2)  # no zone is further from UTC
    for tick in schedule.ticks(timing, begin):
        if tick.instant > now or tick.run_date > end:
            return
        if tick.run_date >= start:
            yield schedule.for_tick(timing, tick)


def _days(start: date, end: date, now: datetime) -> Iterator[RunDates]:
    for number in range((end - start).days + 1):
        found = schedule.for_date(None, start + timedelta(days=number))
        if found.logical_date > now:
            return
        yield found


def items(pipeline: Pipeline, asked: Backfill, now: datetime) -> tuple[BackfillItem, ...]:
    """The ticks of a backfill in the order of their runs. Raises InvalidInput for a range without one, or too many."""
    if asked.end < asked.start:
        raise InvalidInput(f"the range ends ({asked.end}) before it starts ({asked.start})")
    found = []
    for each in dates(pipeline.schedule, asked.start, asked.end, now):
        found.append(each)
        if len(found) > MOST:
            raise InvalidInput(
                f"{asked.start} to {asked.end} has more than {MOST:,} ticks", hint="Split it into several backfills."
            )
    if not found:
        raise InvalidInput(
            f"pipeline '{pipeline.name}' has no tick from {asked.start} to {asked.end} that is past",
            hint=f"See its ticks: nbflow next {pipeline.name} --after {asked.start}.",
        )
    if asked.is_reverse:
        found.reverse()
    return tuple(
        BackfillItem(position=position, logical_date=each.logical_date, run_date=each.run_date)
        for position, each in enumerate(found)
    )


def action(reprocess: Reprocess, run: Run | None) -> tuple[ItemAction, str]:
    """What to do with a tick whose run stands like this, and why if it is passed over."""
    if run is None:
        return ItemAction.CREATE, ""
    if not run.state.is_terminal:
        return ItemAction.PASS, f"run {run.id} is {run.state}"
    wanted: Mapping[Reprocess, frozenset[RunState]] = {
        "none": frozenset(),
        "failed": frozenset({RunState.FAILED, RunState.CANCELLED}),
        "all": frozenset(RunState),
    }
    if run.state in wanted[reprocess]:
        return ItemAction.RESET, ""
    return ItemAction.PASS, f"run {run.id} is {run.state}, and reprocess is {reprocess}"
