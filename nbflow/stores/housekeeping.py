"""What is removed from a database (ports.HousekeepingStore)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, Select, Table, cast, delete, func, insert, select, update

from nbflow.backfill import BackfillState
from nbflow.model import PipelineName, RunId
from nbflow.notice import INCIDENT
from nbflow.ports.housekeeping import Leftover
from nbflow.retention import Finished
from nbflow.stores.base import SqlSide
from nbflow.stores.schema import (
    UNFINISHED,
    UNSENT,
    attempts,
    backfill_items,
    backfills,
    changes,
    frozen_pipelines,
    leftovers,
    manifests,
    outbox,
    pipelines,
    requests,
    runs,
    task_runs,
)

_ACTIVE = [state for state in BackfillState if state.is_active]


class SqlHousekeeping(SqlSide):
    """The side of a store that forgets."""

    def pipelines_with_runs(self) -> Sequence[PipelineName]:
        with self._database.read() as connection:
            return connection.scalars(select(runs.c.pipeline).distinct().order_by(runs.c.pipeline)).all()

    def finished(self, pipeline: PipelineName) -> Sequence[Finished]:
        query = select(runs.c.id, runs.c.state, runs.c.ended_at, runs.c.created_at).where(
            runs.c.pipeline == pipeline, ~UNFINISHED
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(runs.c.created_at.desc(), runs.c.id.desc())).all()
        return [Finished(row.id, row.state, row.ended_at or row.created_at) for row in rows]

    def remove_runs(self, given: Sequence[RunId]) -> Sequence[RunId]:
        with self._database.write() as connection:
            rows = connection.execute(_removable(given)).all()
            gone = [RunId(row.id) for row in rows]
            if gone:
                connection.execute(insert(leftovers), [{"run": row.id, "pipeline": row.pipeline} for row in rows])
                asked = select(requests.c.id).where(requests.c.run.in_(gone))
                connection.execute(
                    update(backfill_items)
                    .where(backfill_items.c.run.in_(gone) | backfill_items.c.request.in_(asked))
                    .values(run=None, request=None)
                )
                for table in (changes, requests, attempts, task_runs):
                    connection.execute(delete(table).where(table.c.run.in_(gone)))
                connection.execute(delete(runs).where(runs.c.id.in_(gone)))
        return gone

    def leftovers(self) -> Sequence[Leftover]:
        with self._database.read() as connection:
            rows = connection.execute(select(leftovers).order_by(leftovers.c.run)).all()
        return [Leftover(RunId(row.run), PipelineName(row.pipeline)) for row in rows]

    def forget(self, given: Sequence[RunId]) -> None:
        with self._database.write() as connection:
            connection.execute(delete(leftovers).where(leftovers.c.run.in_(given)))

    def remove_unused_texts(self) -> int:
        with self._database.write() as connection:
            _remove_unused(connection, frozen_pipelines, "frozen_pipeline")
            return _remove_unused(connection, manifests, "manifest")

    def notebooks_in_use(self) -> Collection[str]:
        ran = select(attempts.c.notebook).distinct()
        with self._database.read() as connection:
            frozen = task_runs.c.notebook
            is_sqlite = connection.dialect.name == "sqlite"
            sha256 = func.json_extract(frozen, "$.sha256") if is_sqlite else cast(frozen, JSON)["sha256"].as_string()
            return {*connection.scalars(ran), *connection.scalars(select(sha256).distinct())}

    def remove_messages(self, before: datetime) -> int:
        told = select(func.max(outbox.c.seq)).where(outbox.c.kind.in_(INCIDENT)).group_by(outbox.c.pipeline)
        old = delete(outbox).where(~UNSENT, outbox.c.ended_at < before, outbox.c.seq.not_in(told))
        with self._database.write() as connection:
            return connection.execute(old).rowcount


def _removable(given: Sequence[RunId]) -> Select[Any]:
    asked = select(requests.c.run).where(requests.c.run.in_(given), requests.c.answer.is_(None))
    backfilled = (
        select(backfill_items.c.run)
        .join(backfills, backfills.c.id == backfill_items.c.backfill)
        .where(backfill_items.c.run.in_(given), backfills.c.state.in_(_ACTIVE))
    )
    return (
        select(runs.c.id, runs.c.pipeline)
        .where(runs.c.id.in_(given), ~UNFINISHED)
        .where(runs.c.id.not_in(asked), runs.c.id.not_in(backfilled))
        .order_by(runs.c.id)
    )


def _remove_unused(connection: Connection, table: Table, column: str) -> int:
    in_runs = select(runs.c[column]).where(runs.c[column] == table.c.sha256).exists()
    in_pipelines = select(pipelines.c[column]).where(pipelines.c[column] == table.c.sha256).exists()
    return connection.execute(delete(table).where(~in_runs, ~in_pipelines)).rowcount
