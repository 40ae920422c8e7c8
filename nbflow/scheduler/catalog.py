"""The project's pipelines as the scheduler goes by: what is on disk, or the last good version of what is broken."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from nbflow import timetable
from nbflow.aside import Aside
from nbflow.errors import Conflict, LeaseLost, NotFound, Problem
from nbflow.model import Pipeline, PipelineName
from nbflow.pace import is_over
from nbflow.ports import Definition, Leader, ScheduleStore, Workspace
from nbflow.timetable import Decided, Standing

RESCAN = timedelta(seconds=2)
"""Between two looks at the folders of manifests and notebooks."""

AHEAD = timedelta(hours=1)
"""A cursor further than this ahead of time was written by a wrong clock. A step of the clock by seconds is none: what
was decided on stays decided."""

CHANGED = "the schedule was changed before this tick started its run"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A pipeline with its last usable definition."""

    standing: Standing
    definition: Definition
    pipeline: Pipeline


class Catalog:
    """Every pipeline that was ever seen and could be used once."""

    def __init__(self, store: ScheduleStore, workspace: Workspace) -> None:
        self._store, self._workspace = store, workspace
        self._known: dict[PipelineName, Known] = {}
        self._edition: object = None
        self._scanned_at: datetime | None = None
        self._aside = Aside[PipelineName]("pipeline")
        self.problems: tuple[Problem, ...] = ()
        """What is wrong with the manifests on disk."""

    def active(self) -> Collection[Known]:
        """Those whose ticks start runs."""
        return [
            known
            for known in self._known.values()
            if known.standing.paused_at is None and not known.standing.is_removed
        ]

    def definition(self, name: PipelineName) -> Definition:
        """What its runs are made of: the last usable one. Raises NotFound where the pipeline is gone, or never was."""
        known = self._known.get(name)
        if known is None or known.standing.is_removed:
            raise NotFound(f"there is no pipeline '{name}' in the project")
        return known.definition

    def max_active(self) -> Mapping[PipelineName, int]:
        return {name: known.pipeline.max_active_runs for name, known in self._known.items()}

    def paused(self) -> Collection[PipelineName]:
        return {name for name, known in self._known.items() if known.standing.paused_at is not None}

    def forget(self) -> None:
        """Read everything anew at the next look."""
        self._known.clear()
        self._edition = self._scanned_at = None

    def moved(self, known: Known, cursor: datetime) -> None:
        """The ticks of a pipeline up to `cursor` have been decided on."""
        standing = replace(known.standing, cursor=cursor)
        self._known[standing.pipeline] = replace(known, standing=standing)

    def reread_standings(self) -> None:
        """What other processes change: pauses, and with a resume the cursor."""
        for name, standing in self._store.standings().items():
            if name in self._known and standing != self._known[name].standing:
                self._known[name] = replace(self._known[name], standing=standing)

    # --- what is on disk -----------------------------------------------------------------------------------------

    def refresh(self, leader: Leader, now: datetime) -> None:
        """Take over what changed on disk. A broken manifest changes nothing but `problems`."""
        if not is_over(RESCAN, self._scanned_at, now):
            return
        edition = self._workspace.edition()
        if self._aside.let_go(now) or self._edition is None or edition != self._edition:
            self._scan(leader, now)
            self._edition = self._workspace.edition()  # it knows more notebooks now
        self._put_back(leader, now)
        self._scanned_at = now

    def _put_back(self, leader: Leader, now: datetime) -> None:
        """Let ticks start runs again that passed for decided on; none of them gets a second run, by its key."""
        for known in list(self._known.values()):
            if known.standing.cursor > now + AHEAD:
                self._store.rewind(leader, known.standing.pipeline, now)
                self.moved(known, now)

    def _scan(self, leader: Leader, now: datetime) -> None:
        definitions = self._workspace.definitions()
        standings = dict(self._store.standings())
        self.problems = tuple(problem for each in definitions for problem in each.problems)
        broken = {each.file: each for each in definitions if each.pipeline is None}
        for each in definitions:
            if each.pipeline is not None:
                before = standings.pop(each.pipeline.name, None)
                see = partial(self._see, leader, each, each.pipeline, before, now)
                self._aside.try_with(each.pipeline.name, now, see, otherwise=None)
        for standing in standings.values():
            found = broken.get(standing.path)
            if found is None and not standing.is_removed and (found := self._workspace.unreachable(standing.path)):
                self.problems += found.problems
            is_its_own = found is not None and (not standing.is_removed or found.name == standing.pipeline)
            hold_on = partial(self._hold_on, leader, standing, found if is_its_own else None, now)
            self._aside.try_with(standing.pipeline, now, hold_on, otherwise=None)

    def _see(
        self, leader: Leader, definition: Definition, pipeline: Pipeline, before: Standing | None, now: datetime
    ) -> None:
        manifest = sha256(definition.text.encode()).hexdigest()
        if before is None:
            standing = Standing(
                pipeline=pipeline.name, first_seen=now, cursor=now, path=definition.file, manifest=manifest
            )
        else:
            goes_on = before.manifest == manifest or self._end_old_times(leader, before, pipeline, now)
            cursor = before.cursor if goes_on and not before.is_removed else now
            standing = replace(before, cursor=cursor, path=definition.file, manifest=manifest, is_removed=False)
        if standing != before:
            self._store.see(leader, standing, (pipeline, definition.text))
        if before is None or before.is_removed:
            _log.info("pipeline %s is there now: %s", pipeline.name, definition.file)
        self._known[pipeline.name] = Known(standing=standing, definition=definition, pipeline=pipeline)

    def _end_old_times(self, leader: Leader, before: Standing, pipeline: Pipeline, now: datetime) -> bool:
        """Whether the schedule is as before. If not, ticks of the old one that nobody decided on show as skipped."""
        good = self._store.last_good(pipeline.name)
        if good is None or timetable.keeps_time(good[0].schedule, pipeline.schedule):
            return good is not None
        is_due = not before.is_removed and before.paused_at is None
        skip = timetable.passed_over(good[0], before.cursor, now, CHANGED) if is_due else None
        if skip is not None:
            told = timetable.notices(good[0], Decided(cursor=now, skips=(skip,)), now)
            try:
                self._store.fire(leader, pipeline.name, cursor=now, skips=[skip], notices=told, now=now)
            except LeaseLost:
                raise
            except Conflict:  # paused in this moment: no tick is due
                return True
        return False

    def _hold_on(self, leader: Leader, before: Standing, broken: Definition | None, now: datetime) -> None:
        """Go by the last good version while the manifest is broken, and start nothing while it is gone.

        A pipeline that was renamed is gone, and does not come back when the manifest of that place is broken.
        """
        cursor = now if before.is_removed and broken else before.cursor
        standing = replace(before, cursor=cursor, is_removed=broken is None)
        if standing != before:
            self._store.see(leader, standing, None)
        if standing.is_removed and not before.is_removed:
            _log.warning(
                "pipeline %s starts no more runs: %s is gone, or has another name", before.pipeline, before.path
            )
        if good := self._store.last_good(before.pipeline):
            path = broken.path if broken else Path(before.path)
            definition = Definition(path=path, pipeline=good[0], text=good[1], file=before.path)
            self._known[before.pipeline] = Known(standing=standing, definition=definition, pipeline=good[0])
