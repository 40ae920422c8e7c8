"""A backfill: runs for a range of past dates (semantics §5), and what becomes of each tick. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile
from typing import Literal

from nbflow import schedule
from nbflow.errors import Conflict, InvalidInput
from nbflow.model import Pipeline, PipelineName, RunId, Schedule
from nbflow.run import Run
from nbflow.states import RUN_TERMINAL, RunState

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
    """Why it was asked for."""
    changed_at: datetime | None = None
    """When it came to its state; None while nobody has changed it."""
    changed_by: str | None = None
    reason: str | None = None
    """Why it was brought to its state: a person's note, or what keeps the scheduler from going on."""


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
    return f"sched:{tick.astimezone(UTC).isoformat().removesuffix('+00:00')}Z"


def dates(timing: Schedule | None, start: date, end: date) -> Iterator[tuple[datetime, date]]:
    """Logical date and run date of each run for the local dates `start` to `end`, oldest first.

    Without a schedule there is one a day, at 00:00 UTC.
    """
    if timing is not None:
        yield from ((tick.instant, tick.run_date) for tick in schedule.on_dates(timing, start, end))
        return
    for number in range((end - start).days + 1):
        found = schedule.for_date(None, start + timedelta(days=number))
        yield found.logical_date, found.run_date


def items(pipeline: Pipeline, asked: Backfill, now: datetime) -> tuple[BackfillItem, ...]:
    """The ticks of a backfill in the order of their runs; future ones are left out.

    Raises InvalidInput for a range without a tick, or with too many.
    """
    if asked.end < asked.start:
        raise InvalidInput(f"the range ends ({asked.end}) before it starts ({asked.start})")
    past = takewhile(lambda found: found[0] <= now, dates(pipeline.schedule, asked.start, asked.end))
    found = [*islice(past, MOST + 1)]
    if len(found) > MOST:
        raise InvalidInput(
            f"{asked.start} to {asked.end} has more than {MOST:,} ticks", hint="Split it into several backfills."
        )
    if not found:
        hint = "Without a schedule there is one a day, at 00:00 UTC."
        if pipeline.schedule is not None:
            hint = f"See its ticks: nbflow next {pipeline.name} --after {asked.start}."
        raise InvalidInput(
            f"pipeline '{pipeline.name}' has no tick from {asked.start} to {asked.end} that is past", hint=hint
        )
    if asked.is_reverse:
        found.reverse()
    return tuple(
        BackfillItem(position=position, logical_date=logical_date, run_date=run_date)
        for position, (logical_date, run_date) in enumerate(found)
    )


def action(reprocess: Reprocess, run: Run | None) -> tuple[ItemAction, str]:
    """What to do with a tick whose run stands like this, and why if it is passed over."""
    if run is None:
        return ItemAction.CREATE, ""
    if not run.state.is_terminal:
        return ItemAction.PASS, f"run {run.id} is {run.state}"
    if run.state in _REPROCESSED[reprocess]:
        return ItemAction.RESET, ""
    return ItemAction.PASS, f"run {run.id} {_ENDED[run.state]}, and reprocess is {reprocess}"


_REPROCESSED: dict[Reprocess, frozenset[RunState]] = {
    "none": frozenset(),
    "failed": frozenset({RunState.FAILED, RunState.CANCELLED}),
    "all": RUN_TERMINAL,
}
_ENDED = {RunState.SUCCESS: "ended well", RunState.FAILED: "failed", RunState.CANCELLED: "was cancelled"}


def progress_of(action: ItemAction | None, run: RunState | None, is_asked: bool) -> tuple[str, ...]:
    """What a tick counts as: names of BackfillProgress. `run` is None where it was removed since.

    `is_asked`: its run has not answered the request to begin anew, and still stands as it ended before.
    """
    if action is None:
        return ("waiting",)
    if action is ItemAction.PASS:
        return ("passed",)
    if is_asked or (run is not None and not run.is_terminal):
        return ("active",)
    return ("ended",) if run in {None, RunState.SUCCESS} else ("ended", "failed")


def check_overlap(asked: Backfill, others: Iterable[Backfill]) -> None:
    """Raises Conflict naming one of `others` that is active for dates of the same pipeline."""
    for other in others:
        if other.pipeline == asked.pipeline and other.state.is_active and _overlap(asked, other):
            raise Conflict(
                f"backfill {other.id} of pipeline '{other.pipeline}' is {other.state},"
                f" and has dates of this one: {other.start} to {other.end}",
                hint=f"Let it end, or cancel it: nbflow backfill cancel {other.id}.",
            )


def _overlap(one: Backfill, other: Backfill) -> bool:
    return one.start <= other.end and other.start <= one.end


def changed(backfill: Backfill, state: BackfillState, *, by: str, note: str, now: datetime) -> Backfill:
    """Brought to another state. Raises Conflict where it has ended, or is in that state already."""
    if not backfill.state.is_active or backfill.state is state:
        raise Conflict(f"backfill {backfill.id} is {backfill.state}")
    return replace(backfill, state=state, changed_at=now, changed_by=by or None, reason=note or None)
