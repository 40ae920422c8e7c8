"""Which ticks of a pipeline start runs now, and which are passed over and why (semantics §5). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from nbflow import schedule
from nbflow.model import Pipeline, PipelineName, RunId, Schedule
from nbflow.notice import Notice, NoticeKind
from nbflow.run import Run
from nbflow.schedule import Tick
from nbflow.states import RunKind

MOST = 100
"""Runs of one pipeline that one turn begins, and due ticks that it decides on; the rest follows in the next ones. Also
as far as a skip is counted."""

AT_LATEST = timedelta(minutes=1)
"""How long after a tick its run has begun, or somebody should look why not."""

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
    """For people; says how many ticks there are where there are several."""
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

    `unfinished` are the pipeline's runs that have not ended, oldest first. Ticks more than `grace` ago were missed and
    follow `missed`, whatever `overlap` says; later ones are due and follow `overlap`.
    """
    timing = pipeline.schedule
    first = next(schedule.ticks(timing, cursor), None) if timing else None
    if timing is None or first is None or first.instant > now:
        return Decided(cursor=cursor)
    missed = Decided(cursor=cursor)
    if now - first.instant > timing.grace:
        missed = _missed(pipeline.name, timing, first, now)
    due = _due(pipeline, timing, missed, unfinished, now)
    return Decided(cursor=due.cursor, fires=missed.fires + due.fires, skips=missed.skips + due.skips)


def passed_over(pipeline: Pipeline, cursor: datetime, now: datetime, reason: str) -> Skip | None:
    """The stretch of ticks later than `cursor` and not later than `now`; None where there is none."""
    if pipeline.schedule is None:
        return None
    first = next(schedule.ticks(pipeline.schedule, cursor), None)
    last = schedule.previous(pipeline.schedule, now)
    if first is None or last is None or first.instant > now:
        return None
    return _skip(pipeline.name, pipeline.schedule, first, last, reason, now)


def unbegun(pipeline: Pipeline, standing: Standing, now: datetime) -> datetime | None:
    """The first tick that should have begun a run by now and that nobody has decided on; None while all is in time."""
    if pipeline.schedule is None or standing.paused_at is not None or standing.is_removed:
        return None
    first = next(schedule.ticks(pipeline.schedule, standing.cursor), None)
    return first.instant if first and first.instant + AT_LATEST <= now else None


def undecided(standing: Standing | None, now: datetime) -> datetime:
    """The instant whose later ticks are to come: what was decided on stays so where the clock was set back."""
    return max(now, standing.cursor) if standing else now


def keeps_time(before: Schedule | None, after: Schedule | None) -> bool:
    """Whether two schedules have the same ticks, so that those decided on stay decided."""
    return _times(before) == _times(after)


def _times(timing: Schedule | None) -> object:
    return timing and (timing.cron, timing.every, timing.timezone, timing.start, timing.end)


def _skip(name: PipelineName, timing: Schedule, first: Tick, last: Tick, reason: str, now: datetime) -> Skip:
    stretch = takewhile(lambda tick: tick.instant <= last.instant, _from(first, timing))
    count = sum(1 for _ in islice(stretch, MOST + 1))
    many = f"more than {MOST}" if count > MOST else f"{count}"
    said = reason if count == 1 else f"{reason} ({many} ticks)"
    return Skip(pipeline=name, first=first.instant, last=last.instant, reason=said, at=now)


# --- what is told ---------------------------------------------------------------------------------------------------


def notices(pipeline: Pipeline, decided: Decided, now: datetime) -> tuple[Notice, ...]:
    """What people are told of the ticks: those that were missed, whether they run now or not, and those skipped."""
    timing, channels = pipeline.schedule, pipeline.alerts.on_missed
    if timing is None or not channels:
        return ()
    belated = [fire.tick.instant for fire in decided.fires if now - fire.tick.instant > timing.grace]
    missed = [skip for skip in decided.skips if skip.reason.startswith(AWAY)]
    skipped = [skip for skip in decided.skips if not skip.reason.startswith(AWAY)]
    told = []
    if belated or missed:
        ticks = [*belated, *(skip.first for skip in missed), *(skip.last for skip in missed)]
        told.append(_told(pipeline.name, timing, NoticeKind.MISSED, ticks, channels, now, _running(len(belated))))
    if skipped:
        ticks = [*(skip.first for skip in skipped), *(skip.last for skip in skipped)]
        told.append(_told(pipeline.name, timing, NoticeKind.SKIPPED, ticks, channels, now, skipped[-1].reason))
    return tuple(told)


