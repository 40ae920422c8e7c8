"""Our values as the JSON documents that scripts rely on (reference: command line, shapes). Pure; prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:  # `nbflow next --cron` prints a document and needs nothing of a run
    from nbflow.api import (
        BackfillPreview,
        BackfillView,
        Check,
        LogView,
        NewToken,
        PipelineView,
        RepairView,
        RunView,
        SchedulerView,
    )
    from nbflow.backfill import BackfillItem
    from nbflow.documents import (
        AttemptDocument,
        BackfillDocument,
        BackfillItemDocument,
        BackfillPreviewDocument,
        BackfillsDocument,
        CallerDocument,
        CellDocument,
        ChangeDocument,
        ChangesDocument,
        DoctorDocument,
        EstimateDocument,
        LogDocument,
        MessageDocument,
        MessagesDocument,
        NewTokenDocument,
        ParamDocument,
        PipelineDocument,
        PipelinesDocument,
        ProblemDocument,
        ProblemsDocument,
        RepairDocument,
        RunDocument,
        RunsDocument,
        ScheduleDocument,
        SchedulerDocument,
        ShowDocument,
        SkipDocument,
        SkipsDocument,
        StandingDocument,
        StandingsDocument,
        StatusDocument,
        TaskDocument,
        TaskRunDocument,
        TickDocument,
        TicksDocument,
        TokenDocument,
        TokensDocument,
        TouchedDocument,
        UserDocument,
        UsersDocument,
        WhyDocument,
        WhyRunDocument,
    )
    from nbflow.errors import Problem
    from nbflow.estimates import Estimate
    from nbflow.model import Param, Schedule, Task, TaskKey
    from nbflow.notebooks.show import ShownCell
    from nbflow.people import Caller, Token, User
    from nbflow.ports import Message
    from nbflow.run import Attempt, Change, Run, TaskRun
    from nbflow.schedule import Tick
    from nbflow.timetable import Skip, Standing


@overload
def instant(at: datetime) -> str: ...
@overload
def instant(at: datetime | None) -> str | None: ...
def instant(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with `Z`; milliseconds only where there are any."""
    if at is None:
        return None
    grain = "milliseconds" if at.microsecond else "seconds"
    return at.astimezone(UTC).isoformat(timespec=grain).replace("+00:00", "Z")


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """How long it took; None while it has not ended."""
    return round((end - start).total_seconds(), 3) if start and end else None


# --- runs ---------------------------------------------------------------------------------------------------------


def status_document(view: RunView, expected: Estimate | None = None) -> StatusDocument:
    """`estimate` is null where the run does not run, or nothing is known of it."""
    return {
        "run": run(view.run),
        "tasks": [task_run(each, view.attempts.get(key, ()), view.notebooks) for key, each in view.tasks.items()],
        "estimate": estimate(expected) if expected else None,
    }


def estimate(of: Estimate) -> EstimateDocument:
    return {"ready": instant(of.ready), "slow": instant(of.slow), "usual": instant(of.usual)}


def runs_document(runs: Iterable[Run]) -> RunsDocument:
    return {"runs": [run(each) for each in runs]}


def run(of: Run) -> RunDocument:
    return {
        "id": of.id,
        "pipeline": of.pipeline,
        "state": of.state.value,
        "kind": of.kind.value,
        "run_key": of.run_key,
        "logical_date": instant(of.logical_date),
        "params": dict(of.params),
        "created_at": instant(of.created_at),
        "started_at": instant(of.started_at),
        "ended_at": instant(of.ended_at),
    }


def task_run(of: TaskRun, attempts: Sequence[Attempt], notebooks: Mapping[str, Path]) -> TaskRunDocument:
    return {
        "id": of.key.task,
        "item": of.key.item,
        "state": of.state.value,
        "cause": of.cause.value if of.cause else None,
        "reason": of.reason or None,
        "set_by": of.set_by,
        "note": of.note,
        "outputs": dict(of.outputs),
        "attempts": [attempt(each, notebooks[each.id]) for each in attempts],
    }


def attempt(of: Attempt, notebook: Path) -> AttemptDocument:
    return {
        "number": of.number,
        "state": of.state.value,
        "cause": of.cause.value if of.cause else None,
        "started_at": instant(of.started_at),
        "ended_at": instant(of.ended_at),
        "seconds": seconds(of.started_at, of.ended_at),
        "notebook": str(notebook),
        "failing_cell": of.failing_cell,
        "error": {"name": of.error.name, "message": of.error.message} if of.error else None,
        "signal": of.signal,
        "kernel_start": of.kernel_start,
        "peak_memory": of.peak_memory,
    }


