"""What starts runs by itself: the scheduler, pauses, skipped ticks, backfills (semantics §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from nbflow import backfill as backfills
from nbflow import timetable
from nbflow.api.bound import Bound
from nbflow.api.definitions import usable
from nbflow.api.roles import Role, needs
from nbflow.api.views import BackfillPreview, BackfillView, SchedulerView
from nbflow.backfill import Backfill, BackfillItem, BackfillState, Reprocess
from nbflow.errors import InvalidInput, NotFound
from nbflow.model import Pipeline, PipelineName
from nbflow.ports import silence
from nbflow.run import CancelRequested, Request
from nbflow.text import did_you_mean
from nbflow.timetable import Skip, Standing


class Schedules(Bound):
    """Reads and commands about schedules."""

    @needs(Role.VIEWER)
    def scheduler(self) -> SchedulerView | None:
        """Who leads, or led last; None where no scheduler ever ran or the last one ended in order."""
        leader = self._store.leader()
        if leader is None:
            return None
        now = self._store.now(self._clock.now())
        return SchedulerView(
            engine=leader.engine,
            expires=leader.expires,
            is_alive=self._owners.is_alive(leader, now),
            silence=silence(leader, now),
        )

    @needs(Role.VIEWER)
    def standings(self) -> Mapping[PipelineName, Standing]:
        """Every pipeline that a scheduler has seen, removed ones too."""
        return self._store.standings() if self._is_begun() else {}

    @needs(Role.VIEWER)
    def skips(self, pipeline: str | None = None, *, limit: int = 50) -> Sequence[Skip]:
        """Ticks that started no run, newest first, with the reason."""
        return self._store.skips(PipelineName(pipeline) if pipeline else None, limit=limit)

    # --- pausing -----------------------------------------------------------------------------------------------

    @needs(Role.OPERATOR)
    def pause(self, pipeline: str, *, note: str = "") -> None:
        """Stop new scheduled runs; running ones finish, manual ones are allowed."""
        standing = self._standing(pipeline)
        self._store.pause(standing.pipeline, by=self.caller.name, note=note, now=self._clock.now())

    @needs(Role.OPERATOR)
    def resume(self, pipeline: str, *, note: str = "") -> Skip | None:
        """Let scheduled runs start again; returns the ticks that passed meanwhile, which start no run."""
        standing, now = self._standing(pipeline), self._clock.now()
        good = self._store.last_good(standing.pipeline)
        skip = timetable.passed_over(good[0], standing.cursor, now, timetable.PAUSED) if good else None
        self._store.resume(standing.pipeline, by=self.caller.name, note=note, now=now, skip=skip)
        return skip

    def _standing(self, name: str) -> Standing:
        known = self._store.standings()
        if PipelineName(name) not in known:
            hint = did_you_mean(name, known) or "A pipeline is known from the moment a scheduler has seen it."
            raise NotFound(f"no scheduler has seen a pipeline '{name}'", hint=hint)
        return known[PipelineName(name)]

    # --- backfills ---------------------------------------------------------------------------------------------

    @needs(Role.OPERATOR)
    def preview_backfill(
        self, pipeline: str, *, start: date, end: date, is_reverse: bool = False, reprocess: Reprocess = "none"
    ) -> BackfillPreview:
        """What `backfill` would create, reset or pass over. Raises what it would raise."""
        asked, items = self._ask(pipeline, start, end, is_reverse=is_reverse, reprocess=reprocess)
        runs = self._store.runs_of_keys(asked.pipeline, [item.run_key for item in items])
        decided = []
        for item in items:
            run = runs.get(item.run_key)
            action, reason = backfills.action(reprocess, run)
            decided.append(
                BackfillItem(
                    position=item.position,
                    logical_date=item.logical_date,
                    run_date=item.run_date,
                    action=action,
                    run=run.id if run else None,
                    reason=reason,
                )
            )
        return BackfillPreview(backfill=asked, items=tuple(decided))

    @needs(Role.OPERATOR)
    def backfill(
        self,
        pipeline: str,
        *,
        start: date,
        end: date,
        is_reverse: bool = False,
        max_active: int = 1,
        reprocess: Reprocess = "none",
        note: str = "",
    ) -> Backfill:
        """Runs for the ticks on the local dates `start` to `end`, both included; the scheduler begins them in order.

        Raises Conflict while an active backfill of the pipeline has some of these dates.
        """
        asked, items = self._ask(
            pipeline, start, end, is_reverse=is_reverse, max_active=max_active, reprocess=reprocess, note=note
        )
        return self._store.add_backfill(asked, items)

    @needs(Role.VIEWER)
    def backfills(self, *, only_active: bool = False) -> Sequence[BackfillView]:
        """Newest first."""
        return [self._view_backfill(each) for each in self._store.backfills(only_active=only_active)]

    @needs(Role.VIEWER)
    def backfill_status(self, number: int) -> BackfillView:
        return self._view_backfill(self._store.backfill(number))

    @needs(Role.OPERATOR)
    def pause_backfill(self, number: int, *, note: str = "") -> Backfill:
        """Begin no further tick; runs under way go on."""
        return self._set(number, BackfillState.PAUSED, note)

    @needs(Role.OPERATOR)
    def resume_backfill(self, number: int, *, note: str = "") -> Backfill:
        """Go on with the ticks that wait."""
        return self._set(number, BackfillState.RUNNING, note)

    @needs(Role.OPERATOR)
    def cancel_backfill(self, number: int, *, note: str = "") -> Backfill:
        """Begin no further tick, and cancel the runs of it that have not ended."""
        request = CancelRequested(by=self.caller.name, note=note or f"backfill {number} was cancelled")
        return self._set(number, BackfillState.CANCELLED, note, request)

    def _set(self, number: int, state: BackfillState, note: str, request: Request | None = None) -> Backfill:
        now = self._clock.now()
        return self._store.set_backfill(number, state, by=self.caller.name, note=note, now=now, request=request)

    def _view_backfill(self, backfill: Backfill) -> BackfillView:
        return BackfillView(backfill=backfill, progress=self._store.backfill_progress(backfill.id))

    def _ask(
        self,
        name: str,
        start: date,
        end: date,
        *,
        is_reverse: bool,
        reprocess: Reprocess,
        max_active: int = 1,
        note: str = "",
    ) -> tuple[Backfill, tuple[BackfillItem, ...]]:
        if max_active < 1:
            raise InvalidInput("a backfill needs room for at least one run", where="max_active")
        pipeline: Pipeline = usable(self._workspace.load(name))
        now = self._clock.now()
        asked = Backfill(
            pipeline=pipeline.name,
            start=start,
            end=end,
            is_reverse=is_reverse,
            max_active=max_active,
            reprocess=reprocess,
            created_at=now,
            created_by=self.caller.name,
            note=note or None,
        )
        return asked, backfills.items(pipeline, asked, now)
