"""Runs in SQLite or PostgreSQL. One verb is one transaction; safety comes from constraints and compare-and-set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, false, insert, select, update

from nbflow import tally
from nbflow.errors import Conflict, LeaseLost, NotFound, PoolFull, StaleVersion
from nbflow.model import RunId, TaskKey
from nbflow.ports import FrozenPipeline, Lease, changelog
from nbflow.run import Answer, Asked, Attempt, Decision, Request, Run, TaskRun
from nbflow.stores import tallies
from nbflow.stores.backfills import SqlBackfills
from nbflow.stores.database import PATIENCE, Database
from nbflow.stores.history import SqlHistory
from nbflow.stores.housekeeping import SqlHousekeeping
from nbflow.stores.migrations import HEAD, upgrade
from nbflow.stores.outbox import SqlOutbox, keep_notices
from nbflow.stores.people import SqlPeople
from nbflow.stores.rows import attempt_row, attempt_values, key_of, lease_of, run_values, task_values
from nbflow.stores.schedules import SqlSchedules
from nbflow.stores.schema import LIVE, UNFINISHED, attempts, requests, runs, task_runs
from nbflow.stores.steps import create_run, leave_request, log, read_run
from nbflow.stores.tallies import SqlTallies

_UPDATE_RUN = update(runs).where(
    runs.c.id == bindparam("of_run"),
    runs.c.version == bindparam("seen"),
    runs.c.owner == bindparam("of_engine"),
    runs.c.epoch == bindparam("of_epoch"),
)
_UPDATE_TASK = update(task_runs).where(
    task_runs.c.run == bindparam("of_run"),
    task_runs.c.task == bindparam("of_task"),
    task_runs.c.item == bindparam("of_item"),
)
_UPDATE_ATTEMPT = update(attempts).where(attempts.c.id == bindparam("of_id"))
_LIVE_OF = select(attempts.c.id, attempts.c.token).where(attempts.c.run == bindparam("of_run"), LIVE)
_ANSWER = (
    update(requests)
    .where(requests.c.id == bindparam("of_id"), requests.c.run == bindparam("of_run"), requests.c.answer.is_(None))
    .values(answer=bindparam("said"))
)
_OWNED = select(runs.c.id, runs.c.owner, runs.c.epoch, runs.c.lease_expires, runs.c.state).where(
    runs.c.owner.is_not(None), UNFINISHED
)
_HOLDERS = (
    select(attempts.c.run, attempts.c.task, attempts.c.item, task_runs.c.pool, task_runs.c.pool_slots)
    .join(task_runs)
    .where(LIVE, task_runs.c.pool.is_not(None))
    .order_by(attempts.c.created_at, attempts.c.id)
)


class SqlStore(SqlHistory, SqlSchedules, SqlBackfills, SqlPeople, SqlOutbox, SqlTallies, SqlHousekeeping):
    """Every side of a store (see nbflow.ports). Safe to use from several threads.

    Opening makes the database where there is none, and brings an older one up to date. Raises Unavailable where it
    does not answer, InvalidInput where it cannot be used.
    """

    def __init__(self, url: str, *, patience: timedelta = PATIENCE) -> None:
        super().__init__(Database(url, patience=patience))
        try:
            upgrade(self._database)
        except BaseException:
            self.close()
            raise

    def __str__(self) -> str:
        return f"{self._database.url} (schema {HEAD})"

    @property
    def database(self) -> Database:
        return self._database

    def try_to_write(self) -> None:
        """Changes nothing. Raises Unavailable where nothing can be written, after the patience."""
        with self._database.write() as connection:
            connection.execute(update(runs).where(false()).values(version=0))

    def close(self) -> None:
        """Let go of all connections."""
        self._database.close()

    # --- runs --------------------------------------------------------------------------------------------------

    def add_run(self, run: Run, tasks: Sequence[TaskRun], frozen: FrozenPipeline, lease: Lease | None) -> bool:
        with self._database.write() as connection:
            return create_run(connection, run, tasks, frozen, lease)

    def apply(self, decision: Decision, *, seen: int, lease: Lease, pools: Mapping[str, int]) -> Run:
        saved = replace(decision.run, version=seen + 1)
        with self._database.write() as connection:
            _compare_and_set(connection, saved, seen, lease)
            _save_tasks(connection, saved.id, decision.tasks)
            started = _save_attempts(connection, saved.id, decision.attempts)
            if started:
                _check_pools(connection, saved.id, started, pools)
            log(connection, decision.changes)
            tallies.add(connection, tally.added(decision))
            _save_answers(connection, saved.id, decision.answers)
            keep_notices(connection, decision.notices)
        return saved

    # --- ownership ---------------------------------------------------------------------------------------------

    def claim(self, run: RunId, engine: str, *, now: datetime, ttl: timedelta, instead_of: str | None = None) -> Lease:
        is_free = (
            runs.c.owner.is_(None) | runs.c.owner.in_([engine, instead_of or engine]) | (runs.c.lease_expires <= now)
        )
        taking = update(runs).where(runs.c.id == run, is_free)
        values = {"owner": engine, "epoch": runs.c.epoch + 1, "lease_expires": now + ttl}
        with self._database.write() as connection:
            epoch = connection.scalar(taking.values(values).returning(runs.c.epoch))
            if epoch is None:
                raise _owned_by_another(connection, run)
        return Lease(run=run, engine=engine, epoch=epoch, expires=now + ttl)

    def renew(self, engine: str, *, now: datetime, ttl: timedelta) -> Collection[RunId]:
        extending = update(runs).where(runs.c.owner == engine).values(lease_expires=now + ttl)
        with self._database.write() as connection:
            return set(connection.scalars(extending.returning(runs.c.id)))

    def release(self, lease: Lease) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(runs).where(runs.c.id == lease.run, _is_held_by(lease)).values(owner=None, lease_expires=None)
            )

    def note_aside(self, run: RunId, note: str, *, now: datetime) -> None:
        with self._database.write() as connection:
            pipeline = read_run(connection, run)["pipeline"]
            log(connection, [changelog.set_aside(run, pipeline, note=note, now=now)])

    def owned(self) -> Sequence[Lease]:
        query = _OWNED.order_by(runs.c.created_at, runs.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings()
            return [lease for row in rows if (lease := lease_of(row))]

    def lease(self, run: RunId) -> Lease | None:
        with self._database.read() as connection:
            row = connection.execute(_OWNED.where(runs.c.id == run)).mappings().first()
        return None if row is None else lease_of(row)

    # --- requests ----------------------------------------------------------------------------------------------

    def ask(self, run: RunId, request: Request, *, now: datetime) -> int:
        with self._database.write() as connection:
            return leave_request(connection, run, request, now)

    def asked(self, runs: Sequence[RunId]) -> Mapping[RunId, Sequence[Asked]]:
        if not runs:
            return {}
        found: dict[RunId, list[Asked]] = defaultdict(list)
        query = select(requests).where(requests.c.run.in_(runs), requests.c.answer.is_(None)).order_by(requests.c.id)
        with self._database.read() as connection:
            for row in connection.execute(query):
                found[row.run].append(Asked(id=row.id, request=row.request))
        return dict(found)

    def answer(self, request: int) -> str | None:
        with self._database.read() as connection:
            row = connection.execute(select(requests.c.answer).where(requests.c.id == request)).first()
        if row is None:
            raise NotFound(f"there is no request {request}")
        answer: str | None = row.answer
        return answer

    # --- pools -------------------------------------------------------------------------------------------------

    def pool_holders(self) -> Mapping[str, Sequence[str]]:
        holders: dict[str, list[str]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(_HOLDERS).mappings():
                holders[row["pool"]] += [key_of(row).address] * row["pool_slots"]
        return dict(holders)


# --- parts of apply -----------------------------------------------------------------------------------------------


def _compare_and_set(connection: Connection, run: Run, seen: int, lease: Lease) -> None:
    held = {"of_run": run.id, "seen": seen, "of_engine": lease.engine, "of_epoch": lease.epoch}
    if connection.execute(_UPDATE_RUN, {**run_values(run), **held}).rowcount == 1:
        return
    row = read_run(connection, run.id)
    if (row["owner"], row["epoch"]) != (lease.engine, lease.epoch):
        raise LeaseLost(f"run {run.id} is no longer owned by {lease.engine}, but by {row['owner'] or 'nobody'}")
    raise StaleVersion(f"run {run.id} is at version {row['version']}, not {seen}", hint="Read it and decide again.")


def _save_tasks(connection: Connection, run: RunId, tasks: Sequence[TaskRun]) -> None:
    if not tasks:
        return
    rows = [{"of_run": run, "of_task": task.key.task, "of_item": task.key.item, **task_values(task)} for task in tasks]
    if connection.execute(_UPDATE_TASK, rows).rowcount != len(rows):
        raise NotFound(f"run {run} has not all of the tasks {', '.join(task.key.address for task in tasks)}")


def _save_attempts(connection: Connection, run: RunId, given: Sequence[Attempt]) -> set[TaskKey]:
    """Write the live attempts that go on or end, then those that begin; returns whose begin.

    An attempt that has ended, or has another token, is not written to.
    """
    if not given:
        return set()
    live = {row.id: row.token for row in connection.execute(_LIVE_OF, {"of_run": run})}
    known = [attempt for attempt in given if live.get(attempt.id) == attempt.token]
    new = [attempt for attempt in given if attempt.id not in live]
    if len(known) + len(new) < len(given):
        raise Conflict(f"an attempt of run {run} has another token")
    if known:
        connection.execute(_UPDATE_ATTEMPT, [{"of_id": attempt.id, **attempt_values(attempt)} for attempt in known])
    if new:
        connection.execute(insert(attempts), [attempt_row(attempt) for attempt in new])
    return {attempt.key for attempt in new}


def _check_pools(connection: Connection, run: RunId, started: set[TaskKey], pools: Mapping[str, int]) -> None:
    """Only pools of attempts that begin: one that shrank lets its holders go on."""
    taken: Counter[str] = Counter()
    wanted: set[str] = set()
    for row in connection.execute(_HOLDERS).mappings():
        taken[row["pool"]] += row["pool_slots"]
        if row["run"] == run and key_of(row) in started:
            wanted.add(row["pool"])
    for pool in sorted(wanted):
        if taken[pool] > pools.get(pool, 0):
            raise PoolFull(f"pool '{pool}' has {pools.get(pool, 0)} places, and {taken[pool]} would be taken")


def _save_answers(connection: Connection, run: RunId, given: Sequence[Answer]) -> None:
    """A request is answered once; later answers leave the first."""
    if given:
        connection.execute(_ANSWER, [{"of_id": each.id, "of_run": run, "said": each.error} for each in given])


# --- rows of runs -------------------------------------------------------------------------------------------------


def _is_held_by(lease: Lease) -> ColumnElement[bool]:
    return (runs.c.owner == lease.engine) & (runs.c.epoch == lease.epoch)


def _owned_by_another(connection: Connection, run: RunId) -> Conflict:
    row = read_run(connection, run)
    return Conflict(f"run {run} is owned by {row['owner']} until {row['lease_expires']:%H:%M:%S} UTC")
