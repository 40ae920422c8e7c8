"""What is read of runs, attempts and changes. Never writes, and never waits for a writer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import func, select

from nbflow.codec import from_json
from nbflow.errors import NotFound
from nbflow.model import Pipeline, PipelineName, RunId, TaskKey, TaskName
from nbflow.ports import StoredRun
from nbflow.run import Attempt, Change
from nbflow.states import AttemptState
from nbflow.stores.database import Database
from nbflow.stores.listing import NEWEST_FIRST, SqlListing
from nbflow.stores.rows import attempt_of, change_of, key_of, lease_of, run_of, task_of
from nbflow.stores.schema import LIVE, attempts, changes, frozen_pipelines, manifests, runs, task_runs

SAMPLES = 20
RECENT_RUNS = 100
"""How far back `durations` looks: what a task took long ago is not what it usually takes, and a long history must
not make every view slow."""


class SqlHistory(SqlListing):
    """The reading side of a store (ports.ReadStore)."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        pipeline = _pipeline(row["document"])
        in_order = {key: tasks[key] for key in _in_order(tasks, pipeline)}
        return StoredRun(run=run_of(row), pipeline=pipeline, tasks=in_order, lease=lease_of(row))

    def attempts(self, run: RunId) -> Mapping[TaskKey, Sequence[Attempt]]:
        of_run = select(attempts).where(attempts.c.run == run)
        found: dict[TaskKey, list[Attempt]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(
                of_run.order_by(attempts.c.task, attempts.c.item, attempts.c.number)
            ).mappings():
                found[key_of(row)].append(attempt_of(row))
        return dict(found)

    def durations(self, pipeline: PipelineName) -> Mapping[TaskName, Sequence[float]]:
        recent = select(runs.c.id).where(runs.c.pipeline == pipeline).order_by(*NEWEST_FIRST).limit(RECENT_RUNS)
        latest = func.row_number().over(partition_by=attempts.c.task, order_by=attempts.c.ended_at.desc())
        ranked = (
            select(attempts.c.task, attempts.c.started_at, attempts.c.ended_at, latest.label("rank"))
            .where(attempts.c.run.in_(recent.scalar_subquery()), attempts.c.state == AttemptState.SUCCESS)
            .where(attempts.c.started_at <= attempts.c.ended_at)  # not so where the clock was set back meanwhile
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

    def newest_change(self, run: RunId) -> Change | None:
        query = select(changes).where(changes.c.run == run).order_by(changes.c.seq.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else change_of(row)

    def latest_change(self) -> int:
        with self._database.read() as connection:
            return connection.scalar(select(func.max(changes.c.seq))) or 0

    def manifest_text(self, sha256: str) -> str:
        with self._database.read() as connection:
            found = connection.scalar(select(manifests.c.text).where(manifests.c.sha256 == sha256))
        if found is None:
            raise NotFound(f"there is no manifest '{sha256}'")
        return str(found)


@lru_cache(maxsize=64)  # every look at a run reads the same frozen pipeline
def _pipeline(document: str) -> Pipeline:
    return from_json(Pipeline, json.loads(document))


def _in_order(keys: Mapping[TaskKey, object], pipeline: Pipeline) -> list[TaskKey]:
    """As the manifest has them, items by their index."""
    position = {name: at for at, name in enumerate(pipeline.tasks)}
    return sorted(keys, key=lambda key: (position[key.task], -1 if key.item is None else key.item))
