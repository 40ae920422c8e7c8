"""How long the lists of runs take over a long history. `make bench` prints the table.

Give it the address of an empty database; without one it makes a SQLite file. The budget of a history page is 300 ms.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from nbflow.model import PipelineName, RunId
from nbflow.states import RunKind, RunState
from nbflow.stores.rows import run_row
from nbflow.stores.schema import runs
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, a_frozen, a_run, task_runs

PIPELINES = 200
SOME = PipelineName("pipeline_007")
STATES = {RunState.SUCCESS: 97.0, RunState.FAILED: 2.99, RunState.CANCELLED: 0.01}


def fill(store: SqlStore, count: int) -> None:
    """Runs in plain SQL: through the store's verbs it would take the better part of an hour."""
    frozen = [a_frozen("extract", "load", pipeline=f"pipeline_{at:03}") for at in range(PIPELINES)]
    for each in frozen:
        first = a_run(each.pipeline.name, each, state=RunState.SUCCESS, created_at=NOW - timedelta(days=1))
        store.add_run(first, task_runs(each), each, None)
    with store._database.write() as connection:
        documents = {row.pipeline: row.frozen_pipeline for row in connection.execute(select(runs))}
        for start in range(0, count, 5000):
            rows = [row(frozen[at % PIPELINES], at, documents) for at in range(start, min(start + 5000, count))]
            connection.execute(insert(runs), rows)


def row(frozen: Any, at: int, documents: dict[str, str]) -> dict[str, Any]:
    created = NOW + timedelta(minutes=5 * at)
    run = a_run(
        f"{created:%Y%m%d-%H%M%S}-{random.randrange(16**6):06x}",
        frozen,
        run_key=f"sched:{created:%Y-%m-%dT%H:%M:%SZ}",
        kind=RunKind.SCHEDULED,
        state=random.choices([*STATES], [*STATES.values()])[0],
        params={"region": "emea", "day": "2026-04-01"},
        created_at=created,
        created_by="schedule",
        started_at=created,
        ended_at=created + timedelta(seconds=30),
    )
    whose = {"frozen_pipeline": documents[run.pipeline], "owner": None, "epoch": 0, "lease_expires": None}
    return {**run_row(run), **whose}


def questions(store: SqlStore) -> Iterator[tuple[str, Callable[[], Any]]]:
    with store._database.read() as connection:
        early = connection.scalar(select(runs.c.id).order_by(runs.c.created_at).offset(PIPELINES + 1000).limit(1))
    behind = RunId(str(early))
    yield "the newest 50", store.list_runs
    yield "a page of 50 far behind", lambda: store.list_runs(before=behind)
    yield "50 of one pipeline", lambda: store.list_runs(pipeline=SOME)
    yield "50 failed ones", lambda: store.list_runs(state=RunState.FAILED)
    yield "50 failed ones of one pipeline", lambda: store.list_runs(pipeline=SOME, state=RunState.FAILED)
    yield "all cancelled ones, which are rare", lambda: store.list_runs(state=RunState.CANCELLED)
    yield "of a kind that there is not", lambda: store.list_runs(kind=RunKind.BACKFILL)
    yield "a text that there is not", lambda: store.list_runs(text="nowhere")
    yield "how many of each state", store.count_runs
    yield f"the last run of {PIPELINES} pipelines", lambda: store.recent_runs(1)
    yield f"the last 30 runs of {PIPELINES} pipelines", lambda: store.recent_runs(30)
    yield "what has not ended", store.unfinished


def measure(question: Callable[[], Any], times: int = 7) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--runs", type=int, default=100_000)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="nbflow-bench-") as folder,
        closing(SqlStore(given.url or f"sqlite:///{Path(folder) / 'nbflow.db'}")) as store,
    ):
        fill(store, given.runs)
        print(f"\n| of {given.runs:,} runs in {store._database.engine.dialect.name} | ms |\n|---|---:|")
        for name, question in questions(store):
            print(f"| {name} | {measure(question) * 1000:.1f} |")


if __name__ == "__main__":
    main()
