"""Decide what happens next in a run. Pure: no clock, no disk, no database.

`plan` makes a run of a frozen pipeline; `advance` turns facts into a Decision. Nothing here changes what it is given:
a Decision is saved first, then applied to the `LiveRun`, then its orders are carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, assert_never

from nbflow import operate, params, policy
from nbflow.draft import ABANDONED, Draft, start_order
from nbflow.errors import InvalidInput, NbflowError
from nbflow.live import LiveRun
from nbflow.model import AttemptId, DataInterval, FrozenNotebook, Pipeline, RunId, TaskKey, TaskName
from nbflow.policy import Retry
from nbflow.run import (
    Asked,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Decision,
    Fact,
    Run,
    RunAbandoned,
    RunOpened,
    SlotGranted,
    TaskRun,
)
from nbflow.states import AttemptState, Cause, RunKind, RunState, TaskState


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
    """A new run with its task runs, all waiting.

    Raises InvalidInput for parameters that do not fit, and for a template that needs the values of a task which is
    neither part of the run nor among those that `lent` gives values for.
    """
    _check_references(pipeline, lent or {})
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


def _check_references(pipeline: Pipeline, lent: Mapping[TaskName, Mapping[str, Any]]) -> None:
    for task in pipeline.tasks.values():
        named = params.tasks_named([dict(task.params), task.when, dict(task.env)])
        for name in sorted(named - pipeline.tasks.keys() - lent.keys()):
            raise InvalidInput(
                f"task '{task.name}' needs values of '{name}', which is left out",
                hint=f"Add --task {name}, or lend its values with --from RUN.",
            )


Allot = Callable[[Draft], Iterable[SlotGranted]]
"""Gives slots to task runs that are ready in a draft."""


def advance(live: LiveRun, facts: Iterable[Fact], now: datetime, allot: Allot | None = None) -> Decision:
    """What follows from the facts, and from the time: due retries, joins that are decided, the run's own state.

    With `allot`, what is ready after that can start by the same decision. Looks only at the tasks that a fact names and
    at their children. Facts that are repeated or late change nothing; a result with a wrong token is refused and noted
    in the change log.
    """
    draft = Draft(live, now)
    for fact in facts:
        _take(draft, fact)
    for key in live.due(now):
        _retry_is_due(draft, key)
    for grant in allot(draft) if allot is not None else ():
        _grant(draft, grant)
    return draft.decision()


def _take(draft: Draft, fact: Fact) -> None:
    match fact:
        case RunOpened():
            draft.settle(key for key, task in draft.live.tasks.items() if task.state is TaskState.WAITING)
        case SlotGranted():
            _grant(draft, fact)
        case AttemptStarted():
            _started(draft, fact)
        case AttemptEnded():
            _ended(draft, fact)
        case RunAbandoned():
            _abandon(draft)
        case Asked():
            operate.answer(draft, fact)
        case _:
            assert_never(fact)


def _grant(draft: Draft, fact: SlotGranted) -> None:
    task_run = draft.get(fact.key)
    if not task_run.is_ready:
        return
    try:
        order = start_order(draft, task_run, task_run.attempts + 1, fact.token)
    except NbflowError as error:
        draft.refuse(task_run, error)
        return
    attempt = Attempt(
        id=order.attempt,
        run=draft.run.id,
        key=fact.key,
        number=order.number,
        token=fact.token,
        state=AttemptState.QUEUED,
        notebook=task_run.notebook.sha256,
        created_at=draft.now,
        host=fact.host,
    )
    draft.put_attempt(attempt, None)
    draft.put(replace(task_run, live=attempt, attempts=attempt.number))
    draft.orders.append(order)


def _started(draft: Draft, fact: AttemptStarted) -> None:
    task_run = _owner(draft, fact)
    if task_run is None or task_run.live is None or task_run.live.state is not AttemptState.QUEUED:
        return
    draft.begun_at = draft.begun_at or fact.at
    attempt = replace(task_run.live, state=AttemptState.RUNNING, started_at=fact.at)
    draft.put_attempt(attempt, AttemptState.QUEUED)
    draft.put(
        replace(
            task_run,
            state=TaskState.RUNNING,
            live=attempt,
            started_at=task_run.started_at or fact.at,
            reason="",
            cause=None,
        )
    )


def _ended(draft: Draft, fact: AttemptEnded) -> None:
    task_run = _owner(draft, fact)
    if task_run is None or task_run.live is None:
        return
    draft.begun_at = draft.begun_at or task_run.live.started_at or fact.at
    draft.put_attempt(_ended_attempt(task_run.live, fact), task_run.live.state)
    # What an operator gave while it ran stays; see MarkRequested.
    given = task_run.outputs if task_run.then is not None else {}
    _conclude(draft, replace(task_run, live=None, outputs={**fact.outputs, **given}), fact)


def _owner(draft: Draft, fact: AttemptStarted | AttemptEnded) -> TaskRun | None:
    """The task run whose live attempt the fact is about; None, and noted, where there is none."""
    task_run = draft.get(_key_of(fact.attempt))
    live = task_run.live
    if live is not None and live.id == fact.attempt and live.token == fact.token:
        return task_run
    if isinstance(fact, AttemptEnded):
        draft.log("refused", task_run.key, attempt=_number_of(fact.attempt), note="a late or foreign result")
    return None


def _conclude(draft: Draft, task_run: TaskRun, fact: AttemptEnded) -> None:
    """What the end of its attempt makes of a task run."""
    ended_well_before_the_cancel = task_run.then is TaskState.CANCELLED and fact.state is AttemptState.SUCCESS
    if task_run.then is not None and not ended_well_before_the_cancel:
        _as_asked(draft, task_run, task_run.then, fact.at)
        return
    match fact.state:
        case AttemptState.SUCCESS:
            draft.end(task_run, TaskState.SUCCESS, at=fact.at)
        case AttemptState.SKIPPED:
            draft.end(task_run, TaskState.SKIPPED, at=fact.at, reason=fact.reason)
        case AttemptState.CANCELLED:
            draft.end(task_run, TaskState.CANCELLED, at=fact.at, cause=Cause.CANCELLED, reason=fact.reason)
        case _:
            _failed(draft, task_run, fact)


def _as_asked(draft: Draft, task_run: TaskRun, then: TaskState, at: datetime) -> None:
    """The operator's will, now that its attempt has ended."""
    if then is TaskState.WAITING:
        draft.back_to_waiting(task_run)
        draft.settle([task_run.key])
    elif then is TaskState.CANCELLED:
        draft.end(task_run, then, at=at, cause=Cause.CANCELLED, reason=task_run.reason)
    else:
        draft.end(task_run, then, at=at, by=task_run.set_by, note=task_run.note)