def log_document(run_id: str, log: LogView) -> LogDocument:
    from nbflow.notebooks.show import cells_of

    return {
        "run": run_id,
        "task": log.attempt.key.address,
        "attempt": attempt(log.attempt, log.path),
        "cells": [cell(each) for each in cells_of(log.notebook)],
    }


def cell(of: ShownCell) -> CellDocument:
    return {
        "number": of.number,
        "type": of.kind,
        "state": of.state or None,
        "seconds": of.seconds,
        "source": of.source,
        "outputs": [dict(each) for each in of.outputs],
    }


def why_document(run_id: str, task: TaskKey, state: str, sentence: str) -> WhyDocument:
    return {"run": run_id, "task": task.address, "state": state, "why": sentence}


def why_run_document(of: Run, sentence: str) -> WhyRunDocument:
    return {"run": of.id, "state": of.state.value, "why": sentence}


def touched_document(run_id: str, keys: Iterable[TaskKey]) -> TouchedDocument:
    return {"run": run_id, "tasks": [key.address for key in keys]}


def repair_document(run_id: str, view: RepairView) -> RepairDocument:
    return {
        "run": run_id,
        "again": [key.address for key in view.again],
        "changed_notebooks": [key.address for key in view.changed],
        "old_params": [key.address for key in view.old_params],
        "manifest_changed": view.has_new_manifest,
    }


# --- definitions --------------------------------------------------------------------------------------------------


def problems_document(problems: Iterable[Problem]) -> ProblemsDocument:
    """`ok` is false where at least one problem is an error."""
    found = list(problems)
    return {
        "ok": not any(each.severity == "error" for each in found),
        "problems": [problem(each) for each in found],
    }


def problem(of: Problem) -> ProblemDocument:
    return {
        "file": of.file,
        "line": of.line,
        "column": of.column,
        "where": of.where,
        "message": of.message,
        "hint": of.hint,
        "severity": of.severity,
    }


def pipelines_document(views: Iterable[PipelineView]) -> PipelinesDocument:
    return {"pipelines": [pipeline(each) for each in views]}


def pipeline(view: PipelineView) -> PipelineDocument:
    of = view.definition.pipeline
    return {
        "name": of.name if of else None,
        "path": str(view.definition.path),
        "description": of.description if of else "",
        "owner": of.owner if of else "",
        "tags": list(of.tags) if of else [],
        "tasks": len(of.tasks) if of else 0,
        "schedule": schedule(of.schedule) if of else None,
        "next": instant(view.next_tick.instant) if view.next_tick else None,
        "paused": view.is_paused,
        "last_run": run(view.last_runs[0]) if view.last_runs else None,
        "problems": [problem(each) for each in view.definition.problems],
    }


def show_document(view: PipelineView) -> ShowDocument:
    of = view.definition.pipeline
    return {
        "pipeline": pipeline(view),
        "params": [param(each) for each in of.params.values()] if of else [],
        "tasks": [task(each) for each in of.tasks.values()] if of else [],
        "runs": [run(each) for each in view.last_runs],
    }


def param(of: Param) -> ParamDocument:
    return {
        "name": of.name,
        "type": of.type,
        "default": of.default,
        "required": of.is_required,
        "choices": list(of.choices),
        "description": of.description,
    }


def task(of: Task) -> TaskDocument:
    return {
        "id": of.name,
        "notebook": of.notebook,
        "depends_on": list(of.depends_on),
        "run_if": of.run_if.value,
        "max_retries": of.retries.max_retries,
        "timeout": of.timeout.total_seconds() if of.timeout else None,
        "pool": of.pool,
        "allow_failure": of.allow_failure,
    }


def schedule(of: Schedule | None) -> ScheduleDocument | None:
    if of is None:
        return None
    return {
        "cron": of.cron,
        "every": of.every.total_seconds() if of.every else None,
        "timezone": of.timezone,
        "start": of.start.isoformat() if of.start else None,
        "end": of.end.isoformat() if of.end else None,
    }


def ticks_document(timezone: str, ticks: Iterable[Tick]) -> TicksDocument:
    return {"timezone": timezone, "ticks": [tick(each) for each in ticks]}


def tick(of: Tick) -> TickDocument:
    return {"utc": instant(of.instant), "local": of.local.isoformat(timespec="seconds"), "note": of.note}


# --- schedules ----------------------------------------------------------------------------------------------------


def skips_document(skips: Iterable[Skip]) -> SkipsDocument:
    return {"skips": [skip(each) for each in skips]}


def skip(of: Skip) -> SkipDocument:
    return {
        "pipeline": of.pipeline,
        "first": instant(of.first),
        "last": instant(of.last),
        "reason": of.reason,
        "at": instant(of.at),
    }


def standings_document(standings: Iterable[Standing]) -> StandingsDocument:
    return {"pipelines": [standing(each) for each in standings]}


