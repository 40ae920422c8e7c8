"""Own runs and carry them to their end: collect facts, advance, save, and only then act."""

from __future__ import annotations

import contextlib
import heapq
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile

from nbflow import lifecycle, operate
from nbflow.aside import Aside, SetAside
from nbflow.draft import Draft, start_order
from nbflow.errors import Conflict, LeaseLost, NbflowError, PoolFull, StaleVersion, Unavailable, advised
from nbflow.failpoints import failpoint
from nbflow.lifecycle import Allot
from nbflow.live import LiveRun, StartOrder, Turn
from nbflow.model import GRACE, AttemptId, RunId, Task, TaskKey
from nbflow.pace import is_over
from nbflow.pools import Places, in_turn, taken
from nbflow.ports import LEASE, Clock, Executor, Lease, Owners, RunStore
from nbflow.run import (
    Answer,
    Asked,
    Attempt,
    AttemptEnded,
    CancelRequested,
    Decision,
    Fact,
    Request,
    Run,
    RunAbandoned,
    RunOpened,
    SlotGranted,
    StartAttempt,
    TaskRun,
)
from nbflow.states import ATTEMPT_LIVE, AttemptState, Cause

TICK = 0.25
"""Seconds between two looks at the store where nothing else happens."""

LAST_TRIES = timedelta(seconds=5)
"""How long a store may be away until a run that is to end is left without its end."""

Watch = Callable[[LiveRun], None]
_Turn = tuple[StartOrder, RunId, TaskKey]


@dataclass(slots=True)
class _Owned:
    """A run of ours. `pending` are facts that are not saved yet: they outlive a store that is away."""

    live: LiveRun
    lease: Lease
    is_abandoned: bool
    """Nothing of it starts any more; when its last attempt has ended, it is closed."""
    pending: list[Fact] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """No attempt of it is handed over."""
        return not any(task.live for task in self.live.tasks.values())


