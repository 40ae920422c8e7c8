"""What the editor can ask for. Each may arrive twice: the second time it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class AddTask:
    """Put a task behind the others."""

    name: str
    notebook: str
    after: tuple[str, ...] = ()
    """The tasks that it runs after."""
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class RemoveTask:
    """Take a task out, and out of the `depends_on` of the others."""

    name: str


@dataclass(frozen=True, slots=True)
class RenameTask:
    """Give a task another name, in `depends_on` and in templates too."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class DuplicateTask:
    """Put a copy of a task behind the others; it runs after the same tasks."""

    name: str
    copy: str
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class SetTaskKey:
    """Give a key of a task a value as JSON, or take it out with None. `retries.delay` reaches into a mapping."""

    task: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class SetPipelineKey:
    """The same for a key of the pipeline: `owner`, `schedule.cron`, `params.region.default`."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class Connect:
    """Let a task run after another."""

    up: str
    down: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Let it no longer."""

    up: str
    down: str


@dataclass(frozen=True, slots=True)
class MoveTask:
    """Remember where a task is drawn."""

    name: str
    position: Position


Command = (
    AddTask | RemoveTask | RenameTask | DuplicateTask | SetTaskKey | SetPipelineKey | Connect | Disconnect | MoveTask
)