def standing(of: Standing) -> StandingDocument:
    return {
        "pipeline": of.pipeline,
        "path": of.path,
        "first_seen": instant(of.first_seen),
        "removed": of.is_removed,
        "paused_at": instant(of.paused_at),
        "paused_by": of.paused_by,
        "note": of.note,
    }


def scheduler_document(view: SchedulerView | None) -> SchedulerDocument:
    if view is None:
        return {"engine": None, "alive": False, "expires": None}
    return {"engine": view.engine, "alive": view.silence is None, "expires": instant(view.expires)}


# --- the change log ------------------------------------------------------------------------------------------------


def changes_document(changes: Sequence[Change], after: int) -> ChangesDocument:
    return {"changes": [change(each) for each in changes], "last": changes[-1].seq if changes else after}


def change(of: Change) -> ChangeDocument:
    return {
        "seq": of.seq,
        "at": instant(of.at),
        "event": of.event,
        "pipeline": of.pipeline or None,
        "run": of.run,
        "task": of.key.address if of.key else None,
        "attempt": of.attempt,
        "backfill": of.backfill,
        "before": of.before,
        "after": of.after,
        "by": of.by,
        "note": of.note,
    }


# --- people -------------------------------------------------------------------------------------------------------


def caller(of: Caller) -> CallerDocument:
    return {"name": of.name, "role": of.role.word, "until": instant(of.until)}


def users_document(users: Iterable[User]) -> UsersDocument:
    return {"users": [user(each) for each in users]}


def user(of: User) -> UserDocument:
    return {
        "name": of.name,
        "role": of.role.word,
        "signs_in": of.password is not None,
        "created_at": instant(of.created_at),
        "created_by": of.created_by,
    }


def tokens_document(tokens: Iterable[Token]) -> TokensDocument:
    return {"tokens": [token(each) for each in tokens]}


def new_token_document(of: NewToken) -> NewTokenDocument:
    return {"token": token(of.token), "secret": of.secret}


def token(of: Token) -> TokenDocument:
    return {
        "id": of.id,
        "kind": of.kind.value,
        "user": of.user,
        "role": of.role.word,
        "note": of.note,
        "created_at": instant(of.created_at),
        "created_by": of.created_by,
        "expires_at": instant(of.expires_at),
        "last_used_at": instant(of.last_used_at),
        "revoked_at": instant(of.revoked_at),
    }


# --- backfills ----------------------------------------------------------------------------------------------------


def backfills_document(views: Iterable[BackfillView]) -> BackfillsDocument:
    return {"backfills": [backfill(view) for view in views]}


def backfill(view: BackfillView) -> BackfillDocument:
    of, progress = view.backfill, view.progress
    return {
        "id": of.id,
        "pipeline": of.pipeline,
        "start": of.start.isoformat(),
        "end": of.end.isoformat(),
        "reverse": of.is_reverse,
        "max_active": of.max_active,
        "reprocess": of.reprocess,
        "state": str(of.state),
        "created_at": instant(of.created_at),
        "created_by": of.created_by,
        "note": of.note,
        "changed_at": instant(of.changed_at),
        "changed_by": of.changed_by,
        "reason": of.reason,
        "waiting": progress.waiting,
        "active": progress.active,
        "ended": progress.ended,
        "failed": progress.failed,
        "passed": progress.passed,
    }


def backfill_preview_document(preview: BackfillPreview) -> BackfillPreviewDocument:
    return {"pipeline": preview.backfill.pipeline, "items": [backfill_item(each) for each in preview.items]}


def backfill_item(of: BackfillItem) -> BackfillItemDocument:
    return {
        "run_date": of.run_date.isoformat(),
        "logical_date": instant(of.logical_date),
        "action": str(of.action) if of.action else None,
        "run": of.run,
        "reason": of.reason,
    }


# --- messages to people ---------------------------------------------------------------------------------------------


def messages_document(messages: Iterable[Message]) -> MessagesDocument:
    return {"messages": [message(each) for each in messages]}


def message(of: Message) -> MessageDocument:
    notice = of.notice
    return {
        "id": of.id,
        "kind": notice.kind.value,
        "pipeline": notice.pipeline,
        "run": notice.run,
        "task": notice.key.address if notice.key else None,
        "channel": of.channel,
        "state": of.state.value,
        "at": instant(notice.at),
        "due": instant(of.due),
        "ended_at": instant(of.ended_at),
        "tries": of.tries,
        "held_in": of.lead,
        "error": of.error or None,
    }


# --- the installation ---------------------------------------------------------------------------------------------


def doctor_document(checks: Iterable[Check]) -> DoctorDocument:
    found = list(checks)
    return {
        "ok": all(each.is_fine for each in found),
        "checks": [
            {"name": each.name, "ok": each.is_fine, "message": each.message, "hint": each.hint} for each in found
        ],
    }
