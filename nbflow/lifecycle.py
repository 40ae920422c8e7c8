"""Decide what happens next in a run. Pure: no clock, no disk, no database.

`plan` makes a run of a frozen pipeline; `advance` turns facts into a Decision. Nothing here changes what it is given:
a Decision is saved first, then applied to the `LiveRun`, then its orders are carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, assert_never

from nbflow import params, policy, repair
from nbflow.errors import NbflowError
from nbflow.live import LiveRun, View, judge
from nbflow.model import AttemptId, DataInterval, FrozenNotebook, Pipeline, RunId, TaskKey, TaskName
from nbflow.policy import Retry, Verdict
from nbflow.run import (
    Answer,
    Asked,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    Change,
    Decision,
    Fact,
    MarkRequested,
    Order,
    ResetRequested,
    RetryNowRequested,
    Run,
    RunAbandoned,
    RunOpened,
    SlotGranted,
    StartAttempt,
    StopAttempt,
    TaskRun,
)
from nbflow.states import (
    ATTEMPT_TRANSITIONS,
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    AttemptState,
    Cause,
    RunKind,
    RunState,
    TaskState,
    check,
)
from nbflow.text import join_names

ABANDONED = "the nbflow run that owned it ended before it could run"


def plan(
    pipeline: Pipeline,
    notebooks: Mapping[TaskName, FrozenNotebook],
    *,
    run_id: RunId,
    manifest: str,
    given: Mapping[str, Any],
    kind: RunKind,
    run_key: str,
    logical_date: datetime,
    run_date: date,
    interval: DataInterval,
    now: datetime,
    by: str = "",
    lent: Mapping[TaskName, Mapping[str, Any]] | None = None,
) -> tuple[Run, tuple[TaskRun, ...]]:
    """A new run with its task runs, all waiting. Raises InvalidInput for parameters that do not fit."""
    run = Run(
        id=run_id,
        pipeline=pipeline.name,
        run_key=run_key,
        kind=kind,
        state=RunState.QUEUED,
        manifest=manifest,
        params=params.merge(pipeline.params, given),
        logical_date=logical_date,
        run_date=run_date,
        interval=interval,
        created_at=now,
        created_by=by,
        lent=lent or {},
    )
    return run, tuple(
        TaskRun(key=TaskKey(name), state=TaskState.WAITING, notebook=notebooks[name]) for name in pipeline.tasks
    )


def advance(live: LiveRun, facts: Iterable[Fact], now: datetime) -> Decision:
    """What follows from the facts, and from the time: due retries, joins that are decided, the run's own state.

    Looks only at the tasks that a fact names and at their children. Facts that are repeated or late change nothing; a
    result with a wrong token is refused and noted in the change log.
    """
    draft = _Draft(live, now)
    for fact in facts:
        draft.take(fact)
    for key in live.due(now):
        draft.retry_is_due(key)
    return draft.decision()


class _Draft:
    """The run as it will be: changed task runs over the unchanged ones, and what must be done about it."""

    def __init__(self, live: LiveRun, now: datetime) -> None:
        self.live = live
        self.now = now
        self.run = live.run
        self.tasks: dict[TaskKey, TaskRun] = {}
        self.tallies: dict[TaskKey, policy.Tally] = {}
        self.counts = live.counts.copy()
        self.unexcused = live.unexcused
        self.attempts: dict[AttemptId, Attempt] = {}
        self.changes: list[Change] = []
        self.answers: list[Answer] = []
        self.orders: list[Order] = []
        self.abandoned = False
        self.begun_at: datetime | None = None

    # --- reading and writing ---------------------------------------------------------------------------------

    def get(self, key: TaskKey) -> TaskRun:
        return self.tasks.get(key) or self.live.tasks[key]

    def put(self, after: TaskRun, *, by: str | None = None, note: str | None = None) -> None:
        before = self.get(after.key)
        self.tasks[after.key] = after
        if after.state is before.state:
            return
        check(TASK_TRANSITIONS, before.state, after.state)
        self.counts[before.state] -= 1
        self.counts[after.state] += 1
        self.unexcused += self.live.is_unexcused(after) - self.live.is_unexcused(before)
        self.log("task", after.key, before=before.state, after=after.state, by=by, note=note or after.reason or None)
        for down in self.live.downs[after.key]:
            tally = self.tallies.get(down) or self.live.tallies[down].copy()
            tally.move(before.state, after.state)
            self.tallies[down] = tally

    def put_attempt(self, after: Attempt, before: AttemptState | None) -> None:
        if before is not None:
            check(ATTEMPT_TRANSITIONS, before, after.state)
        self.attempts[after.id] = after
        self.log("attempt", after.key, attempt=after.number, before=before, after=after.state)

    def log(self, event: str, key: TaskKey | None = None, **about: Any) -> None:
        self.changes.append(
            Change(at=self.now, run=self.run.id, pipeline=self.run.pipeline, event=event, key=key, **about)
        )

    def decision(self) -> Decision:
        self._judge()
        return Decision(
            run=self.run,
            tasks=tuple(self.tasks.values()),
            attempts=tuple(self.attempts.values()),
            changes=tuple(self.changes),
            answers=tuple(self.answers),
            orders=tuple(self.orders),
        )

    # --- facts -----------------------------------------------------------------------------------------------

    def take(self, fact: Fact) -> None:
        match fact:
            case RunOpened():
                self.settle(key for key, task in self.live.tasks.items() if task.state is TaskState.WAITING)
            case SlotGranted():
                self._grant(fact)
            case AttemptStarted():
                self._started(fact)
            case AttemptEnded():
                self._ended(fact)
            case RunAbandoned():
                self._abandon()
            case Asked():
                self._answer(fact)
            case _:
                assert_never(fact)

    def _grant(self, fact: SlotGranted) -> None:
        task_run = self.get(fact.key)
        if task_run.state is not TaskState.QUEUED or task_run.live is not None:
            return
        try:
            order = start_order(self, task_run, task_run.attempts + 1, fact.token)
        except NbflowError as error:
            self.refuse(task_run, error)
            return
        attempt = Attempt(
            id=order.attempt,
            run=self.run.id,
            key=fact.key,
            number=order.number,
            token=fact.token,
            state=AttemptState.QUEUED,
            notebook=task_run.notebook.sha256,
            created_at=self.now,
            host=fact.host,
        )
        self.put_attempt(attempt, None)
        self.put(replace(task_run, live=attempt, attempts=attempt.number))
        self.orders.append(order)

    def _started(self, fact: AttemptStarted) -> None:
        task_run = self._owner(fact)
        if task_run is None or task_run.live is None or task_run.live.state is not AttemptState.QUEUED:
            return
        self.begun_at = self.begun_at or fact.at
        attempt = replace(task_run.live, state=AttemptState.RUNNING, started_at=fact.at)
        self.put_attempt(attempt, AttemptState.QUEUED)
        self.put(
            replace(
                task_run,
                state=TaskState.RUNNING,
                live=attempt,
                started_at=task_run.started_at or fact.at,
                reason="",
                cause=None,
            )
        )

    def _ended(self, fact: AttemptEnded) -> None:
        task_run = self._owner(fact)
        if task_run is None or task_run.live is None:
            return
        self.begun_at = self.begun_at or task_run.live.started_at or fact.at
        self.put_attempt(_ended_attempt(task_run.live, fact), task_run.live.state)
        self._conclude(replace(task_run, live=None, outputs=fact.outputs), fact)

    def _owner(self, fact: AttemptStarted | AttemptEnded) -> TaskRun | None:
        """The task run whose live attempt the fact is about; None, and noted, where there is none."""
        task_run = self.get(_key_of(fact.attempt))
        live = task_run.live
        if live is not None and live.id == fact.attempt and live.token == fact.token:
            return task_run
        if isinstance(fact, AttemptEnded):
            self.log("refused", task_run.key, attempt=_number_of(fact.attempt), note="a late or foreign result")
        return None

    def _conclude(self, task_run: TaskRun, fact: AttemptEnded) -> None:
        """What the end of its attempt makes of a task run."""
        ended_well_before_the_cancel = task_run.then is TaskState.CANCELLED and fact.state is AttemptState.SUCCESS
        if task_run.then is not None and not ended_well_before_the_cancel:
            self._as_asked(task_run, task_run.then, fact.at)
            return
        match fact.state:
            case AttemptState.SUCCESS:
                self.end(task_run, TaskState.SUCCESS, at=fact.at)
            case AttemptState.SKIPPED:
                self.end(task_run, TaskState.SKIPPED, at=fact.at, reason=fact.reason)
            case AttemptState.CANCELLED:
                self.end(task_run, TaskState.CANCELLED, at=fact.at, cause=Cause.CANCELLED, reason=fact.reason)
            case _:
                self._failed(task_run, fact)

    def _as_asked(self, task_run: TaskRun, then: TaskState, at: datetime) -> None:
        """The operator's will, now that its attempt has ended."""
        if then is TaskState.WAITING:
            self._back_to_waiting(task_run)
            self.settle([task_run.key])
        elif then is TaskState.CANCELLED:
            self.end(task_run, then, at=at, cause=Cause.CANCELLED, reason=task_run.reason)
        else:
            self.end(task_run, then, at=at, by=task_run.set_by, note=task_run.note)

    def _failed(self, task_run: TaskRun, fact: AttemptEnded) -> None:
        cause = fact.cause or Cause.LOST
        own = cause.is_own_fault
        task_run = replace(
            task_run,
            failures=task_run.failures + (not own),
            strikes=task_run.strikes + 1 if own else 0,
        )
        reason = policy.reason(fact)
        choice = policy.after_failure(
            self.live.task(task_run.key).retries,
            cause,
            fact.error,
            failures=task_run.failures,
            strikes=task_run.strikes,
            seed=f"{self.run.id}/{task_run.key.address}",
        )
        if isinstance(choice, Retry):
            due = fact.at + choice.delay
            self.put(replace(task_run, state=TaskState.RETRY_WAIT, not_before=due, cause=cause, reason=reason))
        else:
            why = f"{reason} ({choice.why})" if choice.why else reason
            self.end(task_run, TaskState.FAILED, at=fact.at, cause=cause, reason=why)

    def _abandon(self) -> None:
        """Nothing starts any more: what is ready failed as lost, and the rest follows by its join rules."""
        self.abandoned = True
        for key in self.live.tasks:
            task_run = self.get(key)
            if task_run.state is TaskState.QUEUED and task_run.live is None:
                self.end(task_run, TaskState.FAILED, cause=Cause.LOST, reason=ABANDONED)
            elif task_run.state is TaskState.RETRY_WAIT:
                why = f"{task_run.reason} (the nbflow run that owned it ended before the retry)"
                self.end(task_run, TaskState.FAILED, cause=task_run.cause, reason=why)
        self.settle(key for key in self.live.tasks if self.get(key).state is TaskState.WAITING)

    def retry_is_due(self, key: TaskKey) -> None:
        task_run = self.get(key)
        if task_run.state is TaskState.RETRY_WAIT and task_run.not_before and task_run.not_before <= self.now:
            self.put(replace(task_run, state=TaskState.QUEUED, not_before=None))

    # --- joins -----------------------------------------------------------------------------------------------

    def settle(self, keys: Iterable[TaskKey]) -> None:
        """Decide the waiting ones among `keys`, and what follows from that, down the graph."""
        todo = list(keys)
        while todo:
            key = todo.pop()
            if self.get(key).state is TaskState.WAITING and self._decide(key):
                todo.extend(self.live.downs[key])

    def _decide(self, key: TaskKey) -> bool:
        """Apply the join rule; True if the task run has ended by it."""
        task_run, task = self.get(key), self.live.task(key)
        tally = self.tallies.get(key) or self.live.tallies[key]
        match policy.join(task.run_if, tally):
            case Verdict.WAIT:
                return False
            case Verdict.RUN:
                return self._make_ready(task_run)
            case Verdict.SKIP:
                ended = replace(task_run, state=TaskState.SKIPPED, reason=f"its join rule {task.run_if} was not met")
            case Verdict.UPSTREAM_FAILED:
                ended = replace(task_run, state=TaskState.UPSTREAM_FAILED, reason=self._blocked_by(key))
            case Verdict.CANCELLED:
                ended = replace(
                    task_run, state=TaskState.CANCELLED, cause=Cause.CANCELLED, reason="an upstream task was cancelled"
                )
        self.put(replace(ended, by_rule=True, ended_at=self.now))
        return True

    def _make_ready(self, task_run: TaskRun) -> bool:
        task = self.live.task(task_run.key)
        try:
            names = context(self, task_run.key)
            if not params.condition(task.when, names):
                self.put(replace(task_run, state=TaskState.SKIPPED, reason="its condition is false", ended_at=self.now))
                return True
            resolved = params.resolve_for(task_run.notebook.params, task.params, names)
            params.resolve(dict(task.env), names)
        except NbflowError as error:
            self.refuse(task_run, error, settle=False)
            return True
        ready = replace(task_run, params=resolved, by_rule=False, reason="")
        if self.abandoned:
            self.put(replace(ready, state=TaskState.FAILED, cause=Cause.LOST, reason=ABANDONED, ended_at=self.now))
            return True
        self.put(replace(ready, state=TaskState.QUEUED))
        return False

    def _blocked_by(self, key: TaskKey) -> str:
        bad = {TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.CANCELLED}
        named = join_names(
            f"{up.address} ({self.get(up).state})" for up in self.live.ups[key] if self.get(up).state in bad
        )
        return f"blocked by {named}"

    # --- what operators ask (semantics §6) -------------------------------------------------------------------

    def _answer(self, asked: Asked) -> None:
        """Carry out a request whole, or not at all."""
        try:
            match asked.request:
                case CancelRequested():
                    self._cancel(asked.request)
                case ResetRequested():
                    self._reset(asked.request)
                case MarkRequested():
                    self._mark(asked.request)
                case RetryNowRequested():
                    self._retry_now(asked.request)
                case _:
                    assert_never(asked.request)
        except NbflowError as error:
            self.answers.append(Answer(id=asked.id, error=str(error)))
            self.log("refused", getattr(asked.request, "key", None), by=asked.request.by, note=str(error))
        else:
            self.answers.append(Answer(id=asked.id))

    def _cancel(self, request: CancelRequested) -> None:
        keys = repair.to_cancel(self, request)
        self.log("cancel", request.key, by=request.by, note=request.note or None)
        for key in keys:
            task_run = self.get(key)
            if task_run.live is None:
                self.end(
                    task_run,
                    TaskState.CANCELLED,
                    cause=Cause.CANCELLED,
                    reason=f"cancelled by {request.by}",
                    settle=request.key is not None,
                )
            else:
                self.put(
                    replace(
                        task_run,
                        then=TaskState.CANCELLED,
                        set_by=request.by,
                        reason=f"cancelled by {request.by}",
                    )
                )
                self._stop(task_run, request.by, request.grace)

    def _reset(self, request: ResetRequested) -> None:
        keys = repair.to_reset(self, request)
        self.log("reset", by=request.by, note=request.note or f"again: {join_names(key.address for key in keys)}")
        self.run = replace(self.run, params={**self.run.params, **request.params})
        for key in keys:
            task_run = replace(self.get(key), notebook=request.notebooks.get(key.task, self.get(key).notebook))
            if task_run.live is None:
                self._back_to_waiting(task_run, by=request.by)
            else:
                self.put(replace(task_run, then=TaskState.WAITING, set_by=request.by))
                self._stop(task_run, request.by, timedelta(0))
        self.settle(keys)

    def _mark(self, request: MarkRequested) -> None:
        task_run = repair.to_mark(self, request)
        outputs = {**task_run.outputs, **request.outputs}
        self.log("mark", request.key, after=request.state, by=request.by, note=request.note or None)
        if task_run.live is not None:
            self.put(replace(task_run, then=request.state, set_by=request.by, note=request.note, outputs=outputs))
            self._stop(task_run, request.by, timedelta(0))
            return
        marked = replace(task_run, outputs=outputs, then=None, failures=0, strikes=0)
        self.end(marked, request.state, by=request.by, note=request.note)

    def _retry_now(self, request: RetryNowRequested) -> None:
        task_run = repair.to_retry_now(self, request)
        self.log("retry_now", request.key, by=request.by, note=request.note or None)
        self.put(replace(task_run, state=TaskState.QUEUED, not_before=None), by=request.by)

    def _stop(self, task_run: TaskRun, by: str, grace: timedelta) -> None:
        if task_run.live is not None:
            self.orders.append(StopAttempt(attempt=task_run.live.id, token=task_run.live.token, by=by, grace=grace))

    # --- endings ---------------------------------------------------------------------------------------------

    def end(
        self,
        task_run: TaskRun,
        state: TaskState,
        *,
        at: datetime | None = None,
        cause: Cause | None = None,
        reason: str = "",
        by: str | None = None,
        note: str | None = None,
        settle: bool = True,
    ) -> None:
        """The task run has ended; `by` says that a person decided so."""
        self.put(
            replace(
                task_run,
                state=state,
                cause=cause,
                reason=reason,
                by_rule=False,
                set_by=by,
                note=note,
                then=None,
                not_before=None,
                ended_at=at or self.now,
            ),
            by=by,
            note=note,
        )
        if by is not None:
            self._reopen_below(task_run.key)
        if settle:
            self.settle(self.live.downs[task_run.key])

    def refuse(self, task_run: TaskRun, error: NbflowError, *, settle: bool = True) -> None:
        """The task run cannot start: its parameters do not fit, and trying again would not help."""
        self.end(task_run, TaskState.FAILED, cause=Cause.INVALID, reason=str(error), settle=settle)

    def _back_to_waiting(self, task_run: TaskRun, *, by: str | None = None) -> None:
        """To the beginning, with a fresh allowance; attempt numbers go on."""
        fresh = TaskRun(
            key=task_run.key, state=TaskState.WAITING, notebook=task_run.notebook, attempts=task_run.attempts
        )
        self.put(fresh, by=by)

    def _reopen_below(self, key: TaskKey) -> None:
        """What the join rule decided below a task set by hand is decided anew."""
        below = [self.get(down) for down in repair.below(self, [key])]
        for task_run in below:
            if task_run.by_rule:
                self._back_to_waiting(task_run)
        self.settle(task_run.key for task_run in below)

    # --- orders and templates --------------------------------------------------------------------------------

    # --- the run itself --------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """The run's state after every change (semantics §2)."""
        before = self.run.state
        after = judge(self.counts, self.unexcused) or self._unfinished_state()
        if after is before:
            return
        check(RUN_TRANSITIONS, before, after)
        self.run = replace(
            self.run,
            state=after,
            started_at=self.run.started_at or self.begun_at,
            ended_at=self.now if after.is_terminal else None,
        )
        self.log("run", before=before, after=after)

    def _unfinished_state(self) -> RunState:
        if self.begun_at is not None:
            return RunState.RUNNING
        return RunState.QUEUED if self.run.state.is_terminal else self.run.state


