"""A run in memory, as its owner holds it: the task runs, and the counts that make every question about them cheap."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from nbflow import graph
from nbflow.errors import NotFound
from nbflow.model import Pipeline, Task, TaskKey
from nbflow.policy import Tally
from nbflow.run import Decision, Run, TaskRun
from nbflow.states import RunKind, RunState, TaskState
from nbflow.text import did_you_mean

StartOrder = tuple[int, bool, datetime, float, int]
"""Smaller starts first: priority, backfill last, older logical date, longer way to the end, place in the manifest
(semantics §5)."""

Turn = tuple[StartOrder, TaskKey]


class View(Protocol):
    """A run as it stands: a LiveRun, or one with the changes that are being made to it."""

    run: Run

    @property
    def live(self) -> LiveRun: ...

    def get(self, key: TaskKey) -> TaskRun: ...


T = TypeVar("T", bound="tuple[Any, ...]")


class LiveRun:
    """Run, frozen pipeline and task runs. Read by `lifecycle.advance`; changed only by `apply`.

    `env` has the environment values that templates may use. Every step costs what the touched tasks cost, whatever
    the size of the run.
    """

    def __init__(
        self,
        run: Run,
        pipeline: Pipeline,
        tasks: Mapping[TaskKey, TaskRun],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.pipeline = pipeline
        self.env = env or {}
        self.tasks = dict(tasks)
        self.ups = {key: tuple(TaskKey(up) for up in self.task(key).depends_on) for key in tasks}
        self.downs: dict[TaskKey, list[TaskKey]] = {key: [] for key in tasks}
        for key, ups in self.ups.items():
            for up in ups:
                self.downs[up].append(key)
        self.tallies = {key: Tally() for key in tasks}
        self.counts: Counter[TaskState] = Counter()
        self.unexcused = 0
        self._due: list[tuple[datetime, TaskKey]] = []
        self._ready: dict[str | None, list[Turn]] = {}
        """By pool."""
        self.start_order = self._start_order()
        for task_run in tasks.values():
            self._count(None, task_run)

    @property
    def live(self) -> LiveRun:
        return self

    def task(self, key: TaskKey) -> Task:
        return self.pipeline.tasks[key.task]

    def get(self, key: TaskKey) -> TaskRun:
        """Raises NotFound with the nearest name."""
        try:
            return self.tasks[key]
        except KeyError:
            raise NotFound(
                f"run {self.run.id} has no task '{key.address}'",
                hint=did_you_mean(key.address, [known.address for known in self.tasks]),
            ) from None

    def is_unexcused(self, task_run: TaskRun) -> bool:
        """It makes the run a failed one.

        An `upstream_failed` task run needs no look: one of its failed ancestors is unexcused, or all are excused, and
        then so is it (semantics §2).
        """
        return task_run.state is TaskState.FAILED and not self.task(task_run.key).allow_failure

    def apply(self, decision: Decision, run: Run) -> None:
        """Take over what was saved; `run` is what the store returned."""
        self.run = run
        for task_run in decision.tasks:
            before = self.tasks[task_run.key]
            self.tasks[task_run.key] = task_run
            self._count(before, task_run)
        while self._due and not self._waits_for(*self._due[0]):
            heapq.heappop(self._due)
        for queue in self._ready.values():
            while queue and not self.tasks[queue[0][1]].is_ready:
                heapq.heappop(queue)

    def due(self, now: datetime) -> Iterator[TaskKey]:
        """Task runs in retry_wait whose time has come."""
        for at, key in _ascending(self._due):
            if at > now:
                return
            if self._waits_for(at, key):
                yield key

    def wake_at(self) -> datetime | None:
        """When the next retry is due."""
        return next((at for at, key in _ascending(self._due) if self._waits_for(at, key)), None)

    def ready(self) -> Iterator[Turn]:
        """Queued task runs without an attempt, the one to start first first."""
        return heapq.merge(*self.queues().values())

    def queues(self) -> Mapping[str | None, Iterator[Turn]]:
        """The same by pool, for each pool that somebody is ready for; under None those that need none."""
        return {pool: self._in_order(queue) for pool, queue in self._ready.items() if queue}

    def _in_order(self, queue: Sequence[Turn]) -> Iterator[Turn]:
        seen: set[TaskKey] = set()
        for order, key in _ascending(queue):
            if self.tasks[key].is_ready and key not in seen:
                seen.add(key)
                yield order, key

    @property
    def has_ended(self) -> bool:
        return self.run.state.is_terminal

    def _count(self, before: TaskRun | None, after: TaskRun) -> None:
        key = after.key
        if before is not None:
            self.counts[before.state] -= 1
            self.unexcused -= self.is_unexcused(before)
        self.counts[after.state] += 1
        self.unexcused += self.is_unexcused(after)
        for down in self.downs[key]:
            self.tallies[down].move(before.state if before else None, after.state)
        if after.state is TaskState.RETRY_WAIT and after.not_before is not None:
            heapq.heappush(self._due, (after.not_before, key))
        if after.is_ready:
            queue = self._ready.setdefault(self.task(key).pool, [])
            heapq.heappush(queue, (self.start_order[key], key))

    def _waits_for(self, at: datetime, key: TaskKey) -> bool:
        task_run = self.tasks[key]
        return task_run.state is TaskState.RETRY_WAIT and task_run.not_before == at

    def _start_order(self) -> dict[TaskKey, StartOrder]:
        rest = graph.heights(self.pipeline.tasks)
        return {
            key: (
                -self.task(key).priority,
                self.run.kind is RunKind.BACKFILL,
                self.run.logical_date,
                -rest[key.task],
                position,
            )
            for position, key in enumerate(self.tasks)
        }


def _ascending(heap: Sequence[T]) -> Iterator[T]:
    """The items of a heap in order, at the cost of those taken; the heap stays as it is."""
    fringe = [(heap[0], 0)] if heap else []
    while fringe:
        item, at = heapq.heappop(fringe)
        yield item
        for child in (2 * at + 1, 2 * at + 2):
            if child < len(heap):
                heapq.heappush(fringe, (heap[child], child))


def judge(counts: Mapping[TaskState, int], unexcused: int) -> RunState | None:
    """The state of a run whose task runs stand like this; None while some are unfinished."""
    if any(count for state, count in counts.items() if not state.is_terminal):
        return None
    if unexcused:
        return RunState.FAILED
    return RunState.CANCELLED if counts.get(TaskState.CANCELLED) else RunState.SUCCESS