class Engine:
    """One owner of runs. `name` is its own alone and says where it lives; `owners` proves which others are alive.

    `pools` has the places of each pool, `env` what templates may read of the environment.
    """

    def __init__(
        self,
        *,
        name: str,
        store: RunStore,
        executor: Executor,
        clock: Clock,
        owners: Owners,
        pools: Mapping[str, int] | None = None,
        env: Mapping[str, str] | None = None,
        host: str = "",
    ) -> None:
        self.name = name
        self._closer = f"closing-{name}"
        """Its name for runs that it closes. A command's to all others, for whoever follows it has to close them too."""
        self._store, self._executor, self._clock, self._owners = store, executor, clock, owners
        self._pools, self._env, self._host = pools or {}, env or {}, host
        self._runs: dict[RunId, _Owned] = {}
        self._aside = Aside[RunId]("run")
        self._renewed_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._interrupts, self._interrupted_by = 0, ""
        self.is_draining = False
        """No attempt is started any more."""
        self.trouble: Unavailable | None = None

    # --- owning ----------------------------------------------------------------------------------------------

    def lease(self, run: RunId, now: datetime) -> Lease:
        """The lease to create a run with, so that it has an owner from its first moment."""
        return Lease(run=run, engine=self.name, epoch=1, expires=self._store.now(now) + LEASE)

    @property
    def runs(self) -> Mapping[RunId, LiveRun]:
        """The runs that it owns."""
        return {run: owned.live for run, owned in self._runs.items()}

    def own(self, run: RunId) -> LiveRun:
        """Take a run over and look at every waiting task of it; one whose `nbflow run` is gone is closed first.

        Raises Conflict while its owner is alive, and where attempts of it are on another machine.
        """
        if self._is_abandoned(self._store.lease(run), self._store.now(self._clock.now())):
            self._close([run])
        owned = self._take(run)
        with self._sparing(run):
            self._adopt(owned, {AttemptState.RUNNING})
            self._repeat_orders(owned.live)
        owned.pending.append(RunOpened())
        self._advance(owned, (), self._clock.now())
        return owned.live

    def attend(self, run: RunId) -> None:
        """Carry out what was asked of a run that nobody owns, and let it go again. Raises Conflict as `own` does."""
        owned = self._take(run)
        try:
            self._advance(owned, self._store.asked([run]).get(run, ()), self._clock.now())
        finally:
            self._forget(run)

    def abandon(self, run: RunId) -> bool:
        """Begin to end a run whose `nbflow run` is gone, as `failed`; False where somebody else does so."""
        try:
            with self._sparing(run):
                self._owners.hold(self._closer)
            owned = self._take(run, is_abandoned=True)
            with self._sparing(run):
                self._adopt(owned, ATTEMPT_LIVE)
        except Conflict:
            return False
        return True

    def close_abandoned(self) -> tuple[RunId, ...]:
        """End the runs whose `nbflow run` is gone; they are never continued unasked (semantics §9).

        Raises Unavailable where the store goes away meanwhile; the next command closes them then.
        """
        return self._close(self.abandoned())

    def _close(self, runs: Iterable[RunId]) -> tuple[RunId, ...]:
        closing = tuple(run for run in runs if self.abandon(run))
        while any(run in self._runs for run in closing):
            self.step(self._clock.now())
            if self.trouble:
                raise self.trouble
            self._executor.wait(TICK)
        return closing

    def abandoned(self) -> Sequence[RunId]:
        """The runs whose foreground owner is gone."""
        now = self._store.now(self._clock.now())
        return [lease.run for lease in self._store.owned() if self._is_abandoned(lease, now)]

    def _is_abandoned(self, lease: Lease | None, now: datetime) -> bool:
        if lease is None or not lease.is_foreground or lease.run in self._runs:
            return False
        return lease.engine == self._closer or not self._owners.is_alive(lease, now)

    def leave(self) -> None:
        """Let go of every run as it stands; what is running goes on, for a successor to adopt."""
        for run in list(self._runs):
            self._forget(run)

    def _take(self, run: RunId, *, is_abandoned: bool = False) -> _Owned:
        self._require_not_aside(run)
        now = self._store.now(self._clock.now())
        before = self._store.lease(run)
        dead = before.engine if before is not None and not self._owners.is_alive(before, now) else None
        engine = self._closer if is_abandoned else self.name
        lease = self._store.claim(run, engine, now=now, ttl=LEASE, instead_of=dead)
        with self._sparing(run):
            owned = _Owned(self._load(run), lease, is_abandoned)
            try:
                self._give_up_or_refuse_strangers(owned)
            except Conflict:
                if before is not None and before.is_foreground:  # it is to be closed still, and not to be continued
                    self._store.claim(run, before.engine, now=now, ttl=timedelta(0), instead_of=engine)
                else:
                    self._store.release(lease)
                raise
        self._runs[run] = owned
        self._asked_at = None  # it may have requests that waited for an owner
        return owned

    def _give_up_or_refuse_strangers(self, owned: _Owned) -> None:
        """Attempts of another machine: what became of them can be known there only. Who cancels the run gives them up.

        Raises Conflict, which is also the answer to whatever else was asked.
        """
        live, run = owned.live, owned.live.run.id
        strangers = [task.live for task in live.tasks.values() if task.live and not self._is_here(task.live, live)]
        if not strangers:
            return
        asked = self._store.asked([run]).get(run, ())
        if any(isinstance(each.request, CancelRequested) and each.request.key is None for each in asked):
            owned.pending += [_given_up(attempt, self._clock.now()) for attempt in strangers]
            return
        error = Conflict(
            f"run {run} has notebooks on {', '.join(sorted({each.host for each in strangers}))}",
            hint=f"Only nbflow there can go on with it. If that machine is gone: nbflow cancel {run}.",
        )
        if asked:
            self._save(
                owned, Decision(run=live.run, answers=tuple(Answer(id=each.id, error=str(error)) for each in asked))
            )
        raise error

    def _is_here(self, attempt: Attempt, live: LiveRun) -> bool:
        return attempt.host == self._host or self._executor.began_here(attempt, live.run.pipeline)

    def _adopt(self, owned: _Owned, states: Collection[AttemptState]) -> None:
        """Take over the attempts that another engine started; those of an abandoned run are not to be started again."""
        attempts = [task.live for task in owned.live.tasks.values() if task.live and task.live.state in states]
        if attempts:
            self._executor.adopt(attempts, owned.live.run.pipeline)

    def _load(self, run: RunId) -> LiveRun:
        stored = self._store.load(run)
        return LiveRun(stored.run, stored.pipeline, stored.tasks, self._env)

    def _forget(self, run: RunId) -> None:
        """One that is not closed yet is nobody's by that, or it would be continued: it is left to be closed."""
        owned = self._runs.pop(run, None)
        if owned is not None and (owned.live.has_ended or not owned.is_abandoned):
            self._store.release(owned.lease)

    # --- the loop --------------------------------------------------------------------------------------------

    def step(self, now: datetime) -> None:
        """One turn for every owned run: facts in, orders out; ended runs are let go.

        While the store is away nothing is lost: `trouble` says so, and the next turn tries again.
        """
        self._collect()
        try:
            requests = self._requests(now)
            busy = [run for run, owned in self._runs.items() if owned.pending or requests.get(run)]
            for run, owned in list(self._runs.items()):
                self._advance(owned, requests.get(run, ()), now, self._allot if busy == [run] else None)
                if owned.is_abandoned and owned.is_idle:
                    self._advance(owned, [RunAbandoned()], now)
            if not self.is_draining:
                self._start_ready(now)
            self._renew(now)
            for run in [run for run, owned in self._runs.items() if owned.live.has_ended]:
                self._forget(run)
            self.trouble = None
        except Unavailable as error:
            self.trouble = error
            self._asked_at = None  # it is over when the store has answered, not when nothing was asked

    def drive(self, run: RunId, watch: Watch | None = None) -> Run:
        """Own the run until it has ended. `watch` sees it after every turn.

        After `interrupt` the run is cancelled, with grace first and at once the second time; the third time this
        raises KeyboardInterrupt, whatever is still running. So it does where the store is away and cannot be told.
        """
        live = self._runs[run].live if run in self._runs else self.own(run)
        heeded, answered_at = 0, self._clock.now()
        while run in self._runs:
            if self._interrupts > heeded:
                heeded = self._heed_interrupt(run)
            self.step(self._clock.now())
            live = self._runs[run].live if run in self._runs else live
            if watch is not None:
                watch(live)
            if self.trouble is None:
                answered_at = self._clock.now()
            elif heeded and is_over(LAST_TRIES, answered_at, self._clock.now()):
                raise KeyboardInterrupt(_left(run, self.trouble))
            if run in self._runs:
                self._executor.wait(TICK)
        self._require_not_aside(run)
        return live.run

    def interrupt(self, by: str) -> None:
        """Cancel what `drive` drives; may be called from a signal handler."""
        self._interrupts += 1
        self._interrupted_by = by

    def tell(self, run: RunId, request: Request) -> None:
        """Carry out a request with the next turn, as if it had been left in the store."""
        self._runs[run].pending.append(Asked(id=0, request=request))

    def _heed_interrupt(self, run: RunId) -> int:
        if self._interrupts > 2:
            raise KeyboardInterrupt
        grace = GRACE if self._interrupts == 1 else timedelta(0)
        self.tell(run, CancelRequested(by=self._interrupted_by, note="interrupted", grace=grace))
        return self._interrupts

    def _collect(self) -> None:
        for fact in self._executor.poll():
            if owned := self._runs.get(_run_of(fact.attempt)):
                owned.pending.append(fact)

    def _requests(self, now: datetime) -> Mapping[RunId, Iterable[Asked]]:
        if not is_over(timedelta(seconds=TICK), self._asked_at, now):
            return {}
        self._asked_at = now
        return self._store.asked(list(self._runs))

    def _renew(self, now: datetime) -> None:
        if not self._runs or not is_over(LEASE / 3, self._renewed_at, now):
            return
        at, names = self._store.now(now), {owned.lease.engine for owned in self._runs.values()}
        still_own = {run for name in names for run in self._store.renew(name, now=at, ttl=LEASE)}
        self._renewed_at = now
        for run in self._runs.keys() - still_own:  # this process was stopped for long, and another took over
            del self._runs[run]

    # --- deciding, saving, acting ----------------------------------------------------------------------------

    def _advance(self, owned: _Owned, facts: Iterable[Fact], now: datetime, allot: Allot | None = None) -> None:
        """Decide on the pending facts and these, and on the time. Pending ones are forgotten once they are saved."""
        facts, due = [*owned.pending, *facts], owned.live.wake_at()
        if not facts and (due is None or now < due):
            return
        try:
            self._decide(owned, facts, now, allot)
        except LeaseLost:
            self._runs.pop(owned.live.run.id, None)
        except (PoolFull, Unavailable):
            raise
        except Exception as error:
            self._leave_aside(owned.live.run.id, self._aside.put(owned.live.run.id, error, now), now)
        owned.pending.clear()

    @contextlib.contextmanager
    def _sparing(self, run: RunId) -> Iterator[None]:
        """A fault of nbflow's own, or rows that it cannot read, stop one run; what it runs goes on, and is adopted."""
        try:
            with self._aside.guard(run, self._clock.now()):
                yield
        except SetAside as refusal:
            self._leave_aside(run, refusal, self._clock.now())
            raise

    def _leave_aside(self, run: RunId, refusal: SetAside, now: datetime) -> None:
        """Let go of it, and tell those who look, as far as the store can be written."""
        self._forget(run)
        with contextlib.suppress(Exception):  # the store may be what is at fault; the log has it all
            self._store.note_aside(run, refusal.fault, now=now)

    def _require_not_aside(self, run: RunId) -> None:
        if refusal := self._aside.refusal(run, self._clock.now()):
            raise refusal

    def _decide(self, owned: _Owned, facts: Sequence[Fact], now: datetime, allot: Allot | None) -> None:
        try:
            self._save(owned, lifecycle.advance(owned.live, facts, now, allot))
        except StaleVersion:  # our last write arrived, its answer did not
            owned.live = self._load(owned.live.run.id)
            self._repeat_orders(owned.live)
            self._save(owned, lifecycle.advance(owned.live, facts, now))

    def _save(self, owned: _Owned, decision: Decision) -> None:
        if decision.is_empty:
            return
        failpoint("engine.before_save")
        saved = self._store.apply(decision, seen=owned.live.run.version, lease=owned.lease, pools=self._pools)
        failpoint("engine.after_save")
        owned.live.apply(decision, saved)
        for order in decision.orders:
            if isinstance(order, StartAttempt):
                self._executor.start(order)
            else:
                self._executor.stop(order)

    def _repeat_orders(self, live: LiveRun) -> None:
        """What was decided and perhaps not carried out; an order that is given twice is carried out once."""
        for task_run in live.tasks.values():
            if task_run.live and task_run.live.state is AttemptState.QUEUED:
                self._hand_over_again(live, task_run, task_run.live)
            if order := operate.stop_wanted(task_run):
                self._executor.stop(order)

    def _hand_over_again(self, live: LiveRun, task_run: TaskRun, attempt: Attempt) -> None:
        try:
            order = start_order(live, task_run, task_run.attempts, attempt.token)
        except NbflowError:  # its templates miss what was in the environment; it may run all the same
            self._executor.adopt([attempt], live.run.pipeline)
        else:
            self._executor.start(order)

    # --- slots and pools -------------------------------------------------------------------------------------

    def _allot(self, draft: Draft) -> Sequence[SlotGranted]:
        """Slots for what starts next anyway, so that one write tells of an end and of what follows it.

        Only up to the first task of a pool: which places are free is known when that has been saved.
        """
        if self.is_draining:
            return ()
        ready = heapq.merge(*(_turns(live, (draft if live is draft.live else live).ready()) for live in self._going_on))
        need_no_pool = takewhile(lambda turn: self._task(turn).pool is None, ready)
        first = islice(need_no_pool, self._executor.free_slots())
        return [self._slot(key) for _, run, key in first if run == draft.run.id]

    def _start_ready(self, now: datetime) -> None:
        for run, grants in self._grants().items():
            self._grant(self._runs[run], grants, now)

    def _grants(self) -> Mapping[RunId, Sequence[SlotGranted]]:
        """Which task runs get the free slots."""
        free = self._executor.free_slots()
        if not free:
            return {}
        queues = [(pool, _turns(live, queue)) for live in self._going_on for pool, queue in live.queues().items()]
        held = taken(self._store.pool_holders()) if any(pool for pool, _ in queues) else {}
        places, granted = Places[TaskKey](self._pools, held), defaultdict[RunId, list[SlotGranted]](list)
        for turn in in_turn(queues, places.kept):
            _, run, key = turn
            task = self._task(turn)
            if task.pool is None or places.take(key, task.pool, task.pool_slots):
                granted[run].append(self._slot(key))
                free -= 1
            if not free:
                break
        return granted

    @property
    def _going_on(self) -> Sequence[LiveRun]:
        return [owned.live for owned in self._runs.values() if not owned.is_abandoned]

    def _task(self, turn: _Turn) -> Task:
        _, run, key = turn
        return self._runs[run].live.task(key)

    def _slot(self, key: TaskKey) -> SlotGranted:
        return SlotGranted(key=key, token=secrets.token_hex(16), host=self._host)

    def _grant(self, owned: _Owned, grants: Iterable[SlotGranted], now: datetime) -> None:
        try:
            self._advance(owned, grants, now)
        except PoolFull:  # another engine was quicker; the next turn sees what is left
            return


def _left(run: RunId, trouble: Unavailable) -> str:
    rest = "Its notebooks are stopped; the next command that shows runs closes it."
    return advised(f"the end of run {run} cannot be written down: {trouble.message}", f"{trouble.hint} {rest}".strip())


def _given_up(attempt: Attempt, now: datetime) -> AttemptEnded:
    reason = f"it was given up: nobody here can know what became of it on {attempt.host}"
    state, cause = AttemptState.LOST, Cause.LOST
    return AttemptEnded(attempt=attempt.id, token=attempt.token, at=now, state=state, cause=cause, reason=reason)


def _turns(live: LiveRun, ready: Iterable[Turn]) -> Iterator[_Turn]:
    return ((order, live.run.id, key) for order, key in ready)


def _run_of(attempt: AttemptId) -> RunId:
    return RunId(attempt.split("/", 1)[0])
