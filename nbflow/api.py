"""Everything a front end can ask or order, with the caller's role checked: the one path of CLI, REST and app."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import IntEnum
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import uuid4

from nbflow import lifecycle, params, repair, schedule
from nbflow import why as sentences
from nbflow.errors import Conflict, InvalidInput, InvalidManifest, NotAllowed, NotFound, Problem
from nbflow.live import LiveRun
from nbflow.model import DataInterval, Pipeline, PipelineName, RunId, Schedule, Task, TaskKey, TaskName
from nbflow.ports import (
    Clock,
    Definition,
    Driver,
    Logs,
    Owners,
    Progress,
    ReadStore,
    RunStore,
    StoredRun,
    Workspace,
)
from nbflow.run import (
    Attempt,
    CancelRequested,
    Change,
    MarkRequested,
    Request,
    ResetRequested,
    RetryNowRequested,
    Run,
    TaskRun,
)
from nbflow.schedule import Tick
from nbflow.states import RunKind, RunState, TaskState
from nbflow.text import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")


class Role(IntEnum):
    """What a caller may do; each role may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    EDITOR = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    name: str
    role: Role


def needs(
    role: Role,
) -> Callable[[Callable[Concatenate[Api, P], R]], Callable[Concatenate[Api, P], R]]:
    """Refuse a method of the api to callers below `role`."""

    def guard(method: Callable[Concatenate[Api, P], R]) -> Callable[Concatenate[Api, P], R]:
        @wraps(method)
        def checked(api: Api, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if api.caller.role < role:
                raise NotAllowed(
                    f"{api.caller.name} is {api.caller.role.name.lower()}; "
                    f"{method.__name__.replace('_', ' ')} needs {role.name.lower()}"
                )
            return method(api, *args, **kwargs)

        checked.role = role  # type: ignore[attr-defined]  # read by the test that every public method has one
        return checked

    return guard


class Store(RunStore, ReadStore, Protocol):
    """Both sides of one store."""


# --- views --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView:
    """A pipeline as it is on disk, with what its history says."""

    definition: Definition
    last_runs: tuple[Run, ...] = ()
    """Newest first."""
    next_tick: Tick | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding of `doctor`; `hint` says what to do where it is not fine."""

    name: str
    is_fine: bool
    message: str
    hint: str = ""


# --- the api --------------------------------------------------------------------------------------------------------


class Api:
    """Reads and commands for one caller. Methods raise NbflowError; nothing else is meant for people."""

    def __init__(
        self,
        *,
        caller: Caller,
        store: Store,
        workspace: Workspace,
        logs: Logs,
        clock: Clock,
        driver: Driver,
        owners: Owners,
        pools: Mapping[str, int] | None = None,
        checks: Sequence[Callable[[], Check]] = (),
    ) -> None:
        self.caller = caller
        self._store, self._workspace, self._logs, self._clock = store, workspace, logs, clock
        self._driver, self._owners = driver, owners
        self._pools, self._checks = pools or {}, checks

    # --- definitions -------------------------------------------------------------------------------------------

    @needs(Role.VIEWER)
    def validate(self, paths: Sequence[str] = ()) -> tuple[Problem, ...]:
        """Every problem of every manifest, or of those named."""
        definitions = [self._workspace.load(path) for path in paths] if paths else self._workspace.definitions()
        return tuple(problem for definition in definitions for problem in definition.problems)

    @needs(Role.VIEWER)
    def pipelines(self) -> tuple[PipelineView, ...]:
        """Every manifest of the project, broken ones too, with the last run of each."""
        return tuple(self._view(definition, runs=1) for definition in self._workspace.definitions())

    @needs(Role.VIEWER)
    def pipeline(self, name_or_path: str) -> PipelineView:
        """One pipeline with its last ten runs."""
        return self._view(self._workspace.load(name_or_path), runs=10)

    def _view(self, definition: Definition, *, runs: int) -> PipelineView:
        pipeline = definition.pipeline
        if pipeline is None:
            return PipelineView(definition=definition)
        tick = next(iter(schedule.ticks(pipeline.schedule, self._clock.now())), None) if pipeline.schedule else None
        return PipelineView(
            definition=definition,
            last_runs=tuple(self._store.list_runs(pipeline=pipeline.name, limit=runs)),
            next_tick=tick,
        )

    # --- reading -----------------------------------------------------------------------------------------------

    @needs(Role.VIEWER)
    def runs(self, pipeline: str | None = None, state: RunState | None = None, limit: int = 20) -> Sequence[Run]:
        """History, newest first."""
        name = PipelineName(pipeline) if pipeline else None
        return self._store.list_runs(pipeline=name, state=state, limit=limit)

    @needs(Role.VIEWER)
    def status(self, ref: str) -> RunView:
        """One run; `ref` as RUN of the command line."""
        stored = self._store.load(self._store.find_run(ref))
        attempts = self._store.attempts(stored.run.id)
        return RunView(
            stored=stored,
            attempts=attempts,
            notebooks={
                attempt.id: self._logs.folder(attempt.id, stored.run.pipeline) / "notebook.ipynb"
                for tried in attempts.values()
                for attempt in tried
            },
        )

    @needs(Role.VIEWER)
    def log(self, ref: str, task: str, number: int | None = None) -> LogView:
        """The executed notebook of an attempt, by default the latest."""
        view = self.status(ref)
        key = _live(view.stored).get(TaskKey.parse(task)).key
        tried = view.attempts.get(key, ())
        chosen = [attempt for attempt in tried if number in {None, attempt.number}]
        if not chosen:
            which = f"attempt {number}" if number else "attempt"
            raise NotFound(f"task '{key.address}' of run {view.run.id} has no {which}", hint=self.why(ref, task))
        notebook = self._logs.notebook(chosen[-1].id, view.run.pipeline)
        return LogView(attempt=chosen[-1], path=view.notebooks[chosen[-1].id], notebook=notebook)

    @needs(Role.VIEWER)
    def progress(self, run: Run, attempt: Attempt) -> Progress | None:
        """How far a running attempt has come."""
        return self._logs.progress(attempt.id, run.pipeline)

    @needs(Role.VIEWER)
    def usual_seconds(self, pipeline: PipelineName) -> Mapping[TaskName, float]:
        """What each task usually takes."""
        return self._store.usual_seconds(pipeline)

    @needs(Role.VIEWER)
    def changes(self, after: int = 0, ref: str | None = None) -> Sequence[Change]:
        """The change log, of one run or of all."""
        return self._store.changes(after, run=self._store.find_run(ref) if ref else None)

    @needs(Role.VIEWER)
    def why(self, ref: str, task: str) -> str:
        """One sentence: why a task run stands where it stands."""
        stored = self._store.load(self._store.find_run(ref))
        live = _live(stored)
        key = live.get(TaskKey.parse(task)).key
        return sentences.why(
            live,
            key,
            self._clock.now(),
            pools=self._pools,
            holders=self._store.pool_holders(),
            usual=self._store.usual_seconds(stored.run.pipeline),
            owner_is_alive=self._has_owner(stored.run.id),
        )

    @needs(Role.VIEWER)
    def doctor(self) -> tuple[Check, ...]:
        """Every check of the installation, in order."""
        return tuple(check() for check in self._checks)

    # --- runs --------------------------------------------------------------------------------------------------

    @needs(Role.OPERATOR)
    def create_run(
        self,
        name_or_path: str,
        *,
        given: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        when: date | datetime | None = None,
        tasks: Sequence[str] = (),
        lend_from: str | None = None,
        key: str | None = None,
    ) -> Run:
        """A new manual run, owned by this process; drive it with `drive`.

        `given` are parameter values, `texts` values as a person typed them. `when` is a date, meaning its first tick,
        or an instant. `tasks` limits the run to some tasks; `lend_from` names a run whose reported values stand in
        for those left out. `key` makes the creation idempotent: the second call returns the first run.
        """
        definition = self._workspace.load(name_or_path)
        pipeline = _usable(definition)
        chosen = [_task(pipeline.tasks, name) for name in tasks]
        lent = self._lend(lend_from, pipeline.name, [name for name in pipeline.tasks if name not in chosen])
        frozen = self._workspace.freeze(definition, chosen or None)
        now = self._clock.now()
        logical_date, run_date, interval = _dates(pipeline.schedule, when, now)
        run_id = RunId(_new_id(now))
        run, task_runs = lifecycle.plan(
            frozen.pipeline,
            frozen.notebooks,
            run_id=run_id,
            manifest=frozen.sha256,
            given={**(given or {}), **params.parse_texts(pipeline.params, texts or {})},
            kind=RunKind.MANUAL,
            run_key=f"key:{key}" if key else f"manual:{run_id}",
            logical_date=logical_date,
            run_date=run_date,
            interval=interval,
            now=now,
            by=self.caller.name,
            lent=lent if chosen else {},
        )
        if self._store.add_run(run, task_runs, frozen, self._driver.lease(run_id, now)):
            return run
        return self._store.load(self._store.run_of_key(run.pipeline, run.run_key)).run

    def _lend(
        self, ref: str | None, pipeline: PipelineName, left_out: Sequence[TaskName]
    ) -> Mapping[TaskName, Mapping[str, Any]]:
        if ref is None:
            return {}
        lender = self._store.load(self._store.find_run(ref))
        if lender.run.pipeline != pipeline:
            raise InvalidInput(f"run {lender.run.id} is of pipeline '{lender.run.pipeline}', not of '{pipeline}'")
        finished = {key.task: task.outputs for key, task in lender.tasks.items() if task.state is TaskState.SUCCESS}
        return {name: outputs for name, outputs in finished.items() if name in left_out}

    @needs(Role.OPERATOR)
    def drive(self, run: RunId, watch: Callable[[LiveRun], None] | None = None) -> Run:
        """Carry a run to its end here; returns it as it ended."""
        return self._driver.drive(run, watch)

    # --- operator actions (semantics §6) -------------------------------------------------------------------------

    @needs(Role.OPERATOR)
    def preview_rerun(self, ref: str, request: ResetRequested) -> RepairView:
        """What `rerun` would do. Raises what it would raise."""
        live = _live(self._store.load(self._store.find_run(ref)))
        again = repair.to_reset(live, request)
        finished = (key for key, task in live.tasks.items() if task.state.is_terminal and key not in again)
        return RepairView(
            again=again,
            changed=repair.changed_notebooks(live, again, request.notebooks),
            old_params=tuple(finished) if request.params else (),
        )

    @needs(Role.OPERATOR)
    def repair_request(
        self,
        ref: str,
        *,
        tasks: Sequence[str] = (),
        only: bool = False,
        texts: Mapping[str, str] | None = None,
        frozen: bool = False,
        kill: bool = False,
        note: str = "",
    ) -> ResetRequested:
        """The repair that a person described, with fresh copies of the notebooks unless `frozen`."""
        stored = self._store.load(self._store.find_run(ref))
        live = _live(stored)
        request = ResetRequested(
            by=self.caller.name,
            keys=tuple(live.get(TaskKey.parse(task)).key for task in tasks),
            only=only,
            params=params.parse_texts(stored.pipeline.params, texts or {}),
            kill=kill,
            note=note,
        )
        params.merge(stored.pipeline.params, {**stored.run.params, **request.params})
        if frozen:
            return request
        again = {key.task: live.tasks[key].notebook for key in repair.to_reset(live, request)}
        return replace(request, notebooks=self._workspace.refreeze(stored.pipeline, again))

    @needs(Role.OPERATOR)
    def rerun(self, ref: str, request: ResetRequested, watch: Callable[[LiveRun], None] | None = None) -> Run:
        """Repair a run, and carry it to its end here unless a live owner does so."""
        return self._order(ref, request, watch)

    @needs(Role.OPERATOR)
    def mark(
        self,
        ref: str,
        task: str,
        state: TaskState,
        *,
        outputs: Mapping[str, Any] | None = None,
        note: str = "",
        kill: bool = False,
        watch: Callable[[LiveRun], None] | None = None,
    ) -> Run:
        """Set a task run's state by hand; what that sets free runs."""
        request = MarkRequested(
            by=self.caller.name, key=self._key(ref, task), state=state, outputs=outputs or {}, note=note, kill=kill
        )
        return self._order(ref, request, watch)

    @needs(Role.OPERATOR)
    def cancel(self, ref: str, task: str | None = None, *, note: str = "") -> Run:
        """Stop a run or one of its task runs."""
        key = self._key(ref, task) if task else None
        return self._order(ref, CancelRequested(by=self.caller.name, key=key, note=note), None)

    @needs(Role.OPERATOR)
    def retry_now(self, ref: str, task: str, *, note: str = "") -> Run:
        """Start a task run that waits for its retry at once."""
        return self._order(ref, RetryNowRequested(by=self.caller.name, key=self._key(ref, task), note=note), None)

    def _key(self, ref: str, task: str) -> TaskKey:
        """Raises NotFound with the nearest name, before anything is asked of the run's owner."""
        return _live(self._store.load(self._store.find_run(ref))).get(TaskKey.parse(task)).key

    def _order(self, ref: str, request: Request, watch: Callable[[LiveRun], None] | None) -> Run:
        """Leave the request for the run's owner; where none lives, own the run and carry it out."""
        run = self._store.find_run(ref)
        number = self._store.ask(run, request, now=self._clock.now())
        if not self._has_owner(run):
            self._driver.drive(run, watch)
        while (answer := self._store.answer(number)) is None:
            time.sleep(0.1)
            if not self._has_owner(run):
                self._driver.drive(run, watch)
        if answer:
            raise Conflict(answer)
        return self._store.load(run).run

    def _has_owner(self, run: RunId) -> bool:
        now = self._clock.now()
        return any(lease.run == run and self._owners.is_alive(lease, now) for lease in self._store.owned())

    @needs(Role.OPERATOR)
    def close_abandoned(self) -> Sequence[RunId]:
        """End the runs whose `nbflow run` is gone."""
        now = self._clock.now()
        if all(self._owners.is_alive(lease, now) for lease in self._store.owned()):
            return ()
        return self._driver.close_abandoned()


def next_ticks(view: PipelineView, after: datetime, count: int) -> tuple[Tick, ...]:
    """The next `count` ticks of a pipeline's schedule. Raises InvalidInput where it has none."""
    pipeline = _usable(view.definition)
    if pipeline.schedule is None:
        raise InvalidInput(f"pipeline '{pipeline.name}' has no schedule", hint="It starts only by hand.")
    found = schedule.ticks(pipeline.schedule, after)
    return tuple(tick for tick, _ in zip(found, range(count), strict=False))


def _usable(definition: Definition) -> Pipeline:
    if definition.pipeline is None:
        raise InvalidManifest(definition.problems)
    return definition.pipeline


def _task(tasks: Mapping[TaskName, Task], name: str) -> TaskName:
    if TaskName(name) not in tasks:
        raise NotFound(f"there is no task '{name}'", hint=did_you_mean(name, tasks))
    return TaskName(name)


def _dates(timing: Schedule | None, when: date | datetime | None, now: datetime) -> tuple[datetime, date, DataInterval]:
    if isinstance(when, datetime) or when is None:
        return schedule.for_instant(timing, when or now)
    return schedule.for_date(timing, when)


def _live(stored: StoredRun) -> LiveRun:
    return LiveRun(stored.run, stored.pipeline, stored.tasks)


def _new_id(now: datetime) -> str:
    """Sorts by time and reads as one: `20260401-020000-3f9a1c`."""
    return f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"
