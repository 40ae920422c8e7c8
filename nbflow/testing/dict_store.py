"""A store in plain dicts, for tests of what stands above a store. Deterministic, and for one thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from nbflow import run_ref
from nbflow.errors import Conflict, LeaseLost, NotFound, PoolFull, StaleVersion
from nbflow.model import AttemptId, PipelineName, RunId, TaskKey, TaskName
from nbflow.ports import FrozenPipeline, Lease, StoredRun
from nbflow.run import Asked, Attempt, Change, Decision, Request, Run, TaskRun
from nbflow.states import AttemptState, RunState


@dataclass(frozen=True)
class _Record:
    """All that is kept of one run. A verb replaces it whole, as its last step, so that an error leaves no trace."""

    run: Run
    frozen: FrozenPipeline
    tasks: Mapping[TaskKey, TaskRun]
    attempts: Mapping[AttemptId, Attempt] = field(default_factory=dict)
    lease: Lease | None = None
    epoch: int = 0

    def live(self) -> dict[TaskKey, Attempt]:
        return {attempt.key: attempt for attempt in self.attempts.values() if not attempt.state.is_terminal}


@dataclass
class _Asked:
    run: RunId
    request: Request
    answer: str | None = None


class DictStore:
    """Both sides of a store: ports.RunStore and ports.ReadStore."""

    def __init__(self) -> None:
        self._records: dict[RunId, _Record] = {}
        self._requests: dict[int, _Asked] = {}
        self._changes: list[Change] = []
        self._numbers = count(1)

    # --- runs --------------------------------------------------------------------------------------------------

    def add_run(self, run: Run, tasks: Sequence[TaskRun], frozen: FrozenPipeline, lease: Lease | None) -> bool:
        if self._with_key(run.pipeline, run.run_key):
            return False
        keys = [task.key for task in tasks]
        _refuse(run.id in self._records, f"there is a run '{run.id}' already")
        _refuse(len(set(keys)) < len(keys), "a task run is given twice")
        self._records[run.id] = _Record(
            run, frozen, {task.key: replace(task, live=None) for task in tasks}, {}, lease, lease.epoch if lease else 0
        )
        self._log([_created(run)])
        return True

    def load(self, run: RunId) -> StoredRun:
        record = self._record(run)
        live, position = record.live(), {name: at for at, name in enumerate(record.frozen.pipeline.tasks)}
        keys = sorted(record.tasks, key=lambda key: (position[key.task], -1 if key.item is None else key.item))
        tasks = {key: replace(record.tasks[key], live=live.get(key)) for key in keys}
        return StoredRun(run=record.run, pipeline=record.frozen.pipeline, tasks=tasks)

    def apply(self, decision: Decision, *, seen: int, lease: Lease, pools: Mapping[str, int]) -> Run:
        record = self._record(decision.run.id)
        _compare(record, seen, lease)
        saved = replace(
            record,
            run=replace(decision.run, version=seen + 1),
            tasks={**record.tasks, **self._new_tasks(record, decision.tasks)},
            attempts={**record.attempts, **self._new_attempts(record, decision.attempts)},
        )
        _refuse(
            len(saved.live()) < sum(not attempt.state.is_terminal for attempt in saved.attempts.values()),
            "a task run has a live attempt already",
        )
        self._check_pools(saved, set(saved.attempts) - set(record.attempts), pools)
        self._records[saved.run.id] = saved
        self._log(decision.changes)
        for answer in decision.answers:
            asked = self._requests.get(answer.id)
            if asked and asked.run == saved.run.id and asked.answer is None:
                asked.answer = answer.error
        return saved.run

    def _new_tasks(self, record: _Record, tasks: Sequence[TaskRun]) -> dict[TaskKey, TaskRun]:
        unknown = [task.key.address for task in tasks if task.key not in record.tasks]
        if unknown:
            raise NotFound(f"run {record.run.id} has no task {', '.join(unknown)}")
        return {task.key: replace(task, live=None) for task in tasks}

    def _new_attempts(self, record: _Record, given: Sequence[Attempt]) -> dict[AttemptId, Attempt]:
        tokens = {attempt.token for each in self._records.values() for attempt in each.attempts.values()}
        numbers = {(attempt.key, attempt.number) for attempt in record.attempts.values()}
        for attempt in given:
            before = record.attempts.get(attempt.id)
            if before is not None:
                _refuse(before.token != attempt.token, f"attempt {attempt.id} has another token")
                _refuse(before.state.is_terminal, f"attempt {attempt.id} has ended")
                continue
            _refuse(attempt.token in tokens, "an attempt has that token already")
            _refuse((attempt.key, attempt.number) in numbers, "there is an attempt of that number already")
            _refuse(attempt.key not in record.tasks, f"there is no task run {attempt.key.address}")
            tokens.add(attempt.token)
            numbers.add((attempt.key, attempt.number))
        return {attempt.id: attempt for attempt in given}

    def _check_pools(self, saved: _Record, new: set[AttemptId], pools: Mapping[str, int]) -> None:
        tasks = saved.frozen.pipeline.tasks
        wanted = {
            tasks[saved.attempts[each].key.task].pool for each in new if not saved.attempts[each].state.is_terminal
        }
        taken = {pool: len(names) for pool, names in _holders([*self._others(saved.run.id), saved]).items()}
        for pool in sorted(pool for pool in wanted if pool is not None):
            if taken[pool] > pools.get(pool, 0):
                raise PoolFull(f"pool '{pool}' has {pools.get(pool, 0)} places, and {taken[pool]} would be taken")

    # --- ownership ---------------------------------------------------------------------------------------------

    def claim(self, run: RunId, engine: str, *, now: datetime, ttl: timedelta, force: bool = False) -> Lease:
        record = self._record(run)
        held = record.lease
        if held and held.engine != engine and now < held.expires and not force:
            raise Conflict(f"run {run} is owned by {held.engine} until {held.expires:%H:%M:%S} UTC")
        lease = Lease(run=run, engine=engine, epoch=record.epoch + 1, expires=now + ttl)
        self._records[run] = replace(record, lease=lease, epoch=lease.epoch)
        return lease

    def renew(self, engine: str, *, now: datetime, ttl: timedelta) -> None:
        for run, record in self._records.items():
            if record.lease and record.lease.engine == engine:
                self._records[run] = replace(record, lease=replace(record.lease, expires=now + ttl))

    def release(self, lease: Lease) -> None:
        record = self._records.get(lease.run)
        if record and _is_held_by(record, lease):
            self._records[lease.run] = replace(record, lease=None)

    def owned(self) -> Sequence[Lease]:
        unfinished = (record for record in reversed(self._newest()) if not record.run.state.is_terminal)
        return [record.lease for record in unfinished if record.lease]

    # --- requests ----------------------------------------------------------------------------------------------

    def ask(self, run: RunId, request: Request, *, now: datetime) -> int:
        self._record(run)
        number = next(self._numbers)
        self._requests[number] = _Asked(run, request)
        return number

    def asked(self, runs: Sequence[RunId]) -> Mapping[RunId, Sequence[Asked]]:
        found: dict[RunId, list[Asked]] = defaultdict(list)
        for number, asked in self._requests.items():
            if asked.run in runs and asked.answer is None:
                found[asked.run].append(Asked(id=number, request=asked.request))
        return dict(found)

    def answer(self, request: int) -> str | None:
        if request not in self._requests:
            raise NotFound(f"there is no request {request}")
        return self._requests[request].answer

    # --- reading -----------------------------------------------------------------------------------------------

    def pool_holders(self) -> Mapping[str, Sequence[str]]:
        return _holders(self._records.values())

    def run_of_key(self, pipeline: PipelineName, run_key: str) -> RunId:
        found = self._with_key(pipeline, run_key)
        if not found:
            raise NotFound(f"pipeline '{pipeline}' has no run of key '{run_key}'")
        return found[0]

    def find_run(self, ref: str) -> RunId:
        newest = [record.run for record in self._newest()]
        wants_latest, pipeline = run_ref.latest_of(ref)
        if wants_latest:
            latest = next((run.id for run in newest if pipeline in {None, run.pipeline}), None)
            if latest is None:
                raise run_ref.no_latest(pipeline, sorted({run.pipeline for run in newest}))
            return latest
        ids = [run.id for run in newest]
        found = [RunId(ref)] if ref in ids else sorted((each for each in ids if each.startswith(ref)), reverse=True)
        return run_ref.the_one(ref, found[: run_ref.CANDIDATES], ids[: run_ref.CANDIDATES])

    def attempts(self, run: RunId) -> Mapping[TaskKey, Sequence[Attempt]]:
        found: dict[TaskKey, list[Attempt]] = defaultdict(list)
        record = self._records.get(run)
        for attempt in sorted(record.attempts.values(), key=lambda each: each.number) if record else ():
            found[attempt.key].append(attempt)
        return dict(found)

    def list_runs(
        self, *, pipeline: PipelineName | None = None, state: RunState | None = None, limit: int = 50
    ) -> Sequence[Run]:
        runs = (record.run for record in self._newest())
        return [run for run in runs if pipeline in {None, run.pipeline} and state in {None, run.state}][:limit]

    def durations(self, pipeline: PipelineName) -> Mapping[TaskName, Sequence[float]]:
        of_pipeline = [record for record in self._newest() if record.run.pipeline == pipeline]
        attempts = (attempt for record in of_pipeline[:100] for attempt in record.attempts.values())
        seconds: dict[TaskName, list[tuple[datetime, float]]] = defaultdict(list)
        for each in attempts:
            if each.state is AttemptState.SUCCESS and each.started_at and each.ended_at:
                seconds[each.key.task].append((each.ended_at, (each.ended_at - each.started_at).total_seconds()))
        return {task: [each for _, each in sorted(samples)[-20:][::-1]] for task, samples in seconds.items()}

    def changes(self, after: int, *, run: RunId | None = None, limit: int = 1000) -> Sequence[Change]:
        return [change for change in self._changes if change.seq > after and run in {None, change.run}][:limit]

    def manifest_text(self, sha256: str) -> str:
        for record in self._records.values():
            if record.frozen.sha256 == sha256:
                return record.frozen.text
        raise NotFound(f"there is no manifest '{sha256}'")

    # --- inside ------------------------------------------------------------------------------------------------

    def _record(self, run: RunId) -> _Record:
        if run not in self._records:
            raise NotFound(f"there is no run '{run}'")
        return self._records[run]

    def _others(self, run: RunId) -> list[_Record]:
        return [record for other, record in self._records.items() if other != run]

    def _with_key(self, pipeline: PipelineName, run_key: str) -> list[RunId]:
        runs = (record.run for record in self._records.values())
        return [run.id for run in runs if (run.pipeline, run.run_key) == (pipeline, run_key)]

    def _newest(self) -> list[_Record]:
        return sorted(self._records.values(), key=lambda each: (each.run.created_at, each.run.id), reverse=True)

    def _log(self, changes: Iterable[Change]) -> None:
        first = len(self._changes) + 1
        self._changes += [replace(change, seq=seq) for seq, change in enumerate(changes, first)]


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise Conflict(f"the store refuses the write: {message}")


def _created(run: Run) -> Change:
    return Change(
        at=run.created_at, run=run.id, pipeline=run.pipeline, event="run", after=run.state, by=run.created_by or None
    )


def _is_held_by(record: _Record, lease: Lease) -> bool:
    held = record.lease
    return held is not None and (held.engine, held.epoch) == (lease.engine, lease.epoch)


def _compare(record: _Record, seen: int, lease: Lease) -> None:
    if not _is_held_by(record, lease):
        raise LeaseLost(f"run {record.run.id} is no longer owned by {lease.engine}")
    if record.run.version != seen:
        raise StaleVersion(f"run {record.run.id} is at version {record.run.version}, not {seen}")


def _holders(records: Iterable[_Record]) -> dict[str, list[str]]:
    live = [(record, attempt) for record in records for attempt in record.live().values()]
    holders: dict[str, list[str]] = defaultdict(list)
    for record, attempt in sorted(live, key=lambda each: (each[1].created_at, each[1].id)):
        task = record.frozen.pipeline.tasks[attempt.key.task]
        if task.pool is not None:
            holders[task.pool] += [attempt.key.address] * task.pool_slots
    return dict(holders)
