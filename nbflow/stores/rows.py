"""Our values as rows and back. A column has the name of the field it keeps; keys and intervals are taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import RowMapping

from nbflow.backfill import Backfill, BackfillItem
from nbflow.model import DataInterval, RunId, TaskKey
from nbflow.people import Token, User
from nbflow.ports import Lease, Message
from nbflow.run import Attempt, Change, Run, TaskRun
from nbflow.timetable import Skip, Standing

Row = dict[str, Any]


def _names(cls: Any, *but: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls) if field.name not in but)


RUN = _names(Run, "id", "interval")
TASK_RUN = _names(TaskRun, "key", "live")
ATTEMPT_KEY = ("id", "run", "number", "token")
ATTEMPT = _names(Attempt, "key", *ATTEMPT_KEY)
CHANGE = _names(Change, "key", "seq")
STANDING = _names(Standing, "manifest")
SKIP = _names(Skip)
BACKFILL = _names(Backfill, "id")
ITEM = _names(BackfillItem)
USER = _names(User)
TOKEN = _names(Token, "id")
MESSAGE = _names(Message)


def _row(value: object, names: tuple[str, ...]) -> Row:
    return {name: getattr(value, name) for name in names}


def _fields(row: RowMapping, names: tuple[str, ...]) -> Row:
    return {name: row[name] for name in names}


def _key_row(key: TaskKey | None) -> Row:
    return {"task": key.task, "item": key.item} if key else {"task": None, "item": None}


def key_of(row: RowMapping) -> TaskKey:
    return TaskKey(row["task"], row["item"])


def run_values(run: Run) -> Row:
    """All columns but the key, as in the other `…_values`: what an update sets."""
    return {**_row(run, RUN), "interval_start": run.interval.start, "interval_end": run.interval.end}


def run_row(run: Run) -> Row:
    return {"id": run.id, **run_values(run)}


def lease_of(row: RowMapping) -> Lease | None:
    """Of a row of `runs`; None where nobody has the run, or it has ended."""
    if row["owner"] is None or row["state"].is_terminal:
        return None
    return Lease(run=row["id"], engine=row["owner"], epoch=row["epoch"], expires=row["lease_expires"])


def run_of(row: RowMapping) -> Run:
    interval = DataInterval(row["interval_start"], row["interval_end"])
    return Run(id=row["id"], interval=interval, **_fields(row, RUN))


def task_values(task: TaskRun) -> Row:
    """Without the live attempt, which is a row of its own."""
    return _row(task, TASK_RUN)


def task_row(run: RunId, task: TaskRun) -> Row:
    return {"run": run, **_key_row(task.key), **task_values(task)}


def task_of(row: RowMapping, live: Mapping[TaskKey, Attempt]) -> TaskRun:
    key = key_of(row)
    return TaskRun(key=key, live=live.get(key), **_fields(row, TASK_RUN))


def attempt_values(attempt: Attempt) -> Row:
    return _row(attempt, ATTEMPT)


def attempt_row(attempt: Attempt) -> Row:
    return {**_key_row(attempt.key), **_row(attempt, ATTEMPT_KEY), **attempt_values(attempt)}


def attempt_of(row: RowMapping) -> Attempt:
    return Attempt(key=key_of(row), **_fields(row, ATTEMPT_KEY), **_fields(row, ATTEMPT))


def change_row(change: Change) -> Row:
    return {**_key_row(change.key), **_row(change, CHANGE)}


def change_of(row: RowMapping) -> Change:
    key = key_of(row) if row["task"] is not None else None
    return Change(key=key, seq=row["seq"], **_fields(row, CHANGE))


def standing_values(standing: Standing) -> Row:
    """Without the pause, which is not the scheduler's to set, and the manifest."""
    return {name: getattr(standing, name) for name in ("first_seen", "cursor", "path", "is_removed")}


def standing_of(row: RowMapping) -> Standing:
    return Standing(manifest=row["manifest"] or "", **_fields(row, STANDING))


def skip_row(skip: Skip) -> Row:
    return _row(skip, SKIP)


def skip_of(row: RowMapping) -> Skip:
    return Skip(**_fields(row, SKIP))


def backfill_row(backfill: Backfill) -> Row:
    return _row(backfill, BACKFILL)


def backfill_of(row: RowMapping) -> Backfill:
    return Backfill(id=row["id"], **_fields(row, BACKFILL))


def item_row(number: int, item: BackfillItem) -> Row:
    return {"backfill": number, **_row(item, ITEM)}


def item_of(row: RowMapping) -> BackfillItem:
    return BackfillItem(**_fields(row, ITEM))


def user_row(user: User) -> Row:
    return _row(user, USER)


def user_of(row: RowMapping) -> User:
    return User(**_fields(row, USER))


def token_row(token: Token) -> Row:
    return _row(token, TOKEN)


def token_of(row: RowMapping) -> Token:
    return Token(id=row["id"], **_fields(row, TOKEN))


def message_row(message: Message) -> Row:
    return {**_row(message, MESSAGE), "pipeline": message.notice.pipeline, "kind": message.notice.kind}


def message_of(row: RowMapping) -> Message:
    return Message(**_fields(row, MESSAGE))