def _failed(draft: Draft, task_run: TaskRun, fact: AttemptEnded) -> None:
    cause = fact.cause or Cause.LOST
    own = cause.is_own_fault
    task_run = replace(
        task_run,
        failures=task_run.failures + (not own),
        strikes=task_run.strikes + 1 if own else 0,
    )
    reason = policy.reason(fact)
    choice = policy.after_failure(
        draft.live.task(task_run.key).retries,
        cause,
        fact.error,
        failures=task_run.failures,
        strikes=task_run.strikes,
        seed=f"{draft.run.id}/{task_run.key.address}",
    )
    if isinstance(choice, Retry):
        due = fact.at + choice.delay
        draft.put(replace(task_run, state=TaskState.RETRY_WAIT, not_before=due, cause=cause, reason=reason))
    else:
        why = f"{reason} ({choice.why})" if choice.why else reason
        draft.end(task_run, TaskState.FAILED, at=fact.at, cause=cause, reason=why)


def _abandon(draft: Draft) -> None:
    """Nothing starts any more: what is ready failed as lost, and the rest follows by its join rules."""
    draft.abandoned = True
    for key in draft.live.tasks:
        task_run = draft.get(key)
        if task_run.is_ready:
            draft.end(task_run, TaskState.FAILED, cause=Cause.LOST, reason=ABANDONED)
        elif task_run.state is TaskState.RETRY_WAIT:
            why = f"{task_run.reason} (the nbflow run that owned it ended before the retry)"
            draft.end(task_run, TaskState.FAILED, cause=task_run.cause, reason=why)
    draft.settle(key for key in draft.live.tasks if draft.get(key).state is TaskState.WAITING)


def _retry_is_due(draft: Draft, key: TaskKey) -> None:
    task_run = draft.get(key)
    if task_run.state is TaskState.RETRY_WAIT and task_run.not_before and task_run.not_before <= draft.now:
        draft.put(replace(task_run, state=TaskState.QUEUED, not_before=None))


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
