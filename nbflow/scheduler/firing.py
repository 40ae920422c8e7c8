"""Ticks that are due become runs, once each; what becomes of the others is kept with the reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from nbflow import schedule, timetable
from nbflow.aside import Aside
from nbflow.backfill import run_key
from nbflow.creation import new_run
from nbflow.errors import Conflict, InvalidInput, LeaseLost
from nbflow.failpoints import failpoint
from nbflow.model import PipelineName, Schedule
from nbflow.ports import FrozenPipeline, Leader, NewRun, ScheduleStore, Workspace
from nbflow.run import CancelRequested, Request, Run
from nbflow.scheduler.catalog import Catalog, Known
from nbflow.states import RunKind
from nbflow.timetable import Decided, Fire, Skip

BY = "scheduler"
"""Who created a scheduled run."""


AT_ONCE = 20
"""So many pipelines one turn decides on, or about so many runs it creates; for the same reason as one look takes no
more."""


class Firing:
    """Fires the ticks of the catalog's pipelines. Keeps nothing but when the next tick of each is due, and
    what is set aside.

    Who was fired longest ago comes first.
    """

    def __init__(self, store: ScheduleStore, workspace: Workspace, catalog: Catalog) -> None:
        self._store, self._workspace, self._catalog = store, workspace, catalog
        self._next: dict[PipelineName, tuple[Schedule, datetime, datetime | None]] = {}
        self._aside = Aside[PipelineName]("pipeline")

    def step(self, leader: Leader, now: datetime) -> bool:
        """True if more ticks may be due."""
        due = [known for known in self._catalog.active() if self._is_due(known, now)]
        if not due:
            return False
        turn = {name: place for place, name in enumerate(self._next)}
        due.sort(key=lambda known: turn[known.pipeline.name])
        unfinished: dict[PipelineName, list[Run]] = defaultdict(list)
        for run in self._store.unfinished():
            unfinished[run.pipeline].append(run)
        done = 0
        for known in due:
            name = known.pipeline.name
            fire = partial(self._fire, leader, known, unfinished[name], now)
            done += max(1, self._aside.try_with(name, now, fire, otherwise=0))
            if done >= AT_ONCE:
                return True
        return False

    def _is_due(self, known: Known, now: datetime) -> bool:
        first = self._aside.try_with(known.pipeline.name, now, partial(self._due, known), otherwise=None)
        return first is not None and first <= now

    def _due(self, known: Known) -> datetime | None:
        """The first tick that is not decided on; worked out once for each schedule and cursor."""
        timing, cursor = known.pipeline.schedule, known.standing.cursor
        if timing is None:
            return None
        worked_out = self._next.get(known.pipeline.name)
        if worked_out is None or worked_out[:2] != (timing, cursor):
            first = next(schedule.ticks(timing, cursor), None)
            worked_out = self._next[known.pipeline.name] = (timing, cursor, first.instant if first else None)
        return worked_out[2]

    def _fire(self, leader: Leader, known: Known, unfinished: Sequence[Run], now: datetime) -> int:
        """How many runs it made."""
        name = known.pipeline.name
        del self._next[name]
        decided = timetable.decide(known.pipeline, known.standing.cursor, unfinished, now)
        runs, refused = self._plan(known, decided, now)
        failpoint("scheduler.before_fire")
        try:
            self._store.fire(
                leader,
                name,
                cursor=decided.cursor,
                runs=runs,
                skips=[*decided.skips, *refused],
                requests=[(fire.cancel, _make_way(fire)) for fire in decided.fires if fire.cancel and runs],
                notices=timetable.notices(known.pipeline, _as_kept(decided, refused), now),
                now=now,
            )
        except LeaseLost:
            raise
        except Conflict:  # paused in this moment
            self._catalog.reread_standings()
        else:
            failpoint("scheduler.after_fire")
            self._catalog.moved(known, decided.cursor)
        return len(runs)

    def _plan(self, known: Known, decided: Decided, now: datetime) -> tuple[Sequence[NewRun], Sequence[Skip]]:
        """The runs of the ticks that fire; those that cannot be created are skips, with what is wrong."""
        if not decided.fires or (timing := known.pipeline.schedule) is None:
            return (), ()
        try:
            frozen = self._workspace.freeze(known.definition)
            return [_run_of(frozen, timing, fire, now) for fire in decided.fires], ()
        except InvalidInput as error:
            reason = f"its run could not be created: {error}"
            return (), [_skip(known.pipeline.name, fire, reason, now) for fire in decided.fires]


def _run_of(frozen: FrozenPipeline, timing: Schedule, fire: Fire, now: datetime) -> NewRun:
    dates = schedule.for_tick(timing, fire.tick)
    return new_run(frozen, dates, kind=RunKind.SCHEDULED, run_key=run_key(fire.tick.instant), now=now, by=BY)


def _skip(pipeline: PipelineName, fire: Fire, reason: str, now: datetime) -> Skip:
    instant = fire.tick.instant
    return Skip(pipeline=pipeline, first=instant, last=instant, reason=reason, at=now)


def _as_kept(decided: Decided, refused: Sequence[Skip]) -> Decided:
    return replace(decided, fires=(), skips=(*decided.skips, *refused)) if refused else decided


def _make_way(fire: Fire) -> Request:
    return CancelRequested(by=BY, note=f"makes way for the run of {fire.tick.local:%Y-%m-%d %H:%M} (cancel_running)")
