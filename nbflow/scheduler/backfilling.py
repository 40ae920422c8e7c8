"""The ticks of backfills get their runs in order, never more at once than each backfill allows (semantics §5)."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from nbflow import alerts, schedule
from nbflow import backfill as rules
from nbflow.aside import Aside
from nbflow.backfill import Backfill, BackfillItem, BackfillState, ItemAction
from nbflow.creation import new_run
from nbflow.errors import Conflict, InvalidInput, LeaseLost
from nbflow.failpoints import failpoint
from nbflow.model import Pipeline
from nbflow.ports import Leader, NewRun, RunStore, ScheduleStore, Workspace
from nbflow.run import ResetRequested, Run
from nbflow.schedule import RunDates
from nbflow.scheduler.catalog import Catalog
from nbflow.states import RunKind

AT_ONCE = 100
"""Ticks of one backfill that one turn decides on: the runs under way must not wait for a long list of passed ones."""

BY = "scheduler"
"""Who pauses a backfill that cannot go on."""

_log = logging.getLogger(__name__)


class Store(RunStore, ScheduleStore, Protocol):
    """Runs, and what schedules need."""


class Backfilling:
    """Carries backfills on, a few ticks a turn. Keeps nothing between two turns but what is set aside."""

    def __init__(self, store: Store, workspace: Workspace, catalog: Catalog) -> None:
        self._store, self._workspace, self._catalog = store, workspace, catalog
        self._aside = Aside[int]("backfill")

    def step(self, leader: Leader, now: datetime) -> bool:
        """True if more could be begun at once."""
        running = [each for each in self._store.backfills(only_active=True) if each.state is BackfillState.RUNNING]
        is_more = [
            self._aside.try_with(each.id, now, partial(self._carry_on, leader, each, now), otherwise=False)
            for each in running
        ]
        return any(is_more)

    def _carry_on(self, leader: Leader, backfill: Backfill, now: datetime) -> bool:
        """Begin ticks until the backfill has as many runs under way as it may, or has had its turn."""
        try:
            progress = self._store.backfill_progress(backfill.id)
            if not progress.waiting and not progress.active:
                self._store.set_backfill(
                    backfill.id, BackfillState.DONE, by=backfill.created_by, note="", now=now, leader=leader
                )
            room = backfill.max_active - progress.active
            waiting = self._store.next_items(backfill.id, AT_ONCE) if room > 0 else ()
            for item in waiting:
                room -= self._begin(leader, backfill, item, now)
                if not room:
                    return False
            return len(waiting) == AT_ONCE
        except LeaseLost:
            raise
        except Conflict:  # somebody paused or cancelled it in this moment
            return False

    def _pause(self, leader: Leader, backfill: Backfill, reason: str, now: datetime) -> None:
        _log.warning("backfill %s is paused: %s", backfill.id, reason)
        good = self._store.last_good(backfill.pipeline)
        told = alerts.backfill_paused(good[0], backfill.id, reason, now) if good else ()
        self._store.set_backfill(
            backfill.id, BackfillState.PAUSED, by=BY, note=reason, now=now, leader=leader, notices=told
        )

    def _begin(self, leader: Leader, backfill: Backfill, item: BackfillItem, now: datetime) -> bool:
        """True if the tick's run is under way now.

        What keeps one run from being created would keep all: then the backfill is paused, until a person has mended it.
        """
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
            if run is None:
                self._pause(leader, backfill, f"no run can be created: {error}", now)
                raise Conflict(f"backfill {backfill.id} is paused") from error
            decided = replace(item, action=ItemAction.PASS, run=run.id, reason=str(error))
        failpoint("scheduler.before_begin_item")
        begun = self._store.begin_item(leader, backfill.id, decided, new=new, request=request, now=now)
        return begun and decided.action is not ItemAction.PASS

    def _new(self, backfill: Backfill, item: BackfillItem, now: datetime) -> NewRun:
        frozen = self._workspace.freeze(self._catalog.definition(backfill.pipeline))
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
