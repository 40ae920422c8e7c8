"""Pipelines as they stand, the runs that their ticks start, and the ticks that start none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from nbflow.codec import from_json
from nbflow.errors import Conflict, NotFound
from nbflow.model import Pipeline, PipelineName, RunId
from nbflow.notice import Notice
from nbflow.ports import Leader, NewRun, changelog
from nbflow.run import Request, Run
from nbflow.stores.leaders import SqlLeaders, require_leader
from nbflow.stores.outbox import keep_notices
from nbflow.stores.rows import run_of, skip_of, skip_row, standing_of, standing_values
from nbflow.stores.schema import (
    LIVE,
    UNFINISHED,
    attempts,
    frozen_pipelines,
    manifests,
    pipelines,
    requests,
    runs,
    skips,
)
from nbflow.stores.steps import create_run, keep_manifest, leave_request, log
from nbflow.timetable import Skip, Standing

KEYS_AT_ONCE = 1000
"""Databases limit how many values one query may name."""


class SqlSchedules(SqlLeaders):
    """The scheduler's side of a store (ports.ScheduleStore), but for its backfills."""

    # --- standings ---------------------------------------------------------------------------------------------

    def standings(self) -> Mapping[PipelineName, Standing]:
        with self._database.read() as connection:
            rows = connection.execute(select(pipelines).order_by(pipelines.c.pipeline)).mappings()
            return {row["pipeline"]: standing_of(row) for row in rows}

    def see(self, leader: Leader, standing: Standing, frozen: tuple[Pipeline, str] | None) -> None:
        values = standing_values(standing)
        with self._database.write() as connection:
            require_leader(connection, leader)
            if frozen is not None:
                values["manifest"] = standing.manifest
                values["frozen_pipeline"] = keep_manifest(connection, *frozen, standing.manifest)
            row = _row(connection, standing.pipeline)
            if row is None:
                connection.execute(insert(pipelines).values(pipeline=standing.pipeline, **values))
            else:
                _set(connection, standing.pipeline, {**values, "cursor": max(standing.cursor, row["cursor"])})

    def rewind(self, leader: Leader, pipeline: PipelineName, cursor: datetime) -> None:
        with self._database.write() as connection:
            require_leader(connection, leader)
            _seen(connection, pipeline)
            _set(connection, pipeline, {"cursor": cursor})

    def last_good(self, pipeline: PipelineName) -> tuple[Pipeline, str] | None:
        query = (
            select(frozen_pipelines.c.document, manifests.c.text)
            .select_from(pipelines.join(frozen_pipelines).join(manifests, manifests.c.sha256 == pipelines.c.manifest))
            .where(pipelines.c.pipeline == pipeline)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else (from_json(Pipeline, json.loads(row.document)), row.text)

    # --- ticks -------------------------------------------------------------------------------------------------

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
        with self._database.write() as connection:
            require_leader(connection, leader)
            row = _seen(connection, pipeline)
            if row["paused_at"] is not None:
                raise Conflict(f"pipeline '{pipeline}' is paused")
            _set(connection, pipeline, {"cursor": max(cursor, row["cursor"])})
            created = [new.run.id for new in runs if create_run(connection, new.run, new.tasks, new.frozen, None)]
            _keep_skips(connection, skips)
            for run, request in requests:
                leave_request(connection, run, request, now)
            keep_notices(connection, notices)
        return created

    def skips(self, pipeline: PipelineName | None = None, *, limit: int = 50) -> Sequence[Skip]:
        query = select(skips).order_by(skips.c.id.desc()).limit(limit)
        if pipeline is not None:
            query = query.where(skips.c.pipeline == pipeline)
        with self._database.read() as connection:
            return [skip_of(row) for row in connection.execute(query).mappings()]

    # --- pausing -----------------------------------------------------------------------------------------------

    def pause(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        with self._database.write() as connection:
            if _seen(connection, pipeline)["paused_at"] is not None:
                raise Conflict(f"pipeline '{pipeline}' is paused already")
            _set(connection, pipeline, {"paused_at": now, "paused_by": by or None, "note": note or None})
            log(connection, [changelog.paused(pipeline, by=by, note=note, now=now)])

    def log_save(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        with self._database.write() as connection:
            log(connection, [changelog.saved(pipeline, by=by, note=note, now=now)])

    def resume(self, pipeline: PipelineName, *, by: str, note: str, now: datetime, skip: Skip | None) -> None:
        with self._database.write() as connection:
            row = _seen(connection, pipeline)
            if row["paused_at"] is None:
                raise Conflict(f"pipeline '{pipeline}' is not paused")
            unpaused = {"paused_at": None, "paused_by": None, "note": None}
            _set(connection, pipeline, {**unpaused, "cursor": max(now, row["cursor"])})
            log(connection, [changelog.resumed(pipeline, by=by, note=note, now=now)])
            _keep_skips(connection, [skip] if skip else [])

    # --- what is left to do ------------------------------------------------------------------------------------

    def runs_of_keys(self, pipeline: PipelineName, run_keys: Sequence[str]) -> Mapping[str, Run]:
        of_pipeline = select(runs).where(runs.c.pipeline == pipeline)
        found: dict[str, Run] = {}
        with self._database.read() as connection:
            for at in range(0, len(run_keys), KEYS_AT_ONCE):
                some = of_pipeline.where(runs.c.run_key.in_(run_keys[at : at + KEYS_AT_ONCE]))
                found |= {row["run_key"]: run_of(row) for row in connection.execute(some).mappings()}
        return found

    def unfinished(self) -> Sequence[Run]:
        query = select(runs).where(UNFINISHED).order_by(runs.c.created_at, runs.c.logical_date, runs.c.id)
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query).mappings()]

    def handed_over(self) -> Set[RunId]:
        with self._database.read() as connection:
            return set(connection.scalars(select(attempts.c.run).where(LIVE).distinct()))

    def asked_ownerless(self) -> Sequence[RunId]:
        is_free = runs.c.owner.is_(None) | ~UNFINISHED
        unanswered = select(requests.c.run).join(runs).where(requests.c.answer.is_(None), is_free)
        query = unanswered.group_by(requests.c.run).order_by(func.min(requests.c.id))
        with self._database.read() as connection:
            return connection.scalars(query).all()


def _row(connection: Connection, pipeline: PipelineName) -> RowMapping | None:
    return connection.execute(select(pipelines).where(pipelines.c.pipeline == pipeline)).mappings().first()


def _seen(connection: Connection, pipeline: PipelineName) -> RowMapping:
    row = _row(connection, pipeline)
    if row is None:
        raise NotFound(f"no scheduler has seen pipeline '{pipeline}' yet")
    return row


def _set(connection: Connection, pipeline: PipelineName, values: Mapping[str, Any]) -> None:
    connection.execute(update(pipelines).where(pipelines.c.pipeline == pipeline).values(values))


def _keep_skips(connection: Connection, given: Sequence[Skip]) -> None:
    if given:
        connection.execute(insert(skips), [skip_row(skip) for skip in given])
        log(connection, [changelog.skipped(skip) for skip in given])
