"""Carry out what an operator asks of a run (semantics §6), whole or not at all. Pure: the changes go into a Draft."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from nbflow import repair
from nbflow.draft import Draft
from nbflow.errors import NbflowError
from nbflow.model import GRACE
from nbflow.run import (
    Answer,
    Asked,
    CancelRequested,
    MarkRequested,
    ResetRequested,
    RetryNowRequested,
    StopAttempt,
    TaskRun,
)
from nbflow.states import Cause, RunKind, TaskState
from nbflow.text import join_names


def answer(draft: Draft, asked: Asked) -> None:
    """Carry out a request whole, or not at all."""
    try:
        match asked.request:
            case CancelRequested():
                _cancel(draft, asked.request)
            case ResetRequested():
                _reset(draft, asked.request)
            case MarkRequested():
                _mark(draft, asked.request)
            case RetryNowRequested():
                _retry_now(draft, asked.request)
            case _:
                assert_never(asked.request)
    except NbflowError as error:
        draft.answers.append(Answer(id=asked.id, error=str(error)))
        draft.log("refused", getattr(asked.request, "key", None), by=asked.request.by, note=str(error))
    else:
        draft.answers.append(Answer(id=asked.id))


def stop_wanted(task_run: TaskRun, grace: timedelta | None = None) -> StopAttempt | None:
    """The order to end an attempt, where an operator wants something else of its task run. The grace is the usual one
    by default: of a cancel 10 s, else none."""
    if task_run.live is None or task_run.then is None:
        return None
    if grace is None:
        grace = GRACE if task_run.then is TaskState.CANCELLED else timedelta(0)
    return StopAttempt(attempt=task_run.live.id, token=task_run.live.token, by=task_run.set_by or "", grace=grace)


def _cancel(draft: Draft, request: CancelRequested) -> None:
    keys = repair.to_cancel(draft, request)
    reason = f"cancelled by {request.by}: {request.note}" if request.note else f"cancelled by {request.by}"
    draft.log("cancel", request.key, by=request.by, note=request.note or None)
    for key in keys:
        task_run = draft.get(key)
        if task_run.live is None:
            draft.end(
                task_run,
                TaskState.CANCELLED,
                cause=Cause.CANCELLED,
                reason=reason,
                settle=request.key is not None,
            )
        else:
            _stop(draft, replace(task_run, then=TaskState.CANCELLED, set_by=request.by, reason=reason), request.grace)


def _reset(draft: Draft, request: ResetRequested) -> None:
    keys = repair.to_reset(draft, request)
    draft.log("reset", by=request.by, note=request.note or f"again: {join_names(key.address for key in keys)}")
    kind = RunKind.BACKFILL if request.is_backfill else draft.run.kind
    draft.run = replace(draft.run, kind=kind, params={**draft.run.params, **request.params}, alerted_at=None)
    for key in keys:
        task_run = replace(draft.get(key), notebook=request.notebooks.get(key.task, draft.get(key).notebook))
        if task_run.live is None:
            draft.back_to_waiting(task_run, by=request.by)
        else:
            _stop(draft, replace(task_run, then=TaskState.WAITING, set_by=request.by))
    draft.settle(keys)


def _mark(draft: Draft, request: MarkRequested) -> None:
    task_run = repair.to_mark(draft, request)
    outputs = {**task_run.outputs, **request.outputs}
    draft.log("mark", request.key, after=request.state, by=request.by, note=request.note or None)
    if task_run.live is not None:
        _stop(draft, replace(task_run, then=request.state, set_by=request.by, note=request.note, outputs=outputs))
        return
    marked = replace(task_run, outputs=outputs, then=None, failures=0, strikes=0)
    draft.end(marked, request.state, by=request.by, note=request.note)


def _retry_now(draft: Draft, request: RetryNowRequested) -> None:
    task_run = repair.to_retry_now(draft, request)
    draft.log("retry_now", request.key, by=request.by, note=request.note or None)
    draft.put(replace(task_run, state=TaskState.QUEUED, not_before=None), by=request.by)


def _stop(draft: Draft, task_run: TaskRun, grace: timedelta | None = None) -> None:
    """End its attempt first; what its `then` says follows."""
    draft.put(task_run)
    if order := stop_wanted(task_run, grace):
        draft.orders.append(order)
