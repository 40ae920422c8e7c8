"""What a task usually takes, and when a run will probably have ended. Pure: history and the time are arguments."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from operator import itemgetter
from statistics import median, quantiles
from typing import NamedTuple

from nbflow.live import LiveRun, Turn
from nbflow.model import TaskKey, TaskName
from nbflow.pools import Places
from nbflow.run import Run, TaskRun
from nbflow.states import RunKind, TaskState

ENOUGH = 5
"""Good runs from which on a history says what is unusual (semantics §4, alerts)."""

Seconds = Mapping[TaskName, Sequence[float]]
"""What good attempts of each task took, of some runs back: `ReadStore.durations`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What something takes, in seconds: usually, and on a bad day (nine of ten are quicker)."""

    median: float
    slow: float
    count: int


class Span(NamedTuple):
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When an unfinished run will probably have ended."""

    ready: datetime
    slow: datetime
    """If everything takes as long as on a bad day."""
    usual: datetime | None
    """When a run of this pipeline usually has ended: of a scheduled one by its logical date, else by its start."""
    spans: Mapping[TaskKey, Span]
    """When each unfinished task run began or will begin, and will end."""
    unknown: tuple[TaskName, ...]
    """Tasks that never ended well of late; they are taken as needing no time."""


def usual(samples: Sequence[float]) -> Usual:
    """Of one sample or more."""
    slow = quantiles(samples, n=10, method="inclusive")[-1] if len(samples) > 1 else samples[0]
    return Usual(median=median(samples), slow=slow, count=len(samples))


