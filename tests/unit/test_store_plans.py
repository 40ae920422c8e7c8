"""Queries that run all the time use an index, whatever the length of the history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from nbflow.model import PipelineName, RunId
from nbflow.states import RunState
from nbflow.stores.sql import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path}/nbflow.db")
    yield store
    store.close()


VERBS: dict[str, Any] = {
    "pool_holders": lambda store: store.pool_holders(),
    "owned": lambda store: store.owned(),
    "asked": lambda store: store.asked([RunId("r1")]),
    "list_runs": lambda store: store.list_runs(),
    "list_runs of a pipeline": lambda store: store.list_runs(pipeline=PipelineName("nightly")),
    "list_runs of a state": lambda store: store.list_runs(state=RunState.RUNNING),
    "usual_seconds": lambda store: store.usual_seconds(PipelineName("nightly")),
    "changes": lambda store: store.changes(7),
    "changes of a run": lambda store: store.changes(7, run=RunId("r1")),
    "attempts": lambda store: store.attempts(RunId("r1")),
    "run_of_key": lambda store: store.run_of_key(PipelineName("nightly"), "key:a"),
    "find_run": lambda store: store.find_run("2026"),
}


def plans(store: SqlStore, verb: Any) -> list[str]:
    """What SQLite says it would do for each query of the verb."""
    sent: list[tuple[str, Any]] = []
    event.listen(store._database.engine, "before_cursor_execute", lambda *about: sent.append((about[2], about[3])))
    try:
        verb(store)
    except LookupError:
        raise
    except Exception as error:
        assert type(error).__name__ == "NotFound"  # noqa: PT017  # an empty store has nothing to find
    queries = [(query, values) for query, values in sent if query.startswith("SELECT")]
    with store._database.engine.connect() as connection:
        return [
            str(step[3])
            for query, values in queries
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)
        ]


@pytest.mark.parametrize("verb", VERBS)
def test_no_table_is_read_whole(store: SqlStore, verb: str) -> None:
    steps = plans(store, VERBS[verb])
    scans = [step for step in steps if step.startswith("SCAN") and "USING" not in step and "subquery" not in step]
    assert steps
    assert [scan for scan in scans if not scan.startswith(("SCAN (", "SCAN anon"))] == []
    assert [step for step in steps if step.startswith("USE TEMP B-TREE") and verb.startswith("list_runs")] == []
