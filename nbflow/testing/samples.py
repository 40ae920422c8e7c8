"""Runs, decisions and requests by hand, for tests that need a few of them and no rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol

from nbflow.model import (
    AttemptId,
    DataInterval,
    FrozenNotebook,
    Param,
    Pipeline,
    PipelineName,
    Retries,
    RunId,
    Schedule,
    Task,
    TaskKey,
    TaskName,
)
from nbflow.notice import Notice, NoticeKind
from nbflow.ports import FrozenPipeline, Lease, Outbox, PeopleStore, ReadStore, RunStore, ScheduleStore
from nbflow.ports.housekeeping import HousekeepingStore
from nbflow.run import Answer, Attempt, Change, Decision, ErrorInfo, Run, TaskRun
from nbflow.states import AttemptState, Cause, RunKind, RunState, TaskState

NOW = datetime(2026, 4, 1, 9, 0, 0, 123456, tzinfo=UTC)
TTL = timedelta(seconds=15)
ENGINE = "run@host.1.aaaaaa"


class Store(RunStore, ReadStore, ScheduleStore, PeopleStore, Outbox, HousekeepingStore, Protocol):
    """All sides of one store."""


def a_notebook(name: str) -> FrozenNotebook:
    return FrozenNotebook(
        path=f"{name}.ipynb",
        folder="/project/nightly",
        sha256=sha256(name.encode()).hexdigest(),
        kernel="python3",
        cells=7,
        params=(Param(name="day", type="date | None"), Param(name="kind", choices=("a", 1))),
    )


def a_frozen(*names: str, pipeline: str = "nightly", text: str | None = None, **about: Any) -> FrozenPipeline:
    """A pipeline of independent tasks; `about` are keys of every task."""
    tasks = {TaskName(name): Task(name=TaskName(name), notebook=f"{name}.ipynb", **about) for name in names}
    frozen = Pipeline(name=PipelineName(pipeline), schedule=Schedule(cron="0 2 * * *"), tasks=tasks)
    text = f"name: {pipeline}  # {', '.join(names)}\n" if text is None else text
    notebooks = {name: a_notebook(name) for name in tasks}
    return FrozenPipeline(pipeline=frozen, text=text, sha256=sha256(text.encode()).hexdigest(), notebooks=notebooks)


def a_run(run: str = "r1", frozen: FrozenPipeline | None = None, **about: Any) -> Run:
    frozen = frozen or a_frozen("extract", "load")
    values: dict[str, Any] = {
        "id": RunId(run),
        "pipeline": frozen.pipeline.name,
        "run_key": f"manual:{run}",
        "kind": RunKind.MANUAL,
        "state": RunState.QUEUED,
        "manifest": frozen.sha256,
        "params": {},
        "logical_date": NOW,
        "run_date": NOW.date(),
        "interval": DataInterval(NOW - timedelta(days=1), NOW),
        "created_at": NOW,
    }
    return Run(**{**values, **about})


def task_runs(frozen: FrozenPipeline) -> tuple[TaskRun, ...]:
    """One waiting task run for each task."""
    return tuple(
        TaskRun(key=TaskKey(name), state=TaskState.WAITING, notebook=frozen.notebooks[name])
        for name in frozen.pipeline.tasks
    )


def an_attempt(run: str, address: str, number: int = 1, **about: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": AttemptId(f"{run}/{address}/{number}"),
        "run": RunId(run),
        "key": TaskKey.parse(address),
        "number": number,
        "token": f"token-{run}-{address}-{number}",
        "state": AttemptState.QUEUED,
        "notebook": "0" * 64,
        "created_at": NOW,
    }
    return Attempt(**{**values, **about})


def add(store: Store, run: str | Run = "r1", frozen: FrozenPipeline | None = None, engine: str = ENGINE) -> Lease:
    """Create a run with an owner."""
    frozen = frozen or a_frozen("extract", "load")
    made = a_run(run, frozen) if isinstance(run, str) else run
    lease = Lease(run=made.id, engine=engine, epoch=1, expires=NOW + TTL)
    assert store.add_run(made, task_runs(frozen), frozen, lease)
    return lease


def save(
    store: Store,
    lease: Lease,
    *,
    run: Mapping[str, Any] | None = None,
    tasks: Iterable[TaskRun] = (),
    attempts: Sequence[Attempt] = (),
    changes: Sequence[Change] = (),
    answers: Sequence[Answer] = (),
    notices: Sequence[Notice] = (),
    seen: int | None = None,
    pools: Mapping[str, int] | None = None,
) -> Run:
    """Apply a decision to the run of the lease; `run` has the fields of the run that change."""
    stored = store.load(lease.run).run
    decision = Decision(
        run=replace(stored, **(run or {})),
        tasks=tuple(tasks),
        attempts=tuple(attempts),
        changes=tuple(changes),
        answers=tuple(answers),
        notices=tuple(notices),
    )
    return store.apply(decision, seen=stored.version if seen is None else seen, lease=lease, pools=pools or {})


# --- values without a single default: what a store must give back ------------------------------------------------


def full_task(name: str = "extract") -> Task:
    return Task(
        name=TaskName(name),
        notebook=f"{name}.ipynb",
        depends_on=(),
        params={"day": "{{ run_date }}", "limit": 3},
        retries=Retries(max_retries=3, delay=timedelta(minutes=2), never_on=("PermissionError",)),
        timeout=timedelta(hours=1),
        cell_timeout=timedelta(seconds=90),
        pool="warehouse",
        pool_slots=2,
        priority=5,
        env={"A": "b"},
        secrets={"KEY": "stripe_key"},
        position=(1.5, 2.0),
    )


def full_run(frozen: FrozenPipeline, run: str = "r1") -> Run:
    return a_run(
        run,
        frozen,
        run_key="sched:2026-04-01T09:00:00Z",
        kind=RunKind.SCHEDULED,
        params={"region": "emea", "limit": 1.5, "nested": {"b": [1, None, True], "a": "é☃😀"}},
        run_date=date(2026, 3, 31),
        interval=DataInterval(NOW - timedelta(hours=25, microseconds=1), NOW - timedelta(hours=1)),
        created_by="ada",
        state=RunState.FAILED,
        started_at=NOW + timedelta(microseconds=1),
        ended_at=NOW + timedelta(seconds=1, microseconds=2),
        alerted_at=NOW + timedelta(seconds=1, microseconds=3),
        lent={TaskName("orders"): {"rows": 3}},
        version=4,
    )


def full_task_run(key: TaskKey, live: Attempt | None = None) -> TaskRun:
    return TaskRun(
        key=key,
        state=TaskState.RETRY_WAIT,
        notebook=a_notebook("another"),
        cause=Cause.KERNEL_DIED,
        reason="killed by SIGKILL",
        by_rule=True,
        set_by="ada",
        note="seen by ada",
        outputs={"rows": 1234, "path": "a\nb"},
        params={"day": "2026-04-01", "none": None},
        failures=2,
        strikes=1,
        attempts=3,
        live=live,
        then=TaskState.CANCELLED,
        not_before=NOW + timedelta(seconds=30, microseconds=5),
        started_at=NOW + timedelta(seconds=2),
        ended_at=NOW + timedelta(seconds=3),
    )


def full_attempt(run: str, address: str) -> Attempt:
    return an_attempt(
        run,
        address,
        3,
        state=AttemptState.FAILED,
        cause=Cause.ERROR,
        reason="ValueError: bad country",
        error=ErrorInfo(name="ValueError", message='bad "country"\n', bases=("Exception", "BaseException")),
        failing_cell=3,
        signal=9,
        exit_code=137,
        peak_memory=12 * 1024**3,
        kernel_start="warm",
        host="host",
        started_at=NOW + timedelta(seconds=4, microseconds=7),
        ended_at=NOW + timedelta(seconds=5, microseconds=8),
    )


def full_change(run: str, key: TaskKey | None) -> Change:
    return Change(
        at=NOW + timedelta(microseconds=9),
        run=RunId(run),
        pipeline=PipelineName("nightly"),
        event="task",
        key=key,
        attempt=3,
        backfill=7,
        before="queued",
        after="running",
        by="ada",
        note="because",
    )


def full_notice(**about: Any) -> Notice:
    values: dict[str, Any] = {
        "id": "failed/r1/4",
        "kind": NoticeKind.FAILED,
        "channels": ("ops",),
        "at": NOW + timedelta(microseconds=4),
        "pipeline": PipelineName("nightly"),
        "timezone": "America/Los_Angeles",
        "run": RunId("r1"),
        "key": TaskKey(TaskName("fit"), 3),
        "attempt": 2,
        "first": NOW - timedelta(hours=2),
        "last": NOW - timedelta(hours=1, microseconds=1),
        "text": "because",
    }
    return Notice(**{**values, **about})
