"""The JSON documents that scripts rely on, as types: what `--json` prints and REST answers. `nbflow.shapes` makes them.

Times are ISO 8601 in UTC with `Z`; None is null. A key that is added later is no break; one that goes is.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # pydantic reads those of `typing` only from Python 3.12 on


class RunDocument(TypedDict):
    id: str
    pipeline: str
    state: str
    kind: str
    run_key: str
    logical_date: str
    params: dict[str, Any]
    created_at: str
    started_at: str | None
    ended_at: str | None


class RunsDocument(TypedDict):
    runs: list[RunDocument]


class MessageDocument(TypedDict):
    """A message to people. `held_in`: the message that counts it, of one that was held back."""

    id: str
    kind: str
    pipeline: str | None
    run: str | None
    task: str | None
    channel: str
    state: str
    at: str
    due: str
    ended_at: str | None
    tries: int
    held_in: str | None
    error: str | None


class MessagesDocument(TypedDict):
    messages: list[MessageDocument]


class ErrorDocument(TypedDict):
    """The exception that ended a cell."""

    name: str
    message: str


class AttemptDocument(TypedDict):
    """`notebook` is the path of the executed notebook; `failing_cell` counts from 1 in the source; memory in bytes."""

    number: int
    state: str
    cause: str | None
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    notebook: str
    failing_cell: int | None
    error: ErrorDocument | None
    signal: int | None
    kernel_start: str | None
    peak_memory: int | None


class TaskRunDocument(TypedDict):
    id: str
    item: int | None
    state: str
    cause: str | None
    reason: str | None
    set_by: str | None
    note: str | None
    outputs: dict[str, Any]
    attempts: list[AttemptDocument]


class EstimateDocument(TypedDict):
    """When a run will probably have ended; `slow`: on a bad day; `usual`: when it usually has."""

    ready: str
    slow: str
    usual: str | None


class StatusDocument(TypedDict):
    run: RunDocument
    tasks: list[TaskRunDocument]
    estimate: EstimateDocument | None


class CellDocument(TypedDict):
    """`number` is null for the cell with the parameters of the run; `state` for cells that hold no code."""

    number: int | None
    type: str
    state: str | None
    seconds: float | None
    source: str
    outputs: list[dict[str, Any]]


class LogDocument(TypedDict):
    run: str
    task: str
    attempt: AttemptDocument
    cells: list[CellDocument]


class WhyDocument(TypedDict):
    run: str
    task: str
    state: str
    why: str


class RepairDocument(TypedDict):
    """Addresses of the tasks that would run again, of those whose notebook changed, and of those that keep results
    that they made with the old parameters. `manifest_changed`: the run keeps the manifest that it began with.
    """

    run: str
    again: list[str]
    changed_notebooks: list[str]
    old_params: list[str]
    manifest_changed: bool


class TouchedDocument(TypedDict):
    """Addresses of the tasks that an order would touch: stop, or let go on."""

    run: str
    tasks: list[str]


class WhyRunDocument(TypedDict):
    run: str
    state: str
    why: str


class ProblemDocument(TypedDict):
    file: str
    line: int
    column: int
    where: str
    message: str
    hint: str
    severity: str


class ProblemsDocument(TypedDict):
    """`ok` is false where at least one problem is an error."""

    ok: bool
    problems: list[ProblemDocument]


class ScheduleDocument(TypedDict):
    """`every` is in seconds."""

    cron: str | None
    every: float | None
    timezone: str
    start: str | None
    end: str | None


class PipelineDocument(TypedDict):
    """A row of the list; of a manifest that cannot be used the name is null and `problems` says why."""

    name: str | None
    path: str
    description: str
    owner: str
    tags: list[str]
    tasks: int
    schedule: ScheduleDocument | None
    next: str | None
    paused: bool
    last_run: RunDocument | None
    problems: list[ProblemDocument]


class PipelinesDocument(TypedDict):
    pipelines: list[PipelineDocument]


class ParamDocument(TypedDict):
    name: str
    type: str
    default: Any
    required: bool
    choices: list[Any]
    description: str


class TaskDocument(TypedDict):
    """`timeout` is in seconds."""

    id: str
    notebook: str
    depends_on: list[str]
    run_if: str
    max_retries: int
    timeout: float | None
    pool: str | None
    allow_failure: bool


class ShowDocument(TypedDict):
    """One pipeline whole: the row of the list, its parameters and tasks, and its last runs."""

    pipeline: PipelineDocument
    params: list[ParamDocument]
    tasks: list[TaskDocument]
    runs: list[RunDocument]


class TickDocument(TypedDict):
    utc: str
    local: str
    note: str


class TicksDocument(TypedDict):
    timezone: str
    ticks: list[TickDocument]


class BackfillDocument(TypedDict):
    """A backfill; who brought it to its state, and why; the numbers count its ticks."""

    id: int
    pipeline: str
    start: str
    end: str
    reverse: bool
    max_active: int
    reprocess: str
    state: str
    created_at: str
    created_by: str
    note: str | None
    changed_at: str | None
    changed_by: str | None
    reason: str | None
    waiting: int
    active: int
    ended: int
    failed: int
    passed: int


class BackfillsDocument(TypedDict):
    backfills: list[BackfillDocument]


class BackfillItemDocument(TypedDict):
    """What would become of one tick: `create`, `reset` or `pass`."""

    run_date: str
    logical_date: str
    action: str | None
    run: str | None
    reason: str


class BackfillPreviewDocument(TypedDict):
    pipeline: str
    items: list[BackfillItemDocument]


class CheckDocument(TypedDict):
    name: str
    ok: bool
    message: str
    hint: str


class DoctorDocument(TypedDict):
    ok: bool
    checks: list[CheckDocument]


class SkipDocument(TypedDict):
    """Ticks in a row that started no run: the first and the last instant, why, and when that was found."""

    pipeline: str
    first: str
    last: str
    reason: str
    at: str


class SkipsDocument(TypedDict):
    skips: list[SkipDocument]


class StandingDocument(TypedDict):
    """A pipeline as a scheduler saw it last; `paused_at` is null while its schedule starts runs."""

    pipeline: str
    path: str
    first_seen: str
    removed: bool
    paused_at: str | None
    paused_by: str | None
    note: str | None


class StandingsDocument(TypedDict):
    pipelines: list[StandingDocument]


class SchedulerDocument(TypedDict):
    """`engine` is null where no scheduler leads; `alive` is whether its last sign of life is recent."""

    engine: str | None
    alive: bool
    expires: str | None


class ChangeDocument(TypedDict):
    """One line of the change log. `pipeline` is null where the installation changed, `run` where no run did."""

    seq: int
    at: str
    event: str
    pipeline: str | None
    run: str | None
    task: str | None
    attempt: int | None
    backfill: int | None
    before: str | None
    after: str | None
    by: str | None
    note: str | None


class ChangesDocument(TypedDict):
    """`last` is where the next look begins: `?after=` it."""

    changes: list[ChangeDocument]
    last: int


class CallerDocument(TypedDict):
    """`until` is when the token that was shown runs out."""

    name: str
    role: str
    until: str | None


class UserDocument(TypedDict):
    """`signs_in` is whether the user has a password."""

    name: str
    role: str
    signs_in: bool
    created_at: str
    created_by: str


class UsersDocument(TypedDict):
    users: list[UserDocument]


class TokenDocument(TypedDict):
    """`kind` is `api`, or `session` for a browser that signed in; the secret is never part of it."""

    id: int
    kind: str
    user: str
    role: str
    note: str
    created_at: str
    created_by: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class TokensDocument(TypedDict):
    tokens: list[TokenDocument]


class NewTokenDocument(TypedDict):
    """`secret` is shown this once."""

    token: TokenDocument
    secret: str
