"""What crosses the doors: frozen values that more than one door names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from nbflow.errors import Problem
from nbflow.model import FrozenNotebook, Param, Pipeline, RunId, TaskKey, TaskName
from nbflow.run import (
    Run,
    TaskRun,
)

SCHEDULER = "scheduler"
"""The first part of the names of engines that schedulers own."""

LEASE = timedelta(seconds=15)
"""How long the lease of a run, and the leader's row, live after the last sign of life (semantics §9)."""


def host_of(engine: str) -> str:
    """Where an engine lives, which its name tells: `run@web-1:3f9a1c.1234.b07c55`."""
    return engine.partition("@")[2].rsplit(".", 2)[0]


class Held(Protocol):
    """Something that an engine has until `expires`, unless it is proved dead before."""

    @property
    def engine(self) -> str: ...

    @property
    def expires(self) -> datetime: ...


def age_of_sign(held: Held, now: datetime) -> timedelta:
    """How long ago its holder gave the last sign of life. `now` is the store's."""
    return now - (held.expires - LEASE)


def silence(held: Held, now: datetime) -> timedelta | None:
    """The same where it is too long; None while the time of it is not over."""
    return age_of_sign(held, now) if now >= held.expires else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenPipeline:
    """A pipeline with the text it was read from and the copies of its notebooks: what a run is pinned to."""

    pipeline: Pipeline
    text: str
    sha256: str
    notebooks: Mapping[TaskName, FrozenNotebook]


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
class StoredRun:
    """A run as the store holds it at one moment, with all its task runs and the frozen pipeline."""

    run: Run
    pipeline: Pipeline
    tasks: Mapping[TaskKey, TaskRun]
    lease: Lease | None = None
    """Who has it; None where nobody does, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What can be known of a notebook without running it.

    `params` is None where the notebook has no cell tagged `parameters`.
    """

    language: str
    kernel: str
    cells: int
    params: tuple[Param, ...] | None
    heading: str = ""
    """The first heading of its text; empty where it has none."""
    has_open_params: bool = False
    """True where names could not be told for sure (another language, or code that is no plain assignment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest of the project as it is on disk now, unchecked."""

    path: Path
    text: str
    """Every character of it, ends of lines too."""
    name: str
    """The pipeline's."""
    file: str
    """What messages call it: its path from the project."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Events of an attempt, in order (semantics §8); ask for those that follow with `upto`."""

    events: Sequence[Mapping[str, Any]]
    upto: int
