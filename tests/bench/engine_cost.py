"""What the engine itself costs: CPU for each task of large graphs, with an executor that executes nothing; imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from building import NOW, notebooks, pipeline, task

from nbflow import lifecycle
from nbflow.engine import Engine
from nbflow.model import DataInterval, Pipeline, RunId
from nbflow.owners import LockedOwners
from nbflow.ports import FrozenPipeline
from nbflow.states import RunKind, RunState
from nbflow.stores.sql import SqlStore
from nbflow.testing.clock import FakeClock
from nbflow.testing.executor import FakeExecutor

WIDE = 100

IMPORTS = {
    "nothing (the interpreter)": "pass",
    "nbflow --version": "import sys; sys.argv = ['nbflow', '--version']; from nbflow.__main__ import main; main()",
    "all that `nbflow run` needs": "import nbflow.cli, nbflow.wiring, nbflow.stores.sql, nbflow.workspace",
    "the runner": "import nbflow.notebooks.attempt",
    "papermill": "import papermill",
}


def graph(size: int) -> Pipeline:
    tasks = []
    for at in range(size):
        layer, place = divmod(at, WIDE)
        before = [f"t{(layer - 1) * WIDE + each % WIDE}" for each in (place, place + 1)] if layer else []
        tasks.append(task(f"t{at}", " ".join(dict.fromkeys(before))))
    return pipeline(*tasks)


def cpu_of_run(size: int) -> float:
    """CPU seconds of a run of so many tasks from its creation to its end, in SQLite on disk."""
    of = graph(size)
    with tempfile.TemporaryDirectory() as folder:
        store, clock, owners = SqlStore(f"sqlite:///{folder}/nbflow.db"), FakeClock(NOW), LockedOwners(Path(folder))
        executor = FakeExecutor(clock.now, {}, slots=16, pass_time=clock.advance, machine={})
        engine = Engine(name="bench@here.1.a", store=store, executor=executor, clock=clock, owners=owners)
        began = time.process_time()
        run, tasks = lifecycle.plan(
            of,
            notebooks(of),
            run_id=RunId("r1"),
            manifest="m",
            given={},
            kind=RunKind.MANUAL,
            run_key="manual:r1",
            logical_date=NOW,
            run_date=NOW.date(),
            interval=DataInterval(NOW, NOW),
            now=NOW,
        )
        frozen = FrozenPipeline(pipeline=of, text=of.name, sha256="m", notebooks=notebooks(of))
        store.add_run(run, tasks, frozen, engine.lease(run.id, NOW))
        ended = engine.drive(run.id)
        used = time.process_time() - began
        store.close()
    assert ended.state is RunState.SUCCESS, ended
    return used


def import_seconds(code: str, times: int = 5) -> float:
    walls = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        walls.append(time.perf_counter() - began)
    return statistics.median(walls)
