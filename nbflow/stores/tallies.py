"""Counts in the database: what was counted, and what has not ended now."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select, text

from nbflow.stores.base import SqlSide
from nbflow.stores.schema import UNFINISHED, runs, tallies, task_runs
from nbflow.tally import Series

# Both databases know it in these words; SQLAlchemy would need the dialect of each.
_ADD = text(
    "INSERT INTO tallies (name, pipeline, word, cause, value) VALUES (:name, :pipeline, :word, :cause, :value) "
    "ON CONFLICT (name, pipeline, word, cause) DO UPDATE SET value = tallies.value + excluded.value"
)


class SqlTallies(SqlSide):
    """The counts of ports.ReadStore."""

    def tallies(self) -> Mapping[Series, float]:
        with self._database.read() as connection:
            rows = connection.execute(select(tallies)).all()
        return {Series(row.name, row.pipeline, row.word, row.cause): row.value for row in rows}

    def unfinished_counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        of_runs = select(runs.c.state, func.count()).where(UNFINISHED).group_by(runs.c.state)
        of_tasks = select(task_runs.c.state, func.count()).join(runs).where(UNFINISHED).group_by(task_runs.c.state)
        with self._database.read() as connection:
            return (
                {state.value: count for state, count in connection.execute(of_runs)},
                {state.value: count for state, count in connection.execute(of_tasks)},
            )


def add(connection: Connection, counted: Mapping[Series, float]) -> None:
    """Add to the counts, in the transaction of what is counted."""
    if counted:
        connection.execute(_ADD, [{**series._asdict(), "value": value} for series, value in counted.items()])
