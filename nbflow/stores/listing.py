"""Which runs there are: found, listed, counted, with indexes that make it fast whatever the length of the history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, func, literal, or_, select, tuple_

from nbflow import run_ref
from nbflow.errors import NotFound
from nbflow.model import PipelineName, RunId
from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.stores.base import SqlSide
from nbflow.stores.columns import Instant, storable
from nbflow.stores.rows import run_of
from nbflow.stores.schema import runs
from nbflow.stores.steps import read_run
from nbflow.text import fold

NEWEST_FIRST = (runs.c.created_at.desc(), runs.c.id.desc())
SEARCHED = (runs.c.id, runs.c.pipeline, runs.c.run_key, runs.c.created_by)
DAWN = datetime(1, 1, 1, tzinfo=UTC)


class SqlListing(SqlSide):
    """The lists of a store (ports.ReadStore)."""

    def find_run(self, ref: str) -> RunId:
        wants_latest, pipeline = run_ref.latest_of(ref)
        with self._database.read() as connection:
            if wants_latest:
                return _latest(connection, pipeline)
            exact = connection.scalar(select(runs.c.id).where(runs.c.id == ref))
            return RunId(exact) if exact else run_ref.the_one(ref, _beginning(connection, ref), _newest(connection))

    def run_of_key(self, pipeline: PipelineName, run_key: str) -> RunId:
        query = select(runs.c.id).where(runs.c.pipeline == pipeline, runs.c.run_key == run_key)
        with self._database.read() as connection:
            found = connection.scalar(query)
        if found is None:
            raise NotFound(f"pipeline '{pipeline}' has no run of key '{run_key}'")
        return RunId(found)

    def list_runs(
        self,
        *,
        pipeline: PipelineName | None = None,
        state: RunState | None = None,
        kind: RunKind | None = None,
        text: str = "",
        before: RunId | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        query = select(runs).where(*_conditions(pipeline, state, kind, text)).order_by(*NEWEST_FIRST).limit(limit)
        with self._database.read() as connection:
            if before is not None:
                query = query.where(_is_behind(connection, before))
            return [run_of(row) for row in connection.execute(query).mappings()]

    def count_runs(self, pipeline: PipelineName | None = None) -> Mapping[RunState, int]:
        query = select(runs.c.state, func.count().label("runs")).group_by(runs.c.state)
        if pipeline is not None:
            query = query.where(runs.c.pipeline == pipeline)
        with self._database.read() as connection:
            counted = {row.state: row.runs for row in connection.execute(query)}
        return {**dict.fromkeys(RunState, 0), **counted}

    def recent_runs(self, limit: int) -> Mapping[PipelineName, Sequence[Run]]:
        found: dict[PipelineName, list[Run]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(_recent(limit)).mappings():
                if len(found[row["pipeline"]]) < limit:  # more where several were created at once
                    found[row["pipeline"]].append(run_of(row))
        return dict(found)


def _conditions(
    pipeline: PipelineName | None, state: RunState | None, kind: RunKind | None, text: str
) -> Iterator[ColumnElement[bool]]:
    if pipeline is not None:
        yield runs.c.pipeline == pipeline
    if state is not None:
        yield runs.c.state == state
    if kind is not None:
        yield runs.c.kind == kind
    if text:
        part = storable(fold(text))
        yield or_(*(func.lower(each).contains(part, autoescape=True) for each in SEARCHED))


def _is_behind(connection: Connection, run: RunId) -> ColumnElement[bool]:
    """Whether a run comes later than this one in a list that has the newest first."""
    row = read_run(connection, run)
    return tuple_(runs.c.created_at, runs.c.id) < (row["created_at"], row["id"])


def _recent(limit: int) -> Select[Any]:
    """The runs of each pipeline since its last but `limit`, each found by one look into the index."""
    names = _pipelines()
    name = names.c.name
    own = runs.alias()
    newest = select(own.c.created_at).where(own.c.pipeline == name).order_by(own.c.created_at.desc(), own.c.id.desc())
    since = func.coalesce(newest.offset(limit - 1).limit(1).scalar_subquery(), literal(DAWN, Instant))
    is_recent = (runs.c.pipeline == name) & (runs.c.created_at >= since)
    return select(runs).join_from(names, runs, is_recent).order_by(runs.c.pipeline, *NEWEST_FIRST)


def _pipelines() -> CTE:
    """The name of every pipeline that has a run, and a null; each by one look into the index, not at every run."""
    first = select(func.min(runs.c.pipeline).label("name")).cte("names", recursive=True)
    later = select(func.min(runs.c.pipeline)).where(runs.c.pipeline > first.c.name).scalar_subquery()
    return first.union_all(select(later).where(first.c.name.is_not(None)))


def _latest(connection: Connection, pipeline: PipelineName | None) -> RunId:
    query = select(runs.c.id).order_by(*NEWEST_FIRST).limit(1)
    found = connection.scalar(query if pipeline is None else query.where(runs.c.pipeline == pipeline))
    if found is None:
        known = connection.scalars(select(_pipelines())).all()
        raise run_ref.no_latest(pipeline, [name for name in known if name is not None])
    return RunId(found)


def _newest(connection: Connection) -> Sequence[RunId]:
    return connection.scalars(select(runs.c.id).order_by(*NEWEST_FIRST).limit(run_ref.CANDIDATES)).all()


def _beginning(connection: Connection, ref: str) -> Sequence[RunId]:
    """The last runs whose ids begin with `ref`: a range of the primary key, not a search through all."""
    in_range = select(runs.c.id).where(runs.c.id >= ref, runs.c.id < f"{ref}\U0010ffff")
    return connection.scalars(in_range.order_by(runs.c.id.desc()).limit(run_ref.CANDIDATES)).all()