def _running(count: int) -> str:
    running = {0: "none of them runs now", 1: "the last of them runs now"}
    return f"no scheduler was there when they were due; {running.get(count, f'the last {count} of them run now')}"


def _told(
    name: PipelineName,
    timing: Schedule,
    kind: NoticeKind,
    ticks: Sequence[datetime],
    channels: tuple[str, ...],
    now: datetime,
    text: str,
) -> Notice:
    first, last = min(ticks), max(ticks)
    return Notice(
        id=f"{kind}/{name}/{first:%Y%m%dT%H%M%SZ}",
        kind=kind,
        channels=channels,
        at=now,
        pipeline=name,
        timezone=timing.timezone,
        first=first,
        last=last,
        text=text,
    )


# --- missed ---------------------------------------------------------------------------------------------------------


def _missed(name: PipelineName, timing: Schedule, first: Tick, now: datetime) -> Decided:
    """The missed ticks from `first` on. Looks only at those that run, however many there are."""
    border = now - timing.grace
    if timing.missed == "all":
        chosen = [*islice(takewhile(lambda tick: tick.instant < border, _from(first, timing)), MOST)]
        return Decided(cursor=chosen[-1].instant, fires=tuple(Fire(tick=tick) for tick in chosen))
    back = _back_to(first, timing, border - _LEAST)
    chosen = [*islice(back, _wanted(timing))][::-1][:MOST]
    skipped = next(back, None)
    return Decided(
        cursor=chosen[-1].instant if chosen else border - _LEAST,
        fires=tuple(Fire(tick=tick) for tick in chosen),
        skips=(_skip(name, timing, first, skipped, AWAY, now),) if skipped else (),
    )


def _wanted(timing: Schedule) -> int:
    return {"none": 0, "latest": 1}[timing.missed] if isinstance(timing.missed, str) else timing.missed


def _from(first: Tick, timing: Schedule) -> Iterator[Tick]:
    return schedule.ticks(timing, first.instant - _LEAST)


def _back_to(first: Tick, timing: Schedule, latest: datetime) -> Iterator[Tick]:
    tick = schedule.previous(timing, latest)
    while tick is not None and tick.instant >= first.instant:
        yield tick
        tick = schedule.previous(timing, tick.instant - _LEAST)


_LEAST = datetime.resolution


# --- due ------------------------------------------------------------------------------------------------------------


def _due(pipeline: Pipeline, timing: Schedule, missed: Decided, unfinished: Sequence[Run], now: datetime) -> Decided:
    """The ticks behind the missed ones, whose new runs are unfinished as well."""
    counted = [run for run in unfinished if run.kind is not RunKind.BACKFILL]
    cursor, new = missed.cursor, len(missed.fires)
    fires: list[Fire] = []
    skipped: list[Tick] = []
    for tick in islice(takewhile(lambda tick: tick.instant <= now, schedule.ticks(timing, cursor)), MOST - new):
        overlap = timing.overlap if len(counted) + new >= pipeline.max_active_runs else "queue"
        oldest = _oldest_scheduled(counted) if overlap == "cancel_running" else None
        if overlap == "cancel_running" and oldest is None and new:
            break  # a run of this turn has to make way; the next turn knows it
        cursor = tick.instant
        if overlap == "skip":
            skipped.append(tick)
            continue
        if oldest is not None:
            counted.remove(oldest)
        fires.append(Fire(tick=tick, cancel=oldest.id if oldest else None))
        new += 1
    skips: tuple[Skip, ...] = ()
    if skipped:
        reason = _overlaps(counted, new, pipeline.max_active_runs)
        skips = (_skip(pipeline.name, timing, skipped[0], skipped[-1], reason, now),)
    return Decided(cursor=cursor, fires=tuple(fires), skips=skips)


def _oldest_scheduled(runs: Sequence[Run]) -> Run | None:
    return next((run for run in runs if run.kind is RunKind.SCHEDULED), None)


def _overlaps(counted: Sequence[Run], new: int, most: int) -> str:
    if len(counted) + new > 1:
        return f"overlap: {len(counted) + new} runs were not finished, and max_active_runs is {most}"
    which = f"run {counted[0].id}" if counted else "the run before"
    return f"overlap: {which} was not finished, and max_active_runs is {most}"
