"""Backfills and their ticks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from nbflow.backfill import Backfill, BackfillItem, BackfillState, ItemAction, changed, check_overlap, progress_of
from nbflow.errors import NotFound
from nbflow.model import RunId
from nbflow.notice import Notice
from nbflow.ports import BackfillProgress, Leader, NewRun, changelog
from nbflow.run import Request
from nbflow.stores.base import SqlSide
from nbflow.stores.leaders import require_leader
from nbflow.stores.outbox import keep_notices
from nbflow.stores.rows import backfill_of, backfill_row, item_of, item_row
from nbflow.stores.schema import ACTIVE, UNFINISHED, WAITING, backfill_items, backfills, requests, runs
from nbflow.stores.steps import create_run, leave_request, log

_BEGUN = backfill_items.c.action.in_([ItemAction.CREATE, ItemAction.RESET])
_TICKS = backfill_items.outerjoin(runs).outerjoin(requests, requests.c.id == backfill_items.c.request)
_IS_ASKED = requests.c.id.is_not(None) & requests.c.answer.is_(None)
"""The run has still to begin anew."""
_PROGRESS = [field.name for field in fields(BackfillProgress)]


class SqlBackfills(SqlSide):
    """The backfills of a store (ports.ScheduleStore)."""

    def add_backfill(self, asked: Backfill, items: Sequence[BackfillItem]) -> Backfill:
        with self._database.write() as connection:
            check_overlap(asked, _listed(connection, select(backfills).where(ACTIVE)))
            number = connection.execute(insert(backfills).values(backfill_row(asked)).returning(backfills.c.id))
            added = replace(asked, id=int(number.scalar_one()))
            if items:
                connection.execute(insert(backfill_items), [item_row(added.id, item) for item in items])
            log(connection, [changelog.added(added)])
        return added

    def backfills(self, *, only_active: bool = False) -> Sequence[Backfill]:
        query = select(backfills).order_by(backfills.c.id.desc())
        with self._database.read() as connection:
            return _listed(connection, query.where(ACTIVE) if only_active else query)

    def backfill(self, number: int) -> Backfill:
        with self._database.read() as connection:
            return _backfill(connection, number)

    def backfill_items(self, number: int) -> Sequence[BackfillItem]:
        query = select(backfill_items).where(backfill_items.c.backfill == number).order_by(backfill_items.c.position)
        with self._database.read() as connection:
            return [item_of(row) for row in connection.execute(query).mappings()]

    def next_items(self, number: int, limit: int) -> Sequence[BackfillItem]:
        waiting = select(backfill_items).where(backfill_items.c.backfill == number, WAITING)
        with self._database.read() as connection:
            rows = connection.execute(waiting.order_by(backfill_items.c.position).limit(limit)).mappings()
            return [item_of(row) for row in rows]

    def backfill_progress(self, number: int) -> BackfillProgress:
        kinds = (backfill_items.c.action, runs.c.state, _IS_ASKED.label("is_asked"))
        query = select(*kinds, func.count()).select_from(_TICKS).where(backfill_items.c.backfill == number)
        found: Counter[str] = Counter(dict.fromkeys(_PROGRESS, 0))
        with self._database.read() as connection:
            _backfill(connection, number)
            for action, state, asked, ticks in connection.execute(query.group_by(*kinds)):
                found.update(dict.fromkeys(progress_of(action, state, asked), ticks))
        return BackfillProgress(**found)

    def backfilled_runs(self) -> Mapping[RunId, Backfill]:
        begun = backfills.join(backfill_items).join(runs, runs.c.id == backfill_items.c.run)
        query = select(backfills, runs.c.id.label("run")).select_from(begun).where(ACTIVE, UNFINISHED, _BEGUN)
        with self._database.read() as connection:
            return {row["run"]: backfill_of(row) for row in connection.execute(query).mappings()}

    def set_backfill(
        self,
        number: int,
        state: BackfillState,
        *,
        by: str,
        note: str,
        now: datetime,
        leader: Leader | None = None,
        request: Request | None = None,
        notices: Sequence[Notice] = (),
    ) -> Backfill:
        with self._database.write() as connection:
            if leader is not None:
                require_leader(connection, leader)
            before = _backfill(connection, number)
            after = changed(before, state, by=by, note=note, now=now)
            connection.execute(update(backfills).where(backfills.c.id == number).values(backfill_row(after)))
            log(connection, [changelog.changed(before, after, by=by, note=note, now=now)])
            keep_notices(connection, notices)
            if request is not None:
                begun = select(runs.c.id).select_from(_TICKS).where(backfill_items.c.backfill == number, _BEGUN)
                for run in connection.scalars(begun.where(UNFINISHED | _IS_ASKED).order_by(runs.c.id)).all():
                    leave_request(connection, run, request, now)
        return after

    def begin_item(
        self,
        leader: Leader,
        number: int,
        item: BackfillItem,
        *,
        new: NewRun | None = None,
        request: Request | None = None,
        now: datetime,
    ) -> bool:
        with self._database.write() as connection:
            require_leader(connection, leader)
            if not _is_next(connection, number, item.position):
                return False
            if new is not None and not create_run(connection, new.run, new.tasks, new.frozen, None):
                return False
            left = None
            if request is not None and item.run is not None:
                left = leave_request(connection, item.run, request, now)
            begun = {"action": item.action, "run": item.run, "reason": item.reason, "request": left}
            connection.execute(update(backfill_items).where(_is(number, item.position)).values(begun))
        return True


def _is(number: int, position: int) -> ColumnElement[bool]:
    return (backfill_items.c.backfill == number) & (backfill_items.c.position == position)


def _is_next(connection: Connection, number: int, position: int) -> bool:
    """Whether the tick still waits, in a backfill that runs."""
    query = select(backfills.c.state, backfill_items.c.action).join(backfill_items).where(_is(number, position))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no tick {position} of a backfill {number}")
    return row.state is BackfillState.RUNNING and row.action is None


def _backfill(connection: Connection, number: int) -> Backfill:
    row = connection.execute(select(backfills).where(backfills.c.id == number)).mappings().first()
    if row is None:
        raise NotFound(f"there is no backfill {number}", hint="See them all: nbflow backfill list.")
    return backfill_of(row)


def _listed(connection: Connection, query: Select[Any]) -> list[Backfill]:
    return [backfill_of(row) for row in connection.execute(query).mappings()]