def beyond_usual(samples: Sequence[float]) -> float | None:
    """The seconds after which a task runs far beyond its usual time; None where too little is known."""
    if len(samples) < ENOUGH:
        return None
    slow = usual(samples).slow
    return max(3 * slow, slow + timedelta(minutes=10).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a pipeline's runs, and what they share with the coming ones: slots, and places of pools."""

    seconds: Seconds
    good: Sequence[Run]
    """Runs that ended well."""
    slots: int
    pools: Mapping[str, int] = field(default_factory=dict)

    @property
    def usual_seconds(self) -> Mapping[TaskName, float]:
        return {task: usual(samples).median for task, samples in self.seconds.items() if samples}

    def finish(self, live: LiveRun, now: datetime) -> Estimate | None:
        """Follow the rest of the run as its engine would; None where it has ended, or nothing is known of it.

        Other runs that need the same slots and pools are not foreseen.
        """
        unfinished = {key.task for key, task in live.tasks.items() if not task.state.is_terminal}
        if not any(self.seconds.get(name) for name in unfinished):
            return None
        typical = self._follow(live, now, lambda samples: usual(samples).median)
        slowly = self._follow(live, now, lambda samples: usual(samples).slow)
        return Estimate(
            ready=max(span.end for span in typical.values()),
            slow=max(span.end for span in slowly.values()),
            usual=_usual_end(live.run, self.good),
            spans=typical,
            unknown=tuple(name for name in live.pipeline.tasks if name in unfinished and not self.seconds.get(name)),
        )

    def _follow(self, live: LiveRun, now: datetime, take: Callable[[Sequence[float]], float]) -> Mapping[TaskKey, Span]:
        pools = {task.pool: max(1, self.pools.get(task.pool, 0)) for task in live.pipeline.tasks.values() if task.pool}
        course = _Course(live, _rest(self.seconds, now, take), self.slots, pools)
        course.begin(now)
        while course.events:
            course.turn()
        return course.spans


def _rest(seconds: Seconds, now: datetime, take: Callable[[Sequence[float]], float]) -> Callable[[TaskRun], timedelta]:
    """How long a task run still needs. Of a running one only those samples speak that took longer than it has."""

    def rest(task_run: TaskRun) -> timedelta:
        samples = seconds.get(task_run.key.task, ())
        since = task_run.live.started_at if task_run.live else None
        elapsed = (now - since).total_seconds() if since else 0.0
        longer = [each for each in samples if each > elapsed]
        return timedelta(seconds=take(longer) - elapsed if longer else 0.0)

    return rest


def _usual_end(run: Run, good: Sequence[Run]) -> datetime | None:
    """A repaired run counts as well: the median bears those that were mended days later."""
    if run.kind is not RunKind.SCHEDULED:
        return _typically(run.started_at, [(each.started_at, each.ended_at) for each in good])
    scheduled = (each for each in good if each.kind is RunKind.SCHEDULED)
    return _typically(run.logical_date, [(each.logical_date, each.ended_at) for each in scheduled])


def _typically(start: datetime | None, spans: Iterable[tuple[datetime | None, datetime | None]]) -> datetime | None:
    took = [(end - begin).total_seconds() for begin, end in spans if begin and end]
    return start + timedelta(seconds=median(took)) if start and took else None


# --- following a run to its end -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Course:
    """The unfinished task runs in their foreseen future.

    An event is the end of a task run, or that its wait for a retry is over.
    """

    live: LiveRun
    rest: Callable[[TaskRun], timedelta]
    slots: int
    pools: Mapping[str, int]
    events: list[tuple[datetime, int, bool, TaskKey]] = field(default_factory=list)
    spans: dict[TaskKey, Span] = field(default_factory=dict)
    ready: defaultdict[str | None, list[Turn]] = field(default_factory=partial(defaultdict, list))
    """By pool."""
    busy: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    missing: dict[TaskKey, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def begin(self, now: datetime) -> None:
        for key, task_run in self.live.tasks.items():
            if task_run.live is not None:
                self._start(key, task_run.live.started_at or now, now)
            elif task_run.state is TaskState.QUEUED:
                self._is_ready(key)
            elif task_run.state is TaskState.RETRY_WAIT:
                self._expect(max(task_run.not_before or now, now), key, is_end=False)
            elif task_run.state is TaskState.WAITING:
                self._await(key)
        self._start_ready(now)

    def turn(self) -> None:
        at, _, is_end, key = heapq.heappop(self.events)
        if is_end:
            self._end(key)
        else:
            self._is_ready(key)
        self._start_ready(at)

    def _await(self, key: TaskKey) -> None:
        self.missing[key] = sum(not self.live.tasks[up].state.is_terminal for up in self.live.ups[key])
        if not self.missing[key]:
            self._is_ready(key)

    def _is_ready(self, key: TaskKey) -> None:
        heapq.heappush(self.ready[self.live.task(key).pool], (self.live.start_order[key], key))

    def _start_ready(self, now: datetime) -> None:
        places = Places[TaskKey](self.pools, self.taken)
        while self.busy < max(self.slots, 1):
            firsts = [(queue[0], pool) for pool, queue in self.ready.items() if queue and pool not in places.kept]
            if not firsts:
                return
            (_, key), pool = min(firsts, key=itemgetter(0))
            if all(places.take(key, *wanted) for wanted in self._places(key)):
                heapq.heappop(self.ready[pool])
                self._start(key, now, now)

    def _start(self, key: TaskKey, start: datetime, now: datetime) -> None:
        self.busy += 1
        for pool, places in self._places(key):
            self.taken[pool] += places
        end = now + self.rest(self.live.tasks[key])
        self.spans[key] = Span(start, end)
        self._expect(end, key, is_end=True)

    def _end(self, key: TaskKey) -> None:
        self.busy -= 1
        for pool, places in self._places(key):
            self.taken[pool] -= places
        for down in self.live.downs[key]:
            if down in self.missing:
                self.missing[down] -= 1
                if not self.missing[down]:
                    self._is_ready(down)

    def _expect(self, at: datetime, key: TaskKey, *, is_end: bool) -> None:
        heapq.heappush(self.events, (at, next(self.numbers), is_end, key))

    def _places(self, key: TaskKey) -> Iterator[tuple[str, int]]:
        """One that needs more than there are would never start: that is no matter of time, and it takes all of them."""
        task = self.live.task(key)
        if task.pool is not None:
            yield task.pool, min(task.pool_slots, self.pools[task.pool])
