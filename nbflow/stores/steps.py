"""What several verbs do inside their transactions: create a run, leave a request, add to the change log."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, insert, select

from nbflow.errors import NotFound
from nbflow.model import Pipeline, PipelineName, RunId
from nbflow.ports import FrozenPipeline, Lease, changelog
from nbflow.run import Change, Request, Run, TaskRun
from nbflow.stores.columns import dump_json
from nbflow.stores.rows import change_row, run_row, task_row
from nbflow.stores.schema import changes, frozen_pipelines, manifests, requests, runs, task_runs


def create_run(
    connection: Connection, run: Run, tasks: Sequence[TaskRun], frozen: FrozenPipeline, lease: Lease | None
) -> bool:
    """False if its pipeline has a run of that key already."""
    if _has_key(connection, run.pipeline, run.run_key):
        return False
    document = keep_manifest(connection, frozen.pipeline, frozen.text, frozen.sha256)
    connection.execute(insert(runs), {**run_row(run), "frozen_pipeline": document, **_lease_row(lease)})
    if tasks:
        connection.execute(insert(task_runs), [_new_task_row(run.id, task, frozen.pipeline) for task in tasks])
    log(connection, [changelog.created(run)])
    return True


def keep_manifest(connection: Connection, pipeline: Pipeline, text: str, sha256: str) -> str:
    """Keep each text once, whatever the number of runs; returns the hash of the pipeline's document."""
    document = dump_json(pipeline, Pipeline)
    of_document = hashlib.sha256(document.encode()).hexdigest()
    _keep(connection, manifests, sha256=sha256, text=text)
    _keep(connection, frozen_pipelines, sha256=of_document, document=document)
    return of_document


def leave_request(connection: Connection, run: RunId, request: Request, now: datetime) -> int:
    """Raises NotFound for an unknown run."""
    read_run(connection, run)
    left = insert(requests).values(run=run, at=now, request=request).returning(requests.c.id)
    return int(connection.execute(left).scalar_one())


def log(connection: Connection, made: Sequence[Change]) -> None:
    if made:
        connection.execute(insert(changes), [change_row(change) for change in made])


def read_run(connection: Connection, run: RunId) -> RowMapping:
    row = connection.execute(select(runs).where(runs.c.id == run)).mappings().first()
    if row is None:
        raise NotFound(f"there is no run '{run}'")
    return row


def _has_key(connection: Connection, pipeline: PipelineName, run_key: str) -> bool:
    query = select(runs.c.id).where(runs.c.pipeline == pipeline, runs.c.run_key == run_key)
    return connection.scalar(query) is not None


def _keep(connection: Connection, table: Table, *, sha256: str, **text: str) -> None:
    if connection.scalar(select(table.c.sha256).where(table.c.sha256 == sha256)) is None:
        connection.execute(insert(table).values(sha256=sha256, **text))


def _new_task_row(run: RunId, task: TaskRun, pipeline: Pipeline) -> dict[str, Any]:
    declared = pipeline.tasks[task.key.task]
    return {**task_row(run, task), "pool": declared.pool, "pool_slots": declared.pool_slots}


def _lease_row(lease: Lease | None) -> dict[str, Any]:
    if lease is None:
        return {"owner": None, "epoch": 0, "lease_expires": None}
    return {"owner": lease.engine, "epoch": lease.epoch, "lease_expires": lease.expires}
