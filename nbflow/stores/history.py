"""Everything that is only read: runs, attempts, changes. Never writes, and never waits for a writer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from nbflow import run_ref
from nbflow.codec import from_json
from nbflow.errors import NotFound
from nbflow.model import Pipeline, PipelineName, RunId, TaskKey, TaskName
from nbflow.ports import StoredRun
from nbflow.run import Attempt, Change, Run
from nbflow.states import AttemptState, RunState
from nbflow.stores.database import Database
from nbflow.stores.rows import attempt_of, change_of, key_of, run_of, task_of
from nbflow.stores.schema import LIVE, UNFINISHED, attempts, changes, frozen_pipelines, manifests, runs, task_runs

NEWEST_FIRST = (runs.c.created_at.desc(), runs.c.id.desc())

SAMPLES = 20
RECENT_RUNS = 100
"""How far back `durations` looks: what a task took long ago is not what it usually takes, and a long history must
not make every view slow."""


class SqlHistory:
    """The reading side of a store (ports.ReadStore)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_run(self, ref: str) -> RunId:
        wants_latest, pipeline = run_ref.latest_of(ref)
        with self._database.read() as connection:
            if wants_latest:
                return _latest(connection, pipeline)
            exact = connection.scalar(select(runs.c.id).where(runs.c.id == ref))
            return RunId(exact) if exact else run_ref.the_one(ref, _beginning(connection, ref), _newest(connection))

    def load(self, run: RunId) -> StoredRun:
        with self._database.read() as connection:
            query = select(runs, frozen_pipelines.c.document).join(frozen_pipelines).where(runs.c.id == run)
            row = connection.execute(query).mappings().first()
            if row is None:
                raise NotFound(f"there is no run '{run}'")
            live_rows = connection.execute(select(attempts).where(attempts.c.run == run, LIVE)).mappings()
            live = {attempt.key: attempt for attempt in map(attempt_of, live_rows)}
            task_rows = connection.execute(select(task_runs).where(task_runs.c.run == run)).mappings()
            tasks = {key_of(each): task_of(each, live) for each in task_rows}
        pipeline = from_json(Pipeline, json.loads(row["document"]))
        return StoredRun(
            run=run_of(row), pipeline=pipeline, tasks={key: tasks[key] for key in _in_order(tasks, pipeline)}
        )

    def attempts(self, run: RunId) -> Mapping[TaskKey, Sequence[Attempt]]:
        of_run = select(attempts).where(attempts.c.run == run)
        found: dict[TaskKey, list[Attempt]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(
                of_run.order_by(attempts.c.task, attempts.c.item, attempts.c.number)
            ).mappings():
                found[key_of(row)].append(attempt_of(row))
        return dict(found)

    def list_runs(
        self, *, pipeline: PipelineName | None = None, state: RunState | None = None, limit: int = 50
    ) -> Sequence[Run]:
        query = select(runs).order_by(*NEWEST_FIRST).limit(limit)
        if pipeline is not None:
            query = query.where(runs.c.pipeline == pipeline)
        if state is not None:
            query = query.where(runs.c.state == state)
            query = query if state.is_terminal else query.where(UNFINISHED)  # has an index of its own
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query).mappings()]

    def run_of_key(self, pipeline: PipelineName, run_key: str) -> RunId:
        query = select(runs.c.id).where(runs.c.pipeline == pipeline, runs.c.run_key == run_key)
        with self._database.read() as connection:
            found = connection.scalar(query)
        if found is None:
            raise NotFound(f"pipeline '{pipeline}' has no run of key '{run_key}'")
        return RunId(found)

    def durations(self, pipeline: PipelineName) -> Mapping[TaskName, Sequence[float]]:
        recent = select(runs.c.id).where(runs.c.pipeline == pipeline).order_by(*NEWEST_FIRST).limit(RECENT_RUNS)
        latest = func.row_number().over(partition_by=attempts.c.task, order_by=attempts.c.ended_at.desc())
        ranked = (
            select(attempts.c.task, attempts.c.started_at, attempts.c.ended_at, latest.label("rank"))
            .where(attempts.c.run.in_(recent.scalar_subquery()), attempts.c.state == AttemptState.SUCCESS)
            .where(attempts.c.started_at.is_not(None), attempts.c.ended_at.is_not(None))
            .subquery()
        )
        found: dict[TaskName, list[float]] = defaultdict(list)
        with self._database.read() as connection:
            newest_first = select(ranked).where(ranked.c.rank <= SAMPLES).order_by(ranked.c.task, ranked.c.rank)
            for row in connection.execute(newest_first):
                found[row.task].append((row.ended_at - row.started_at).total_seconds())
        return dict(found)

    def changes(self, after: int, *, run: RunId | None = None, limit: int = 1000) -> Sequence[Change]:
        query = select(changes).where(changes.c.seq > after).order_by(changes.c.seq).limit(limit)
        if run is not None:
            query = query.where(changes.c.run == run)
        with self._database.read() as connection:
            return [change_of(row) for row in connection.execute(query).mappings()]

    def latest_change(self) -> int:
        with self._database.read() as connection:
            return connection.scalar(select(func.max(changes.c.seq))) or 0

    def manifest_text(self, sha256: str) -> str:
        with self._database.read() as connection:
            found = connection.scalar(select(manifests.c.text).where(manifests.c.sha256 == sha256))
        if found is None:
            raise NotFound(f"there is no manifest '{sha256}'")
        return str(found)


def _in_order(keys: Mapping[TaskKey, object], pipeline: Pipeline) -> list[TaskKey]:
    """As the manifest has them, items by their index."""
    position = {name: at for at, name in enumerate(pipeline.tasks)}
    return sorted(keys, key=lambda key: (position[key.task], -1 if key.item is None else key.item))


def _latest(connection: Connection, pipeline: PipelineName | None) -> RunId:
    query = select(runs.c.id).order_by(*NEWEST_FIRST).limit(1)
    found = connection.scalar(query if pipeline is None else query.where(runs.c.pipeline == pipeline))
    if found is None:
        known = connection.scalars(select(runs.c.pipeline).distinct()).all()
        raise run_ref.no_latest(pipeline, known)
    return RunId(found)


def _newest(connection: Connection) -> Sequence[RunId]:
    return connection.scalars(select(runs.c.id).order_by(*NEWEST_FIRST).limit(run_ref.CANDIDATES)).all()


def _beginning(connection: Connection, ref: str) -> Sequence[RunId]:
    """The last runs whose ids begin with `ref`: a range of the primary key, not a search through all."""
    in_range = select(runs.c.id).where(runs.c.id >= ref, runs.c.id < f"{ref}\U0010ffff")
    return connection.scalars(in_range.order_by(runs.c.id.desc()).limit(run_ref.CANDIDATES)).all()
