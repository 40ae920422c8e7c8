"""A leader, standings, ticks and backfills by hand, for tests that need a few of them and no rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from nbflow.backfill import Backfill, BackfillItem
from nbflow.model import DataInterval, PipelineName, RunId
from nbflow.ports import FrozenPipeline, Leader, NewRun, ScheduleStore
from nbflow.run import Run
from nbflow.states import RunKind
from nbflow.testing.samples import ENGINE, NOW, TTL, a_frozen, a_run, task_runs
from nbflow.timetable import Skip, Standing

DAY = timedelta(days=1)
NIGHTLY = PipelineName("nightly")


def lead(store: ScheduleStore, engine: str = ENGINE, **about: Any) -> Leader:
    return store.lead(engine, **{"now": NOW, "ttl": TTL, **about})


def a_standing(pipeline: str = "nightly", **about: Any) -> Standing:
    values: dict[str, Any] = {
        "pipeline": PipelineName(pipeline),
        "first_seen": NOW - 9 * DAY,
        "cursor": NOW,
        "path": f"{pipeline}/pipeline.yaml",
        "manifest": "",
    }
    return Standing(**{**values, **about})


def see(store: ScheduleStore, *pipelines: str) -> Leader:
    """Lead, and keep pipelines as seen with their cursor at NOW."""
    leader = lead(store)
    for name in pipelines or ("nightly",):
        store.see(leader, a_standing(name), None)
    return leader


def tick_of(day: int) -> datetime:
    """The tick of the day after NOW, of the day after that, …"""
    return NOW.replace(hour=2, minute=0, second=0, microsecond=0) + day * DAY


def a_tick_run(day: int = 1, run: str | None = None, frozen: FrozenPipeline | None = None, **about: Any) -> NewRun:
    """What a tick creates: a scheduled run under the tick's key."""
    frozen = frozen or a_frozen("extract", "load")
    tick = tick_of(day)
    values: dict[str, Any] = {
        "run_key": f"sched:{tick:%Y-%m-%dT%H:%M:%SZ}",
        "kind": RunKind.SCHEDULED,
        "logical_date": tick,
        "run_date": tick.date(),
        "interval": DataInterval(tick - DAY, tick),
        "created_at": tick,
        "created_by": "schedule",
    }
    made: Run = a_run(run or f"t{day}", frozen, **{**values, **about})
    return NewRun(run=made, tasks=task_runs(frozen), frozen=frozen)


def a_skip(day: int = 1, pipeline: str = "nightly", **about: Any) -> Skip:
    values: dict[str, Any] = {
        "pipeline": PipelineName(pipeline),
        "first": tick_of(day),
        "last": tick_of(day + 2),
        "reason": "missed: no scheduler was running",
        "at": tick_of(day + 3),
    }
    return Skip(**{**values, **about})


def a_backfill(start: int = 1, end: int = 3, **about: Any) -> Backfill:
    """Of days of March 2026."""
    values: dict[str, Any] = {
        "pipeline": NIGHTLY,
        "start": date(2026, 3, start),
        "end": date(2026, 3, end),
        "created_at": NOW,
        "created_by": "ada",
    }
    return Backfill(**{**values, **about})


def items_of(backfill: Backfill) -> Sequence[BackfillItem]:
    """One tick for each day, at 02:00 UTC."""
    days = [backfill.start + at * DAY for at in range((backfill.end - backfill.start).days + 1)]
    at_two = NOW.replace(hour=2, minute=0, second=0, microsecond=0)
    return [
        BackfillItem(
            position=position,
            logical_date=at_two.replace(year=day.year, month=day.month, day=day.day),
            run_date=day,
        )
        for position, day in enumerate(days)
    ]


def an_item_run(item: BackfillItem, run: str, **about: Any) -> NewRun:
    """What a tick of a backfill creates."""
    values: dict[str, Any] = {
        "run_key": item.run_key,
        "kind": RunKind.BACKFILL,
        "logical_date": item.logical_date,
        "run_date": item.run_date,
    }
    return a_tick_run(run=RunId(run), **{**values, **about})
