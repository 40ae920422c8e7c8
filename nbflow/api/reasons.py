"""Why runs and task runs stand where they stand, in one sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from operator import itemgetter
from statistics import median

from nbflow import why as sentences
from nbflow.admission import Limits
from nbflow.api.bound import Bound, live_run
from nbflow.api.roles import Role, needs
from nbflow.api.views import Whys
from nbflow.aside import ASIDE
from nbflow.live import LiveRun, StartOrder
from nbflow.model import Pipeline, PipelineName, RunId, TaskKey
from nbflow.pace import is_over
from nbflow.pools import Places, taken
from nbflow.ports import Held, Leader, Lease, Owners, StoredRun, host_of, silence
from nbflow.ports.changelog import SET_ASIDE
from nbflow.run import Change, Request, Run
from nbflow.timetable import Standing
from nbflow.why import Owner, Surroundings


class Reasons(Bound):
    """Sentences about one run."""

    @needs(Role.VIEWER)
    def why(self, ref: str, task: str, zone: tzinfo | None = None) -> str:
        """One sentence: why a task run stands where it stands. `zone`: the reader's, else that of this machine."""
        stored = self._stored(ref)
        live = live_run(stored)
        key = live.get(TaskKey.parse(task)).key
        return sentences.why(live, key, self._surroundings(live, stored.lease, zone))

    @needs(Role.VIEWER)
    def whys(self, stored: StoredRun, keys: Iterable[TaskKey] | None = None, zone: tzinfo | None = None) -> Whys:
        """What is to be said of a run, and in the rows of its task runs, or those of `keys`, that have not ended."""
        if stored.run.state.is_terminal:
            return Whys()
        live = live_run(stored)
        asked = [key for key in (stored.tasks if keys is None else keys) if not stored.tasks[key].state.is_terminal]
        around = self._surroundings(live, stored.lease, zone)
        tasks = {key: sentences.why_in_row(live, key, around) for key in asked}
        return Whys(held_up=sentences.held_up(live.run, around), tasks=tasks)

    @needs(Role.VIEWER)
    def why_run(self, ref: str) -> str:
        """One sentence: why a run stands where it stands."""
        stored = self._stored(ref)
        live = live_run(stored)
        return sentences.why_run(live, self._surroundings(live, stored.lease))

    def _surroundings(self, live: LiveRun, lease: Lease | None, zone: tzinfo | None = None) -> Surroundings:
        """What the run shares with others now. `lease` was read with the run: it may have been given up since."""
        run, now, leases, leader = live.run, self._clock.now(), self._store.owned(), self._store.leader()
        at, standings, holders = self._store.now(now), self._store.standings(), self._store.pool_holders()
        owner = _owner(lease, self._owners, at)
        beside = self._beside(live, lease, leases) if lease and any(live.ready()) else ()
        return Surroundings(
            now=now,
            owner=owner,
            has_scheduler=leader is not None and self._owners.is_alive(leader, at),
            silent=_silent(lease if owner is Owner.ALIVE else leader, at),
            elsewhere=_elsewhere(live, leader),
            aside=self._aside(run.id, now) if owner is Owner.NONE else None,
            asked=self._asked(run) if run.state.is_terminal else (),
            unfinished=self._store.unfinished(),
            owned={lease.run for lease in leases},
            limits=self._limits(live.pipeline, standings),
            standing=standings.get(run.pipeline),
            pools=self._pools,
            holders=holders,
            kept=self._places_kept(beside, holders, run.pipeline),
            slots=self._slots,
            busy=[_name(each, key, run.pipeline) for each in beside for key, task in each.tasks.items() if task.live],
            usual={task: median(took) for task, took in self._store.durations(run.pipeline).items()},
            zone=zone,
        )

    def _aside(self, run: RunId, now: datetime) -> Change | None:
        """One that is set aside again is told of again: what is older than a second minute is not so any more."""
        told = self._store.newest_change(run)
        is_so = told is not None and told.event == SET_ASIDE and not is_over(2 * ASIDE, told.at, now)
        return told if is_so else None

    def _asked(self, run: Run) -> Sequence[Request]:
        return [each.request for each in self._store.asked([run.id]).get(run.id, ())]

    def _beside(self, live: LiveRun, mine: Lease, leases: Sequence[Lease]) -> Sequence[LiveRun]:
        """The runs of the engine that has this run."""
        runs = (lease.run for lease in leases if lease.engine == mine.engine)
        return [live if run == live.run.id else live_run(self._store.load(run)) for run in runs]

    def _places_kept(
        self, runs: Sequence[LiveRun], holders: Mapping[str, Sequence[str]], pipeline: PipelineName
    ) -> Mapping[str, tuple[StartOrder, str]]:
        """Goes by what the engine goes by when it grants places."""
        ready = [(order, _name(live, key, pipeline), live.task(key)) for live in runs for order, key in live.ready()]
        places = Places[tuple[StartOrder, str]](self._pools, taken(holders))
        for order, name, task in sorted(ready, key=itemgetter(0, 1)):
            if task.pool is not None:
                places.take((order, name), task.pool, task.pool_slots)
        return places.kept

    def _limits(self, pipeline: Pipeline, standings: Mapping[PipelineName, Standing]) -> Limits:
        """What the scheduler goes by: the last good version of the manifest, not the run's frozen one."""
        good = self._store.last_good(pipeline.name)
        return Limits(
            max_active={pipeline.name: (good[0] if good else pipeline).max_active_runs},
            paused={name for name, standing in standings.items() if standing.paused_at is not None},
            backfills=self._store.backfilled_runs(),
        )


def _name(live: LiveRun, key: TaskKey, pipeline: PipelineName) -> str:
    """A task of another pipeline has its name before its own."""
    return key.address if live.run.pipeline == pipeline else f"{live.run.pipeline}.{key.address}"


def _elsewhere(live: LiveRun, leader: Leader | None) -> set[str]:
    hosts = {task.live.host for task in live.tasks.values() if task.live and task.live.host}
    return hosts - {host_of(leader.engine)} if leader else set()


def _owner(lease: Lease | None, owners: Owners, now: datetime) -> Owner:
    if lease is not None and owners.is_alive(lease, now):
        return Owner.ALIVE
    return Owner.GONE if lease is not None and lease.is_foreground else Owner.NONE


def _silent(held: Held | None, now: datetime) -> tuple[str, timedelta] | None:
    age = None if held is None else silence(held, now)
    return None if held is None or age is None else (held.engine, age)
