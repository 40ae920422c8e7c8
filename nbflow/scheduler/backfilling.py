"""The ticks of backfills get their runs in order, never more at once than each backfill allows (semantics §5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from nbflow import backfill as rules
from nbflow import schedule
from nbflow.backfill import Backfill, BackfillItem, BackfillState, ItemAction
from nbflow.creation import new_run
from nbflow.errors import InvalidInput
from nbflow.failpoints import failpoint
from nbflow.model import Pipeline
from nbflow.ports import Leader, NewRun, RunStore, ScheduleStore, Workspace
from nbflow.run import ResetRequested, Run
from nbflow.schedule import RunDates
from nbflow.states import RunKind


class Store(RunStore, ScheduleStore, Protocol):
    """Runs, and what schedules need."""


class Backfilling:
    """Carries backfills on. Keeps nothing between two turns."""

    def __init__(self, store: Store, workspace: Workspace) -> None:
        self._store, self._workspace = store, workspace

    def step(self, leader: Leader, now: datetime) -> None:
        for backfill in self._store.backfills(only_active=True):
            if backfill.state is BackfillState.RUNNING:
                self._carry_on(leader, backfill, now)

    def _carry_on(self, leader: Leader, backfill: Backfill, now: datetime) -> None:
        """Begin ticks until the backfill has as many runs under way as it may, or none is left."""
        progress = self._store.backfill_progress(backfill.id)
        room = backfill.max_active - progress.active
        if not progress.waiting:
            if not progress.active:
                self._store.set_backfill(
                    backfill.id, BackfillState.DONE, by=backfill.created_by, note="", now=now, leader=leader
                )
            return
        while room > 0 and (waiting := self._store.next_items(backfill.id, room)):
            room -= sum(self._begin(leader, backfill, item, now) for item in waiting)

    def _begin(self, leader: Leader, backfill: Backfill, item: BackfillItem, now: datetime) -> bool:
        """True if the tick's run is under way now."""
        run = self._store.runs_of_keys(backfill.pipeline, [item.run_key]).get(item.run_key)
        action, reason = rules.action(backfill.reprocess, run)
        decided = replace(item, action=action, run=run.id if run else None, reason=reason)
        new, request = None, None
        try:
            if action is ItemAction.CREATE:
                new = self._new(backfill, item, now)
                decided = replace(decided, run=new.run.id)
            elif action is ItemAction.RESET and run is not None:
                request = self._reset(backfill, run)
        except InvalidInput as error:
            decided = replace(item, action=ItemAction.PASS, run=run.id if run else None, reason=str(error))
        failpoint("scheduler.before_begin_item")
        begun = self._store.begin_item(leader, backfill.id, decided, new=new, request=request, now=now)
        return begun and decided.action is not ItemAction.PASS

    def _new(self, backfill: Backfill, item: BackfillItem, now: datetime) -> NewRun:
        definition = self._workspace.load(backfill.pipeline)
        frozen = self._workspace.freeze(definition)
        return new_run(
            frozen,
            _dates(frozen.pipeline, item),
            kind=RunKind.BACKFILL,
            run_key=item.run_key,
            now=now,
            by=backfill.created_by,
        )

    def _reset(self, backfill: Backfill, run: Run) -> ResetRequested:
        """All of the run again, with the notebooks of today."""
        stored = self._store.load(run.id)
        notebooks = {key.task: task.notebook for key, task in stored.tasks.items()}
        return ResetRequested(
            by=backfill.created_by,
            keys=tuple(stored.tasks),
            notebooks=self._workspace.refreeze(stored.pipeline, notebooks),
            is_backfill=True,
            note=f"backfill {backfill.id}",
        )


def _dates(pipeline: Pipeline, item: BackfillItem) -> RunDates:
    interval = schedule.interval(pipeline.schedule, item.logical_date)
    return RunDates(item.logical_date, item.run_date, interval)
