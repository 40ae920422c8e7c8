"""The run as it will be: the changes of one decision over the run as it is. Pure; joins decide themselves."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from nbflow import alerts, params, policy, repair
from nbflow.errors import NbflowError
from nbflow.live import LiveRun, Turn, View, judge
from nbflow.model import AttemptId, TaskKey, TaskName
from nbflow.notice import NoticeKind
from nbflow.policy import Verdict
from nbflow.run import Answer, Attempt, Change, Decision, Order, StartAttempt, TaskRun
from nbflow.states import (
    ATTEMPT_TRANSITIONS,
    RUN_TRANSITIONS,
    TASK_TERMINAL,
    TASK_TRANSITIONS,
    AttemptState,
    Cause,
    RunState,
    TaskState,
    check,
    in_words,
)
from nbflow.text import join_names

BLOCKS = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.CANCELLED})

ABANDONED = "the nbflow run that owned it ended before it could run"


class Draft:
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

    def ready(self) -> Iterator[Turn]:
        """As of the live run: queued task runs without an attempt, the one to start first first."""
        changed = sorted((self.live.start_order[key], key) for key, after in self.tasks.items() if after.is_ready)
        unchanged = ((order, key) for order, key in self.live.ready() if key not in self.tasks)
        return heapq.merge(changed, unchanged)

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
        notice = alerts.of_run(self.live, self.run, self.tasks, self.now)
        if notice is not None and notice.kind is NoticeKind.FAILED:
            self.run = replace(self.run, alerted_at=self.now)
        return Decision(
            run=self.run,
            tasks=tuple(self.tasks.values()),
            attempts=tuple(self.attempts.values()),
            changes=tuple(self.changes),
            answers=tuple(self.answers),
            orders=tuple(self.orders),
            notices=() if notice is None else (notice,),
        )

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
                why = f"its join rule {task.run_if} was not met: {self._upstreams(key, TASK_TERMINAL)}"
                ended = replace(task_run, state=TaskState.SKIPPED, reason=why)
            case Verdict.UPSTREAM_FAILED:
                why = f"blocked by {self._upstreams(key, BLOCKS)}"
                ended = replace(task_run, state=TaskState.UPSTREAM_FAILED, reason=why)
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

    def _upstreams(self, key: TaskKey, states: Collection[TaskState]) -> str:
        """Those that are in one of these states, and in which."""
        ups = ((up.address, self.get(up).state) for up in self.live.ups[key])
        return join_names(f"{name} ({in_words(state)})" for name, state in ups if state in states)

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

    def back_to_waiting(self, task_run: TaskRun, *, by: str | None = None) -> None:
        """To the beginning, with a fresh allowance; attempt numbers go on."""
        fresh = TaskRun(
            key=task_run.key, state=TaskState.WAITING, notebook=task_run.notebook, attempts=task_run.attempts
        )
        self.put(fresh, by=by)

    def _reopen_below(self, key: TaskKey) -> None:
        """What the join rule decided below a task set by hand is decided anew."""
        for down in repair.reopened(self, key):
            self.back_to_waiting(self.get(down))
        self.settle(repair.below(self, [key]))

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
    values: dict[str, tuple[str, Mapping[str, Any]]] = {
        name: (TaskState.SUCCESS.value, outputs) for name, outputs in view.run.lent.items()
    }
    values |= {up.task: (view.get(up).state.value, view.get(up).outputs) for up in named if up in live.tasks}
    return params.context(view.run, upstream=values, env=live.env)
