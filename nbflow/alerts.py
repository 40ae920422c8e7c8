"""Which events people are told of, and which messages wait for one another (semantics §4). Pure: it sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from nbflow.live import LiveRun
from nbflow.model import Pipeline, TaskKey
from nbflow.notice import Notice, NoticeKind
from nbflow.pace import is_over
from nbflow.run import Run, TaskRun
from nbflow.states import RunState

QUIET = timedelta(hours=1)
"""At most one message in this time about one pipeline in one channel; the next one tells how many were held back."""

LONGEST = timedelta(hours=1)
"""No message waits longer than this for its next try."""


# --- what is told of a run ------------------------------------------------------------------------------------------


def of_run(live: LiveRun, run: Run, changed: Mapping[TaskKey, TaskRun], now: datetime) -> Notice | None:
    """What is worth telling of the changed task runs and of the run as it will be.

    That is the first final, unexcused failure since the run began or was repaired, and every success: whether somebody
    heard of a failure before, the store knows. What an operator marked is not told.
    """
    alerts = live.pipeline.alerts
    failed = next((each for each in changed.values() if live.is_unexcused(each) and each.set_by is None), None)
    if failed is not None and run.alerted_at is None and alerts.on_failure:
        about = {"key": failed.key, "attempt": failed.attempts or None}
        return about_run(live.pipeline, NoticeKind.FAILED, alerts.on_failure, run, now, _version(live), **about)
    is_by_hand = any(each.set_by is not None for each in changed.values())
    has_come_right = run.state is RunState.SUCCESS and live.run.state is not RunState.SUCCESS
    if has_come_right and alerts.on_recovery and not is_by_hand:
        return about_run(live.pipeline, NoticeKind.RECOVERED, alerts.on_recovery, run, now, _version(live))
    return None


def _version(live: LiveRun) -> str:
    """A decision is saved once for each version of the run; so is what it tells."""
    return str(live.run.version + 1)


def about_run(
    pipeline: Pipeline,
    kind: NoticeKind,
    channels: tuple[str, ...],
    run: Run,
    now: datetime,
    *name: str,
    **about: Any,
) -> Notice:
    return Notice(
        id="/".join((kind, run.id, *name)),
        kind=kind,
        channels=channels,
        at=now,
        pipeline=pipeline.name,
        timezone=_timezone(pipeline),
        run=run.id,
        **about,
    )


def backfill_paused(pipeline: Pipeline, backfill: int, reason: str, now: datetime) -> tuple[Notice, ...]:
    """The scheduler paused a backfill; each pause is told, to those who hear of ticks that start no run."""
    kind, channels = NoticeKind.PAUSED, pipeline.alerts.on_missed
    told = Notice(
        id=f"{kind}/{pipeline.name}/{backfill}/{now.isoformat(timespec='seconds')}",
        kind=kind,
        channels=channels,
        at=now,
        pipeline=pipeline.name,
        timezone=_timezone(pipeline),
        text=f"backfill {backfill}: {reason}; when that is mended: nbflow backfill resume {backfill}",
    )
    return (told,) if channels else ()


def _timezone(pipeline: Pipeline) -> str:
    return pipeline.schedule.timezone if pipeline.schedule else "UTC"


# --- what is told of the scheduler ----------------------------------------------------------------------------------


def restarted(
    engine: str, before: str, channels: tuple[str, ...], now: datetime, *, is_dead: bool
) -> tuple[Notice, ...]:
    """Engine `engine` leads now; `before` led until it vanished, or stopped to give signs of life."""
    how = "ended without a word" if is_dead else "gives no sign of life"
    kind, text = NoticeKind.RESTARTED, f"{before} {how}; {engine} has taken over"
    name = f"{kind}/{before}/{engine}"
    return (Notice(id=name, kind=kind, channels=channels, at=now, text=text),) if channels else ()


# --- which message is sent ------------------------------------------------------------------------------------------


def backoff(tries: int) -> timedelta:
    """The wait after that many tries that failed: 1, 2, 4 minutes and so on, never above an hour."""
    return min(timedelta(minutes=2 ** min(tries - 1, 6)), LONGEST)


class Waiting(Protocol):
    """A message that has not been sent."""

    @property
    def tries(self) -> int: ...

    @property
    def due(self) -> datetime: ...


W = TypeVar("W", bound=Waiting)


def pick(waiting: Sequence[W], sent_at: datetime | None, now: datetime) -> tuple[W, Sequence[W]] | None:
    """Of the messages about one pipeline in one channel, oldest first: the one to send now, and those that join it.

    `sent_at` is when the last one was sent. One that was tried before is tried again alone, and the others wait for it:
    what was sent once is never sent as part of another message. Times that lie too far ahead were written by a clock
    that was wrong, and hold nothing up.
    """
    begun = [each for each in waiting if each.tries]
    if begun:
        return None if now < begun[0].due <= now + LONGEST else (begun[0], ())
    if not waiting or not is_over(QUIET, sent_at, now):
        return None
    return waiting[-1], waiting[:-1]
