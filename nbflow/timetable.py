"""Which ticks of a pipeline start runs now, and which are passed over and why (semantics §5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from nbflow import schedule
from nbflow.model import Pipeline, PipelineName, RunId, Schedule
from nbflow.run import Run
from nbflow.schedule import Tick
from nbflow.states import RunKind

MOST = 100
"""Ticks of one pipeline that are decided on in one turn; the rest follows in the next ones."""

AWAY = "missed: no scheduler was running"
PAUSED = "the pipeline was paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a pipeline beside its manifest and its runs."""

    pipeline: PipelineName
    first_seen: datetime
    cursor: datetime
    """Ticks up to this instant have been decided on."""
    path: str
    """The manifest's path, from the project."""
    manifest: str
    """Content hash of the last manifest that could be used; empty before the first."""
    is_removed: bool = False
    """The manifest is gone."""
    paused_at: datetime | None = None
    paused_by: str | None = None
    note: str | None = None
    """Why it was paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A stretch of ticks that started no run: all of the schedule's from `first` to `last`, both included."""

    pipeline: PipelineName
    first: datetime
    last: datetime
    reason: str
    at: datetime
    """When it was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A tick that starts a run."""

    tick: Tick
    cancel: RunId | None = None
    """A run that has to make way for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What becomes of the ticks up to `cursor`: fires oldest first."""

    cursor: datetime
    fires: tuple[Fire, ...] = ()
    skips: tuple[Skip, ...] = ()


def decide(pipeline: Pipeline, cursor: datetime, unfinished: Sequence[Run], now: datetime) -> Decided:
    """Decide on the ticks later than `cursor` and not later than `now`.

    `unfinished` are the pipeline's runs that have not ended, oldest first. Ticks later than `grace` ago are due and
    follow `overlap`; those before were missed and follow `missed`, whatever `overlap` says.
    """
    timing = pipeline.schedule
    if timing is None or (first := next(schedule.ticks(timing, cursor), None)) is None or first.instant > now:
        return Decided(cursor=cursor)
    border = now - timing.grace
    if first.instant >= border:
        return _due(pipeline, timing, cursor, unfinished, now)
    return _missed(pipeline.name, timing, first.instant, border, now)


def passed_over(pipeline: Pipeline, cursor: datetime, now: datetime, reason: str) -> Skip | None:
    """The stretch of ticks later than `cursor` and not later than `now`; None where there is none."""
    if pipeline.schedule is None:
        return None
    first = next(schedule.ticks(pipeline.schedule, cursor), None)
    last = schedule.previous(pipeline.schedule, now)
    if first is None or last is None or first.instant > now:
        return None
    return Skip(pipeline=pipeline.name, first=first.instant, last=last.instant, reason=reason, at=now)


def keeps_time(before: Schedule | None, after: Schedule | None) -> bool:
    """Whether two schedules have the same ticks, so that those decided on stay decided."""
    return _times(before) == _times(after)


def _times(timing: Schedule | None) -> object:
    return timing and (timing.cron, timing.every, timing.timezone, timing.start, timing.end)


# --- missed ---------------------------------------------------------------------------------------------------------


def _missed(name: PipelineName, timing: Schedule, first: datetime, border: datetime, now: datetime) -> Decided:
    """The ticks from `first` to before `border`. Looks only at those that run, however many there are."""
    if timing.missed == "all":
        chosen = [tick for tick in islice(schedule.ticks(timing, first - _LEAST), MOST) if tick.instant < border]
        return Decided(cursor=chosen[-1].instant, fires=tuple(Fire(tick=tick) for tick in chosen))
    wanted = {"none": 0, "latest": 1}.get(str(timing.missed), timing.missed)
    back = _backwards(timing, border - _LEAST, first)
    chosen = list(islice(back, int(wanted)))[::-1]
    last_skipped = next(back, None)
    skips = (Skip(pipeline=name, first=first, last=last_skipped.instant, reason=AWAY, at=now),) if last_skipped else ()
    return Decided(cursor=border - _LEAST, fires=tuple(Fire(tick=tick) for tick in chosen), skips=skips)


def _backwards(timing: Schedule, upto: datetime, first: datetime) -> Iterator[Tick]:
    tick = schedule.previous(timing, upto)
    while tick is not None and tick.instant >= first:
        yield tick
        tick = schedule.previous(timing, tick.instant - _LEAST)


_LEAST = datetime.resolution


# --- due ------------------------------------------------------------------------------------------------------------


def _due(pipeline: Pipeline, timing: Schedule, cursor: datetime, unfinished: Sequence[Run], now: datetime) -> Decided:
    counted = [run.id for run in unfinished if run.kind is not RunKind.BACKFILL]
    cancellable = [run.id for run in unfinished if run.kind is RunKind.SCHEDULED]
    fires: list[Fire] = []
    skips: list[Skip] = []
    for tick in _until(islice(schedule.ticks(timing, cursor), MOST), now):
        cursor = tick.instant
        is_full = len(counted) + len(fires) >= pipeline.max_active_runs
        if is_full and timing.overlap == "skip":
            reason = _overlaps(counted, len(fires), pipeline.max_active_runs)
            skips.append(Skip(pipeline=pipeline.name, first=tick.instant, last=tick.instant, reason=reason, at=now))
            continue
        cancel = cancellable.pop(0) if is_full and timing.overlap == "cancel_running" and cancellable else None
        if cancel is not None:
            counted.remove(cancel)
        fires.append(Fire(tick=tick, cancel=cancel))
    return Decided(cursor=cursor, fires=tuple(fires), skips=tuple(skips))


def _until(ticks: Iterable[Tick], now: datetime) -> Iterator[Tick]:
    for tick in ticks:
        if tick.instant > now:
            return
        yield tick


def _overlaps(counted: Sequence[RunId], more: int, most: int) -> str:
    which = (
        f"run {counted[0]} was not finished"
        if len(counted) == 1 and not more
        else (f"{len(counted) + more} runs were not finished")
    )
    return f"overlap: {which}, max_active_runs is {most}"