def start_order(view: View, task_run: TaskRun, number: int, token: str) -> StartAttempt:
    """The order for one attempt of a task run that is ready. Raises InvalidInput where a template fails."""
    live, key = view.live, task_run.key
    task, run = live.task(key), view.run
    env = params.resolve(dict(task.env), context(view, key))
    return StartAttempt(
        attempt=AttemptId(f"{run.id}/{key.address}/{number}"),
        token=token,
        run=run.id,
        pipeline=run.pipeline,
        key=key,
        number=number,
        notebook=task_run.notebook,
        params=task_run.params or {},
        kernel=task.kernel or task_run.notebook.kernel,
        env={name: str(value) for name, value in env.items()},
        secrets=task.secrets,
        logical_date=run.logical_date,
        run_date=run.run_date,
        timeout=task.timeout,
        cell_timeout=task.cell_timeout,
    )


def context(view: View, key: TaskKey) -> Mapping[str, Any]:
    """What the templates of a task may name, with the upstreams as they stand."""
    live = view.live
    task = live.task(key)
    named = {TaskKey(TaskName(name)) for name in params.tasks_named([task.params, task.when, dict(task.env)])}
    upstream = {up.task: (view.get(up).state.value, view.get(up).outputs) for up in named if up in live.tasks}
    lent = {name: (TaskState.SUCCESS.value, outputs) for name, outputs in view.run.lent.items()}
    return params.context(view.run, upstream={**lent, **upstream}, env=live.env)


def _ended_attempt(attempt: Attempt, fact: AttemptEnded) -> Attempt:
    return replace(
        attempt,
        state=fact.state,
        cause=fact.cause,
        reason=fact.reason,
        error=fact.error,
        failing_cell=fact.failing_cell,
        signal=fact.signal,
        exit_code=fact.exit_code,
        peak_memory=fact.peak_memory,
        kernel_start=fact.kernel_start,
        ended_at=fact.at,
    )


def _key_of(attempt: AttemptId) -> TaskKey:
    return TaskKey.parse(attempt.rsplit("/", 2)[1])


def _number_of(attempt: AttemptId) -> int:
    return int(attempt.rsplit("/", 1)[1])
