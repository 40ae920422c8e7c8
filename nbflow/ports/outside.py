"""The doors to the world: time, processes, folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from nbflow.live import LiveRun
from nbflow.model import AttemptId, FrozenNotebook, Pipeline, PipelineName, RunId, TaskName
from nbflow.ports.values import Definition, FailedCell, FrozenPipeline, Happened, Lease, Manifest, Progress
from nbflow.run import (
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Run,
    StartAttempt,
    StopAttempt,
)


class Clock(Protocol):
    """Time. Only loops own one; everything else is given `now`."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        ...


class Say(Protocol):
    """Tells whoever watches a service: on a terminal, or in its log."""

    def __call__(self, text: str, *, is_trouble: bool = False) -> None:
        """Trouble is what somebody should look after; a log has it as a warning."""
        ...


class Executor(Protocol):
    """Runs attempts. Never raises for what a notebook does: that arrives as a fact."""

    def free_slots(self) -> int:
        """How many more attempts may be started now; never negative."""
        ...

    def start(self, order: StartAttempt) -> None:
        """Begin one attempt. Starting the same attempt twice begins it once.

        What prevents the start (disk full, no process) arrives from `poll` as an ended attempt with cause `storage`.
        """
        ...

    def stop(self, order: StopAttempt) -> None:
        """Ask an attempt to end; its end arrives from `poll`. Unknown or ended attempts are passed over.

        May be called again with a shorter grace.
        """
        ...

    def poll(self) -> Sequence[AttemptStarted | AttemptEnded]:
        """What was seen since the last call; never blocks. Each fact is delivered at least once.

        An end is reported only when no process of the attempt is left.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Return when `poll` may have news, or after `seconds`."""
        ...

    def adopt(self, attempts: Sequence[Attempt], pipeline: PipelineName) -> None:
        """Take over attempts that another engine of this machine started.

        Those still alive are polled like own ones; of those that ended the outcome is read; those that left none are
        swept and reported `lost`.
        """
        ...

    def began_here(self, attempt: Attempt, pipeline: PipelineName) -> bool:
        """Whether it was begun on this machine since the machine was started, under whatever name it had then."""
        ...

    def close(self) -> None:
        """Let go of everything held in this process. Foreground runners end; others go on."""
        ...


class Workspace(Protocol):
    """The folders of manifests and notebooks."""

    def edition(self) -> object:
        """Equal to the last one as long as no manifest or notebook of the project has changed; cheap."""
        ...

    def definitions(self, *, thorough: bool = False) -> Sequence[Definition]:
        """Every manifest of the project with its problems, in name order.

        `thorough`: also with warnings of edges that seem to be missing, for which the code of every notebook is read.
        """
        ...

    def unreachable(self, file: str) -> Definition | None:
        """A manifest that `definitions` does not have, because the system does not say whether it is there."""
        ...

    def load(self, name_or_path: str, *, given: Collection[str] = (), thorough: bool = False) -> Definition:
        """One pipeline by name, folder, manifest or `.ipynb`. Raises NotFound with the nearest name.

        `given` are the parameters that the run shall be given: of a notebook alone they may be any of its cell's.
        """
        ...

    def manifest(self, name: str) -> Manifest:
        """The manifest of a pipeline, unchecked. Raises NotFound with the nearest name."""
        ...

    def suppose(self, manifest: Manifest, text: str) -> Definition:
        """What the manifest would define if it had this text, checked thoroughly; nothing is written."""
        ...

    def save(self, manifest: Manifest, text: str) -> None:
        """Write the manifest in one step. Raises Conflict where the file has another text than `manifest`."""
        ...

    def freeze(self, definition: Definition, tasks: Sequence[TaskName] | None = None) -> FrozenPipeline:
        """Copy manifest and notebooks by content hash; `tasks` limits it to some. Raises InvalidManifest."""
        ...

    def refreeze(self, pipeline: Pipeline, old: Mapping[TaskName, FrozenNotebook]) -> Mapping[TaskName, FrozenNotebook]:
        """Copies of the notebooks as they are now, for the tasks named in `old`. Raises InvalidInput."""
        ...


class Logs(Protocol):
    """The attempt folders, for readers."""

    def folder(self, attempt: AttemptId, pipeline: PipelineName) -> Path:
        """Where the attempt's files are (semantics §8); absolute."""
        ...

    def notebook(self, attempt: AttemptId, pipeline: PipelineName) -> Any:
        """The executed notebook as it stands (nbformat 4). Raises NotFound."""
        ...

    def failing_cell(self, attempt: Attempt, pipeline: PipelineName, *, lines: int) -> FailedCell | None:
        """The cell that ended an attempt, with the last `lines` of its output; None where no cell did, or no log is."""
        ...

    def progress(self, attempt: AttemptId, pipeline: PipelineName) -> Progress | None:
        """How far a running attempt has come; None before its first event."""
        ...

    def happened(self, attempt: AttemptId, pipeline: PipelineName, *, after: int = 0) -> Happened:
        """The events since another call returned `after`, or all; none before the first."""
        ...


class Driver(Protocol):
    """Something that can own runs and carry them to their end: an engine."""

    def lease(self, run: RunId, now: datetime) -> Lease:
        """The lease to create a run with, so that it has an owner from its first moment."""
        ...

    def drive(self, run: RunId, watch: Callable[[LiveRun], None] | None = None) -> Run:
        """Own the run until it has ended. Raises Conflict while its owner is alive."""
        ...

    def close_abandoned(self) -> Sequence[RunId]:
        """End the runs whose foreground owner is gone."""
        ...
