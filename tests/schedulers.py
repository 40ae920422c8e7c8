"""Real scheduler processes over a real project, and what can be seen of them from outside."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from making import Project, eventually

from nbflow.wiring import Doors


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
        process.wait(30)
        return time.monotonic()

    def end(self, process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGTERM)
        return process.wait(60)

    def trigger(self, pipeline: str) -> str:
        return str(self.project.nbflow("trigger", pipeline).stdout.strip())

    def states(self) -> Mapping[str, str]:
        """Run id → state."""
        return {run.id: str(run.state) for run in self.store.list_runs(limit=10_000)}

    def state(self, run: str) -> str:
        return str(self.store.load(run).run.state)

    def are_ended(self) -> bool:
        return all(run.state.is_terminal for run in self.store.list_runs(limit=10_000))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(30)
        self.doors.close()


@contextmanager
def watched(folder: Path, **env: str) -> Iterator[Watched]:
    """A project to add pipelines to; whatever is left of its schedulers is killed at the end."""
    found = Watched(Project(folder, **env))
    try:
        yield found
    finally:
        found.close()
