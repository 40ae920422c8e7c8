"""What front ends are shown: frozen views over the values of runs and pipelines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbflow.backfill import Backfill, BackfillItem
from nbflow.manifest.touching import Gap
from nbflow.model import TaskKey
from nbflow.people import Token
from nbflow.ports import BackfillProgress, Definition, Manifest, StoredRun
from nbflow.run import (
    Attempt,
    Run,
    TaskRun,
)
from nbflow.schedule import Tick
from nbflow.tally import Series
from nbflow.timetable import Standing

if TYPE_CHECKING:  # what edits manifests is loaded where one is edited
    from nbflow.manifest.edit import Draft, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView:
    """A pipeline as it is on disk, with what its history says."""

    definition: Definition
    last_runs: tuple[Run, ...] = ()
    """Newest first."""
    next_tick: Tick | None = None
    standing: Standing | None = None
    """What schedulers know of it, such as a pause; None before one has seen it."""

    @property
    def is_paused(self) -> bool:
        return self.standing is not None and self.standing.paused_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whys:
    """Why a run that has not ended stands where it stands, in words; empty for one that has."""

    held_up: str = ""
    """What keeps all of it from going on; empty where nothing does."""
    tasks: Mapping[TaskKey, str] = field(default_factory=dict)
    """For each of its tasks that has not ended what its row says: `waits for extract, which is running`, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftView:
    """A manifest that the caller is editing."""

    draft: Draft
    definition: Definition
    """What the draft would be if it were saved, with all its problems."""
    disk: Manifest
    """The manifest as it is."""
    pools: tuple[str, ...] = ()
    """Names that the manifest may use."""
    channels: tuple[str, ...] = ()

    @property
    def is_stale(self) -> bool:
        """Whether somebody else has changed the manifest since."""
        return self.disk.text != self.draft.base


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPipelineView:
    """A pipeline that somebody wants to have, as it would be."""

    definition: Definition
    gaps: tuple[Gap, ...]
    """Every edge that suggests itself between its tasks, whether it was asked for or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """A draft made again on the manifest as it is now."""

    draft: Draft
    refused: tuple[Refused, ...]
    """What no longer fits, and is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A manifest that was saved."""

    pipeline: str
    """Its name, which the draft may have changed."""
    commit: str = ""
    trouble: str = ""
    """Why it was not committed, or not logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with its task runs and all their attempts."""

    stored: StoredRun
    attempts: Mapping[TaskKey, Sequence[Attempt]]
    notebooks: Mapping[str, Path]
    """Attempt id → executed notebook."""

    @property
    def run(self) -> Run:
        return self.stored.run

    @property
    def tasks(self) -> Mapping[TaskKey, TaskRun]:
        return self.stored.tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """The executed notebook of one attempt."""

    attempt: Attempt
    path: Path
    notebook: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairView:
    """What a repair would do."""

    again: tuple[TaskKey, ...]
    changed: tuple[TaskKey, ...]
    """Of those, the ones whose notebook on disk differs from the copy that they ran."""
    old_params: tuple[TaskKey, ...]
    """Finished task runs that ran with the parameters of before, and keep their results."""
    has_new_manifest: bool = False
    """The manifest on disk differs from the one that the run began with, and keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding of `doctor`; `hint` says what to do where it is not fine."""

    name: str
    is_fine: bool
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of the whole installation, none of them about one run."""

    tallies: Mapping[Series, float]
    """What was counted since the store was made."""
    runs: Counter[str]
    """Runs that have not ended, by state."""
    tasks: Counter[str]
    """Task runs of these, by state."""
    pools: Mapping[str, int]
    """Places of each pool."""
    taken: Mapping[str, int]
    slots: int
    """Notebooks that may run at once in one engine."""
    heartbeat: timedelta | None
    """Age of the scheduler's last sign of life; None where none leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token or a session that was just made, with its secret: the only time that it is seen."""

    token: Token
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerView:
    """The scheduler that leads."""

    engine: str
    expires: datetime
    is_alive: bool
    silence: timedelta | None
    """The age of its last sign of life, where that is too old: one that is stopped is alive, and holds its lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPreview:
    """What a backfill would do with each tick, in the order of its runs."""

    backfill: Backfill
    items: tuple[BackfillItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillView:
    """A backfill and how far it has come."""

    backfill: Backfill
    progress: BackfillProgress
