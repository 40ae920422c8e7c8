"""What a pipeline is, as frozen values. A manifest becomes these; nothing here reads a file, a clock or a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple, NewType

from nbflow.states import JoinRule

PipelineName = NewType("PipelineName", str)
TaskName = NewType("TaskName", str)
RunId = NewType("RunId", str)
AttemptId = NewType("AttemptId", str)
"""`<run>/<task>/<number>`, with `<task>.<item>` for an item: also the attempt's folder below the pipeline's."""

GRACE = timedelta(seconds=10)
"""What a notebook gets between the interrupt and the kill (semantics §6)."""


class TaskKey(NamedTuple):
    """A task run inside a run. `item` is its index in `for_each`, None for a task without one."""

    task: TaskName
    item: int | None = None

    @property
    def address(self) -> str:
        """The name in the CLI, in addresses and in folders: `fit`, or `fit.3` for an item."""
        return self.task if self.item is None else f"{self.task}.{self.item}"

    @classmethod
    def parse(cls, address: str) -> TaskKey:
        name, dot, index = address.partition(".")
        return cls(TaskName(name), int(index) if dot and index.isdigit() else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A typed parameter, of a pipeline (from the manifest) or of a notebook (from its `parameters` cell).

    `type` is a Python annotation as text (`str`, `int | None`, `Literal['a', 'b']`, `list[str]`, `date`), empty where
    none was given. `default` is a JSON value; None where `is_required`, and where a notebook's default is no literal:
    then `default_text` has its source.
    """

    name: str
    type: str = ""
    default: Any = None
    default_text: str = ""
    is_required: bool = False
    choices: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and when a failed task run is tried again (semantics §4)."""

    max_retries: int = 0
    delay: timedelta = timedelta(seconds=30)
    backoff: Literal["fixed", "exponential"] = "exponential"
    max_delay: timedelta = timedelta(minutes=10)
    jitter: float = 0.0
    never_on: tuple[str, ...] = ()
    only_on: tuple[str, ...] = ()
    on_lost: Literal["retry", "fail"] = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When scheduled runs start (semantics §5). Exactly one of `cron` and `every` is set."""

    cron: str | None = None
    every: timedelta | None = None
    timezone: str = "UTC"
    start: date | None = None
    end: date | None = None
    missed: Literal["latest", "none", "all"] | int = "latest"
    """An int n stands for the manifest's `{last: n}`."""
    grace: timedelta = timedelta(minutes=10)
    overlap: Literal["queue", "skip", "cancel_running"] = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Which channels (named in nbflow.toml) hear of what."""

    on_failure: tuple[str, ...] = ()
    on_recovery: tuple[str, ...] = ()
    on_missed: tuple[str, ...] = ()
    on_late: tuple[str, ...] = ()
    late_after: time | None = None
    """Local time in the schedule's zone; a run not finished by then is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long finished runs are kept, and how many; None where nbflow.toml decides."""

    runs: timedelta | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One parameterized notebook and how it is run. Names and meanings: manifest reference, keys of a task."""

    name: TaskName
    notebook: str
    """Path relative to the manifest's folder, with forward slashes."""
    depends_on: tuple[TaskName, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    run_if: JoinRule = JoinRule.ALL_SUCCESS
    when: bool | str = True
    for_each: Any = None
    wait_for: tuple[Mapping[str, Any], ...] = ()
    retries: Retries = Retries()
    timeout: timedelta | None = None
    cell_timeout: timedelta | None = None
    pool: str | None = None
    pool_slots: int = 1
    priority: int = 0
    allow_failure: bool = False
    kernel: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Environment variable of the kernel → name of the secret."""
    reads: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    position: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A DAG of tasks, as its manifest declares it, with the defaults already merged into every task."""

    name: PipelineName
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    schedule: Schedule | None = None
    max_active_runs: int = 1
    params: Mapping[str, Param] = field(default_factory=dict)
    alerts: Alerts = Alerts()
    keep: Keep = Keep()
    tasks: Mapping[TaskName, Task] = field(default_factory=dict)
    """In the manifest's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenNotebook:
    """The copy of a notebook that a task run executes, with what was read from it."""

    path: str
    """As in the manifest."""
    folder: str
    """Absolute folder of the notebook in the project: the kernel's working folder."""
    sha256: str
    kernel: str
    """Kernel to use unless the task names another."""
    cells: int = 0
    """Number of cells in the source, markdown counted."""
    params: tuple[Param, ...] = ()


class DataInterval(NamedTuple):
    """The span of data that a run is for, `[start, end)`, both UTC."""

    start: datetime
    end: datetime
