"""Look for what no decision tells of: runs that are late, and tasks that run far beyond their usual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Protocol

from nbflow import lateness
from nbflow.model import PipelineName, TaskName
from nbflow.notice import Notice
from nbflow.ports import Outbox, ReadStore
from nbflow.run import Run
from nbflow.states import RunState


class Store(Outbox, ReadStore, Protocol):
    """The outbox, and the runs."""

    def unfinished(self) -> Sequence[Run]: ...


class Lookout:
    """Tells each lateness once. Costs a few queries for each run that has not ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: frozenset[str] = frozenset()

    def look(self, now: datetime) -> None:
        """To be called every half a minute or so."""
        found = {notice.id: notice for notice in self._notices(now)}
        news = [notice for name, notice in found.items() if name not in self._told]
        if news:
            self._store.tell(news)
        self._told = frozenset(found)

    def _notices(self, now: datetime) -> Iterator[Notice]:
        durations: Callable[[PipelineName], Mapping[TaskName, Sequence[float]]] = cache(self._store.durations)
        for run in self._store.unfinished():
            stored = self._store.load(run.id)
            if notice := lateness.late(stored.pipeline, stored.run, now):
                yield notice
            if stored.run.state is RunState.RUNNING and stored.pipeline.alerts.on_late:
                seconds = durations(run.pipeline)
                yield from lateness.overruns(stored.pipeline, stored.run, stored.tasks.values(), seconds, now)
