"""Real scheduler processes over a real project, and what can be seen of them from outside."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from making import PATIENCE, Project, eventually

from nbflow.states import AttemptState, RunState, TaskState
from nbflow.wiring import Doors

EVERY_TWO_SECONDS = """
    name: ticking
    schedule: {every: 2s, overlap: skip}
    defaults:
      retries: {max_retries: 50, delay: 1s, backoff: fixed}
    tasks:
      extract: {notebook: extract.ipynb}
      load: {notebook: load.ipynb, depends_on: extract}
      other: {notebook: other.ipynb}
"""

ALONE = """
    import fcntl, os
    alone = open("{name}.lock", "w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held as long as this kernel lives
    except BlockingIOError:
        open("violations", "a").write("{name} ran twice at once\\n")
        raise
"""

WAITING = "name: slow\ntasks:\n  only: {notebook: only.ipynb}\n"
"""A pipeline of one notebook that waits for a file named `go` beside it, as WAITS does."""

WAITS = """
    import os, pathlib, time
    pathlib.Path("kernel.pids").open("a").write(f"{os.getpid()}\\n")
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
"""


class Watched:
    """A project, its schedulers, and its store."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.doors = Doors(project.folder)
        self.store: Any = self.doors.store
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, **env: str) -> subprocess.Popen[str]:
        """A scheduler of its own, which may have to stand by."""
        process = self.project.spawn("scheduler", **env)
        self.processes.append(process)
        return process

    def start_leader(self, **env: str) -> subprocess.Popen[str]:
        """A scheduler that leads when this returns."""
        process = self.start(**env)
        eventually(lambda: self.leads(process) or process.poll() is not None)
        return process

    def leads(self, process: subprocess.Popen[str]) -> bool:
        leader = self.store.leader()
        return leader is not None and f".{process.pid}." in leader.engine

    def kill(self, process: subprocess.Popen[str]) -> float:
        """`kill -9`; the moment of it."""
        process.kill()
        process.wait(PATIENCE)
        return time.monotonic()

    def end(self, process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE)

    def trigger(self, pipeline: str) -> str:
        return str(self.project.nbflow("trigger", pipeline).stdout.strip())

    def trigger_waiting(self, pipeline: str, folder: Path) -> tuple[str, int]:
        """A run whose notebook waits, and its kernel. The store has it as running: a start is told after a moment."""
        run = self.trigger(pipeline)
        pids = folder / "kernel.pids"
        kernel = int(eventually(lambda: pids.exists() and pids.read_text()))
        eventually(lambda: self.state(run) == "running")
        return run, kernel

    def states(self) -> Mapping[str, str]:
        """Run id → state."""
        return {run.id: str(run.state) for run in self.store.list_runs(limit=10_000)}

    def state(self, run: str) -> str:
        return str(self.store.load(run).run.state)

    def is_scheduled(self, pipeline: str) -> bool:
        """Whether the manifest has a schedule, as far as a scheduler has seen."""
        seen = self.store.last_good(pipeline)
        return seen is not None and seen[0].schedule is not None

    def are_ended(self) -> bool:
        return all(run.state.is_terminal for run in self.store.list_runs(limit=10_000))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(PATIENCE)
        self.doors.close()


@contextmanager
def watched(folder: Path, **env: str) -> Iterator[Watched]:
    """A project to add pipelines to; whatever is left of its schedulers is killed at the end."""
    found = Watched(Project(folder, **env))
    try:
        yield found
    finally:
        found.close()


def add_ticking(world: Watched, name: str = "ticking") -> Path:
    return world.project.pipeline(
        name,
        EVERY_TWO_SECONDS.replace("ticking", name),
        **{
            name: (ALONE.format(name=name), f"import time; time.sleep({seconds})")
            for name, seconds in {"extract": 0.3, "load": 0.1, "other": 0.5}.items()
        },
    )


def settle(world: Watched) -> None:
    """No further tick, and every run ends. A pause would hold back the runs that have not begun."""
    for manifest in world.project.folder.glob("notebooks/*/pipeline.yaml"):
        manifest.write_text(re.sub(r"(?m)^ *schedule:.*\n", "", manifest.read_text()))
    eventually(lambda: not any(world.is_scheduled(name) for name in world.store.standings()))
    eventually(world.are_ended)
    eventually(lambda: not world.store.owned())  # a run is let go of after its end is written


def assert_as_without_a_kill(world: Watched, *folders: Path) -> None:
    for violations in (folder / "violations" for folder in folders):
        assert not violations.exists(), violations.read_text()
    runs = world.store.list_runs(limit=10_000)
    assert runs
    assert len({(run.pipeline, run.run_key) for run in runs}) == len(runs)
    for run in runs:
        stored = world.store.load(run.id)
        assert run.state is RunState.SUCCESS, {key.task: task.reason for key, task in stored.tasks.items()}
        assert {task.state for task in stored.tasks.values()} == {TaskState.SUCCESS}
        for attempts in world.store.attempts(run.id).values():
            assert [each.number for each in attempts] == list(range(1, len(attempts) + 1))
            assert [each.state for each in attempts].count(AttemptState.SUCCESS) == 1
    assert world.store.pool_holders() == {}


def assert_no_tick_is_lost(world: Watched) -> None:
    """Every tick of a pipeline that ticks has a run, or says why it has none."""
    for name in world.store.standings():
        dates = {run.logical_date for run in world.store.list_runs(pipeline=name, limit=10_000)}
        skips = world.store.skips(name, limit=10_000)
        tick, last = min(dates), max(dates)
        while tick <= last:
            assert tick in dates or any(skip.first <= tick <= skip.last for skip in skips), f"{name}: {tick}"
            tick += timedelta(seconds=2)
