"""Pipelines as they stand, the runs that their ticks start, and the ticks that start none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from nbflow.errors import Conflict, NotFound
from nbflow.model import Pipeline, PipelineName, RunId
from nbflow.notice import Notice
from nbflow.ports import Leader, NewRun, changelog
from nbflow.run import Request, Run
from nbflow.testing.dict_store.leaders import Leaders
from nbflow.testing.dict_store.runs import Runs
from nbflow.timetable import Skip, Standing


class Schedules(Leaders, Runs):
    def standings(self) -> Mapping[PipelineName, Standing]:
        return dict(sorted(self._standings.items()))

    def see(self, leader: Leader, standing: Standing, frozen: tuple[Pipeline, str] | None) -> None:
        self._require(leader)
        name = standing.pipeline
        kept = self._standings.get(name, replace(standing, manifest="", paused_at=None, paused_by=None, note=None))
        self._standings[name] = replace(
            standing,
            cursor=max(standing.cursor, kept.cursor),
            manifest=standing.manifest if frozen else kept.manifest,
            paused_at=kept.paused_at,
            paused_by=kept.paused_by,
            note=kept.note,
        )
        if frozen:
            self._last_good[name] = frozen
            self._texts.setdefault(standing.manifest, frozen[1])

    def rewind(self, leader: Leader, pipeline: PipelineName, cursor: datetime) -> None:
        self._require(leader)
        self._standings[pipeline] = replace(self._seen(pipeline), cursor=cursor)

    def last_good(self, pipeline: PipelineName) -> tuple[Pipeline, str] | None:
        return self._last_good.get(pipeline)

    def fire(
        self,
        leader: Leader,
        pipeline: PipelineName,
        *,
        cursor: datetime,
        runs: Sequence[NewRun] = (),
        skips: Sequence[Skip] = (),
        requests: Sequence[tuple[RunId, Request]] = (),
        notices: Sequence[Notice] = (),
        now: datetime,
    ) -> Sequence[RunId]:
        self._require(leader)
        standing = self._seen(pipeline)
        if standing.paused_at is not None:
            raise Conflict(f"pipeline '{pipeline}' is paused")
        with self._whole():
            created = [new.run.id for new in runs if self.add_run(new.run, new.tasks, new.frozen, None)]
            self._keep_skips(skips)
            for run, request in requests:
                self.ask(run, request, now=now)
            self._keep_notices(notices)
        self._standings[pipeline] = replace(standing, cursor=max(cursor, standing.cursor))
        return created

    def skips(self, pipeline: PipelineName | None = None, *, limit: int = 50) -> Sequence[Skip]:
        return [skip for skip in reversed(self._skips) if pipeline in {None, skip.pipeline}][:limit]

    def pause(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        standing = self._seen(pipeline)
        if standing.paused_at is not None:
            raise Conflict(f"pipeline '{pipeline}' is paused already")
        self._standings[pipeline] = replace(standing, paused_at=now, paused_by=by or None, note=note or None)
        self._log([changelog.paused(pipeline, by=by, note=note, now=now)])

    def log_save(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        self._log([changelog.saved(pipeline, by=by, note=note, now=now)])

    def resume(self, pipeline: PipelineName, *, by: str, note: str, now: datetime, skip: Skip | None) -> None:
        standing = self._seen(pipeline)
        if standing.paused_at is None:
            raise Conflict(f"pipeline '{pipeline}' is not paused")
        self._standings[pipeline] = replace(
            standing, paused_at=None, paused_by=None, note=None, cursor=max(now, standing.cursor)
        )
        self._log([changelog.resumed(pipeline, by=by, note=note, now=now)])
        self._keep_skips([skip] if skip else [])

    def runs_of_keys(self, pipeline: PipelineName, run_keys: Sequence[str]) -> Mapping[str, Run]:
        kept = [key for key in run_keys if (pipeline, key) in self._keys]
        return {key: self._records[self._keys[pipeline, key]].run for key in kept}

    def unfinished(self) -> Sequence[Run]:
        runs = (record.run for record in self._active_records() if not record.run.state.is_terminal)
        return sorted(runs, key=lambda run: (run.created_at, run.logical_date, run.id))

    def handed_over(self) -> Set[RunId]:
        return {record.run.id for record in self._active_records() if record.live()}

    def asked_ownerless(self) -> Sequence[RunId]:
        asked = dict.fromkeys(self._requests[number].run for number in self._open)
        return [run for run in asked if self._records[run].lease is None or self._records[run].run.state.is_terminal]

    def _seen(self, pipeline: PipelineName) -> Standing:
        if pipeline not in self._standings:
            raise NotFound(f"no scheduler has seen pipeline '{pipeline}' yet")
        return self._standings[pipeline]

    def _keep_skips(self, skips: Sequence[Skip]) -> None:
        self._skips += skips
        self._log(changelog.skipped(skip) for skip in skips)
