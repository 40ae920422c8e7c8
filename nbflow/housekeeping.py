"""Remove what is no longer kept: rows first, a few at a time, then folders. If it is killed, the next time ends it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from nbflow import retention
from nbflow.failpoints import failpoint
from nbflow.model import Pipeline, PipelineName, RunId
from nbflow.ports import Clock, Workspace
from nbflow.ports.housekeeping import Attic, HousekeepingStore
from nbflow.retention import Retention

BATCH = 20
"""Runs that one transaction removes: the scheduler never waits for more than that."""

PAUSE = 0.02
"""Seconds between two transactions, for those who wait to write."""

SAFE = timedelta(days=1)
"""A copy of a notebook may be frozen before its run is written: younger ones stay."""

NIGHT = 3
"""The hour after which a day's housekeeping is done, in the machine's own zone."""

_log = logging.getLogger(__name__)


class Store(HousekeepingStore, Protocol):
    """What is removed, and the pipelines whose manifests are gone."""

    def last_good(self, pipeline: PipelineName) -> tuple[Pipeline, str] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a housekeeping removed, in numbers, and why folders of removed runs are still there."""

    runs: int = 0
    manifests: int = 0
    notebooks: int = 0
    messages: int = 0
    left: tuple[str, ...] = ()


class Housekeeper:
    """Keeps what `keep` and the manifests say. `wait` lets time pass between two transactions."""

    def __init__(
        self,
        *,
        store: Store,
        workspace: Workspace,
        attic: Attic,
        keep: Retention,
        wait: Callable[[float], object] = lambda _: None,
    ) -> None:
        self._store, self._workspace, self._attic = store, workspace, attic
        self._keep, self._wait = keep, wait

    def preview(self, now: datetime) -> Mapping[PipelineName, Sequence[RunId]]:
        """The runs that `prune` would remove, oldest first; pipelines without one are missing."""
        defined = {each.pipeline.name: each.pipeline for each in self._workspace.definitions() if each.pipeline}
        found = {}
        for name in self._store.pipelines_with_runs():
            keep = self._keep.of(defined.get(name) or self._gone(name))
            found[name] = retention.expired(self._store.finished(name), keep, now)
        return {name: runs for name, runs in found.items() if runs}

    def _gone(self, name: PipelineName) -> Pipeline | None:
        good = self._store.last_good(name)
        return good[0] if good else None

    def prune(self, now: datetime, stop: Callable[[], bool] = lambda: False) -> Removed:
        """Remove all that is no longer kept; ends early where `stop` says so."""
        runs, left = 0, dict[RunId, str]()
        for batch in self._batches(now):
            if stop():
                return Removed(runs=runs, left=tuple(left.values()))
            runs += len(self._store.remove_runs(batch))
            failpoint("housekeeping.rows_removed")
            self._sweep(left)
            self._wait(PAUSE)
        self._sweep(left)
        return Removed(
            runs=runs,
            left=tuple(left.values()),
            manifests=self._store.remove_unused_texts(),
            notebooks=self._attic.remove_notebooks(self._store.notebooks_in_use(), now - SAFE),
            messages=self._store.remove_messages(now - self._keep.age),
        )

    def _batches(self, now: datetime) -> Iterator[Sequence[RunId]]:
        for runs in self.preview(now).values():
            for at in range(0, len(runs), BATCH):
                yield runs[at : at + BATCH]

    def _sweep(self, left: dict[RunId, str]) -> None:
        """Remove the folders of removed runs, also of those whose remover was killed, but for those in `left`.

        One that cannot be removed now is added there, and tried again the next time.
        """
        gone = []
        for each in self._store.leftovers():
            if each.run not in left:
                try:
                    self._attic.remove_run(each.run, each.pipeline)
                    gone.append(each.run)
                except OSError as error:
                    left[each.run] = f"the folder of run {each.run} cannot be removed: {error}"
        self._store.forget(gone)

    def work(self, clock: Clock, stop: Event) -> None:
        """Prune every night until `stop`, in a thread of its own. A fault is logged, and the next night tries again."""
        done = clock.now()
        while not stop.wait(60):
            now = clock.now()
            if not done <= now < next_night(done):  # or the clock was set back, and it is not known how far
                done = now
                try:
                    removed = self.prune(now, stop.is_set)
                    _log.log(logging.WARNING if removed.left else logging.INFO, "housekeeping: %s", removed)
                except Exception:
                    if stop.is_set():  # the store is being closed
                        return
                    _log.exception("housekeeping did not come to its end")


def next_night(after: datetime) -> datetime:
    """The first `NIGHT` o'clock later than an instant."""
    local = after.astimezone()
    tonight = local.replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    return tonight if tonight > local else tonight + timedelta(days=1)
