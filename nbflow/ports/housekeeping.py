"""The doors that keep the house clean: what a store removes, and what lies in folders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from nbflow.model import PipelineName, RunId
from nbflow.retention import Finished


class Leftover(NamedTuple):
    """A run that is removed, whose folder may still be there."""

    run: RunId
    pipeline: PipelineName


class HousekeepingStore(Protocol):
    """What is removed from a store. Every method is one transaction."""

    def pipelines_with_runs(self) -> Sequence[PipelineName]: ...

    def finished(self, pipeline: PipelineName) -> Sequence[Finished]:
        """All runs that have ended, those created last first."""
        ...

    def remove_runs(self, runs: Sequence[RunId]) -> Sequence[RunId]:
        """Remove runs with all that belongs to them; returns those removed.

        Passed over are runs that have not ended, that were asked for something, or that belong to an active backfill.
        An owner is no hindrance: it has nothing more to do, and one that died may have left its lease behind. Each
        removed run is a leftover until `forget` is told that its folder is gone.
        """
        ...

    def leftovers(self) -> Sequence[Leftover]: ...

    def forget(self, runs: Sequence[RunId]) -> None:
        """The folders of these removed runs are gone."""
        ...

    def remove_unused_texts(self) -> int:
        """Remove manifests that no run and no pipeline refers to; returns their number."""
        ...

    def notebooks_in_use(self) -> Collection[str]:
        """Content hashes of the notebooks that some run ran or may run again."""
        ...

    def remove_messages(self, before: datetime) -> int:
        """Remove messages that were done with before, but for the last failure or recovery of each pipeline."""
        ...


class Attic(Protocol):
    """The folders of runs, and the copies of notebooks."""

    def remove_run(self, run: RunId, pipeline: PipelineName) -> None:
        """Remove the folders of all attempts of a run; nothing happens where there are none. Raises OSError."""
        ...

    def remove_notebooks(self, used: Collection[str], before: datetime) -> int:
        """Remove copies that are not `used` and were last frozen before; returns their number."""
        ...


class BackupContent(NamedTuple):
    """What a backup holds, in numbers."""

    runs: int
    attempts: int
    files: int


class Backups(Protocol):
    """The history of a project in one file."""

    def write(self, path: Path) -> BackupContent:
        """Rows, logs and frozen notebooks of one moment, while work goes on. Raises InvalidInput if `path` exists."""
        ...

    def restore(self, path: Path) -> BackupContent:
        """All of it into a database without rows. Raises Conflict where there are some, InvalidInput for no backup."""
        ...
