"""What crosses the doors: frozen values that more than one door names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nbflow.errors import Problem
from nbflow.model import FrozenNotebook, Param, Pipeline, RunId, TaskKey, TaskName
from nbflow.run import (
    Run,
    TaskRun,
)

SCHEDULER = "scheduler"
"""The first part of the names of engines that schedulers own."""


class Held(Protocol):
    """Something that an engine has until `expires`, unless it is proved dead before."""

    @property
    def engine(self) -> str: ...

    @property
    def expires(self) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenPipeline:
    """A pipeline with the text it was read from and the copies of its notebooks: what a run is pinned to."""

    pipeline: Pipeline
    text: str
    sha256: str
    notebooks: Mapping[TaskName, FrozenNotebook]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as the store holds it, with all its task runs and the frozen pipeline."""

    run: Run
    pipeline: Pipeline
    tasks: Mapping[TaskKey, TaskRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one engine to write one run, until `expires` (semantics §9, Owner)."""

    run: RunId
    engine: str
    epoch: int
    expires: datetime

    @property
    def is_foreground(self) -> bool:
        """The owner is a command, whose notebooks end with it; those of a scheduler go on."""
        return not self.engine.startswith(f"{SCHEDULER}@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What can be known of a notebook without running it.

    `params` is None where the notebook has no cell tagged `parameters`.
    """

    language: str
    kernel: str
    cells: int
    params: tuple[Param, ...] | None
    has_open_params: bool = False
    """True where names could not be told for sure (another language, or code that is no plain assignment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One manifest of the project as it is on disk now; `pipeline` is None where it cannot be used."""

    path: Path
    pipeline: Pipeline | None
    problems: tuple[Problem, ...] = ()
    text: str = ""
    """The manifest as it was read."""
    name: str = ""
    """The pipeline's name, also where the manifest cannot be used; empty where it gives none."""
    file: str = ""
    """What messages call the manifest: its path from the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """The cell that failed, as far as it is shown: its source, and the last lines that it printed."""

    number: int | None
    """None for the cell with the run's parameters."""
    source: str
    output: tuple[str, ...] = ()
    left_out: int = 0
    """Lines of output before these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an attempt has come: the cell that started last, and how many the notebook has."""

    cell: int | None
    cells: int
    at: datetime | None = None
