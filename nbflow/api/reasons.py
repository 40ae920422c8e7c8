"""Why runs and task runs stand where they stand, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median

from nbflow import why as sentences
from nbflow.admission import Limits
from nbflow.api.bound import Bound, live_run
from nbflow.api.roles import Role, needs
from nbflow.live import LiveRun
from nbflow.model import Pipeline, TaskKey
from nbflow.ports import Lease, Owners, StoredRun
from nbflow.why import Owner, Surroundings


class Reasons(Bound):
    """Sentences about one run."""

    @needs(Role.VIEWER)
    def why(self, ref: str, task: str) -> str:
        """One sentence: why a task run stands where it stands."""
        live = live_run(self._store.load(self._store.find_run(ref)))
        key = live.get(TaskKey.parse(task)).key
        return self._whys(live, [key])[key]

    @needs(Role.VIEWER)
    def whys(self, stored: StoredRun) -> Mapping[TaskKey, str]:
        """The same for every task run that has not ended."""
        return self._whys(live_run(stored), [key for key, task in stored.tasks.items() if not task.state.is_terminal])

    @needs(Role.VIEWER)
    def why_run(self, ref: str) -> str:
        """One sentence: why a run stands where it stands."""
        live = live_run(self._store.load(self._store.find_run(ref)))
        return sentences.why_run(live.run, self._surroundings(live))

    def _whys(self, live: LiveRun, keys: Sequence[TaskKey]) -> Mapping[TaskKey, str]:
        if not keys:
            return {}
        around = self._surroundings(live)
        return {key: sentences.why(live, key, around) for key in keys}

    def _surroundings(self, live: LiveRun) -> Surroundings:
        """What the run shares with others now."""
        run, now, leases = live.run, self._clock.now(), self._store.owned()
        return Surroundings(
            now=now,
            owner=_owner([lease for lease in leases if lease.run == run.id], self._owners, now),
            has_scheduler=self._has_scheduler(),
            unfinished=self._store.unfinished(),
            owned={lease.run for lease in leases},
            limits=self._limits(live.pipeline),
            pools=self._pools,
            holders=self._store.pool_holders(),
            slots=self._slots,
            busy=self._busy(live, leases) if any(live.ready()) else (),
            usual={task: median(took) for task, took in self._store.durations(run.pipeline).items()},
        )

    def _busy(self, live: LiveRun, leases: Sequence[Lease]) -> Sequence[str]:
        """What runs in the engine that has this run, each by its name; tasks of other pipelines with theirs."""
        engine = next((lease.engine for lease in leases if lease.run == live.run.id), None)
        names = []
        for run in (lease.run for lease in leases if lease.engine == engine):
            stored = self._store.load(run)
            before = "" if stored.run.pipeline == live.run.pipeline else f"{stored.run.pipeline}."
            names += [f"{before}{key.address}" for key, task in stored.tasks.items() if task.live]
        return names

    def _limits(self, pipeline: Pipeline) -> Limits:
        """What the scheduler goes by: the last good version of the manifest, not the run's frozen one."""
        good = self._store.last_good(pipeline.name)
        return Limits(
            max_active={pipeline.name: (good[0] if good else pipeline).max_active_runs},
            paused={name for name, standing in self._store.standings().items() if standing.paused_at is not None},
            backfills=self._store.backfilled_runs(),
        )


def _owner(leases: Sequence[Lease], owners: Owners, now: datetime) -> Owner:
    """Of the leases of one run."""
    if any(owners.is_alive(lease, now) for lease in leases):
        return Owner.ALIVE
    return Owner.GONE if any(lease.is_foreground for lease in leases) else Owner.NONE
