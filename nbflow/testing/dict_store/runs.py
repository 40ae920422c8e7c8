"""Runs: created, and changed by decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from nbflow import tally
from nbflow.errors import LeaseLost, NotFound, PoolFull, StaleVersion
from nbflow.model import AttemptId, PipelineName, RunId, TaskKey
from nbflow.ports import FrozenPipeline, Lease, changelog
from nbflow.run import Attempt, Decision, Run, TaskRun
from nbflow.testing.dict_store.kept import Record, refuse
from nbflow.testing.dict_store.leases import is_held_by
from nbflow.testing.dict_store.outbox import Outbox
from nbflow.testing.dict_store.requests import Requests


class Runs(Requests, Outbox):
    def add_run(self, run: Run, tasks: Sequence[TaskRun], frozen: FrozenPipeline, lease: Lease | None) -> bool:
        if (run.pipeline, run.run_key) in self._keys:
            return False
        keys = [task.key for task in tasks]
        refuse(run.id in self._records, f"there is a run '{run.id}' already")
        refuse(len(set(keys)) < len(keys), "a task run is given twice")
        self._keep(
            Record(
                run=run,
                frozen=frozen,
                tasks={task.key: replace(task, live=None) for task in tasks},
                lease=lease,
                epoch=lease.epoch if lease else 0,
            )
        )
        self._keys[run.pipeline, run.run_key] = run.id
        self._texts.setdefault(frozen.sha256, frozen.text)
        self._log([changelog.created(run)])
        return True

    def apply(self, decision: Decision, *, seen: int, lease: Lease, pools: Mapping[str, int]) -> Run:
        record = self._record(decision.run.id)
        _compare(record, seen, lease)
        saved = replace(
            record,
            run=replace(decision.run, version=seen + 1),
            tasks={**record.tasks, **self._new_tasks(record, decision.tasks)},
            attempts={**record.attempts, **self._new_attempts(record, decision.attempts)},
        )
        refuse(
            len(saved.live()) < sum(not attempt.state.is_terminal for attempt in saved.attempts.values()),
            "a task run has a live attempt already",
        )
        self._check_pools(saved, set(saved.attempts) - set(record.attempts), pools)
        self._keep(saved)
        self._attempt_tokens |= {attempt.token: None for attempt in decision.attempts}
        self._log(decision.changes)
        self._tallies.update(tally.added(decision))
        self._answer(saved.run.id, decision.answers)
        self._keep_notices(decision.notices)
        return saved.run

    def _new_tasks(self, record: Record, tasks: Sequence[TaskRun]) -> dict[TaskKey, TaskRun]:
        unknown = [task.key.address for task in tasks if task.key not in record.tasks]
        if unknown:
            raise NotFound(f"run {record.run.id} has no task {', '.join(unknown)}")
        return {task.key: replace(task, live=None) if task.live else task for task in tasks}

    def _new_attempts(self, record: Record, given: Sequence[Attempt]) -> dict[AttemptId, Attempt]:
        tokens: set[str] = set()
        numbers = {(attempt.key, attempt.number) for attempt in record.attempts.values()}
        for attempt in given:
            before = record.attempts.get(attempt.id)
            if before is not None:
                refuse(before.token != attempt.token, f"attempt {attempt.id} has another token")
                refuse(before.state.is_terminal, f"attempt {attempt.id} has ended")
                continue
            refuse(attempt.token in tokens or attempt.token in self._attempt_tokens, "another attempt has that token")
            refuse((attempt.key, attempt.number) in numbers, "there is an attempt of that number already")
            refuse(attempt.key not in record.tasks, f"there is no task run {attempt.key.address}")
            tokens.add(attempt.token)
            numbers.add((attempt.key, attempt.number))
        return {attempt.id: attempt for attempt in given}

    def _check_pools(self, saved: Record, new: set[AttemptId], pools: Mapping[str, int]) -> None:
        tasks = saved.frozen.pipeline.tasks
        wanted = {
            tasks[saved.attempts[each].key.task].pool for each in new if not saved.attempts[each].state.is_terminal
        }
        if wanted <= {None}:
            return
        others = [record for record in self._active_records() if record.run.id != saved.run.id]
        taken = {pool: len(names) for pool, names in _holders([*others, saved]).items()}
        for pool in sorted(pool for pool in wanted if pool is not None):
            if taken[pool] > pools.get(pool, 0):
                raise PoolFull(f"pool '{pool}' has {pools.get(pool, 0)} places, and {taken[pool]} would be taken")

    def note_aside(self, run: RunId, note: str, *, now: datetime) -> None:
        self._log([changelog.set_aside(run, self._record(run).run.pipeline, note=note, now=now)])

    def pool_holders(self) -> Mapping[str, Sequence[str]]:
        return _holders(self._active_records())

    def run_of_key(self, pipeline: PipelineName, run_key: str) -> RunId:
        if (pipeline, run_key) not in self._keys:
            raise NotFound(f"pipeline '{pipeline}' has no run of key '{run_key}'")
        return self._keys[pipeline, run_key]


def _compare(record: Record, seen: int, lease: Lease) -> None:
    if not is_held_by(record, lease):
        raise LeaseLost(f"run {record.run.id} is no longer owned by {lease.engine}")
    if record.run.version != seen:
        raise StaleVersion(f"run {record.run.id} is at version {record.run.version}, not {seen}")


def _holders(records: Iterable[Record]) -> dict[str, list[str]]:
    live = [(record, attempt) for record in records for attempt in record.live().values()]
    holders: dict[str, list[str]] = defaultdict(list)
    for record, attempt in sorted(live, key=lambda each: (each[1].created_at, each[1].id)):
        task = record.frozen.pipeline.tasks[attempt.key.task]
        if task.pool is not None:
            holders[task.pool] += [attempt.key.address] * task.pool_slots
    return dict(holders)
