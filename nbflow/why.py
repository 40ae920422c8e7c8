"""Why a run or a task run stands where it stands, in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import Enum
from typing import assert_never

from nbflow.admission import Lane, Limits, ahead, is_held, lane
from nbflow.backfill import Backfill
from nbflow.live import LiveRun, StartOrder
from nbflow.model import RunId, TaskKey, TaskName
from nbflow.run import Change, Request, Run, TaskRun
from nbflow.states import RunState, TaskState, in_words
from nbflow.text import clock_time, counted, one_line, seconds_text
from nbflow.timetable import Standing

MOST = 5
"""Names in a sentence; more of them are counted."""

NO_SCHEDULER = "no scheduler is running: start `nbflow up`"
_SOON = "in a moment; if it does not, its log says why"
_WANTS = {"reset": "run again", "cancel": "cancelled", "mark": "marked", "retry_now": "tried again"}


class Owner(Enum):
    """Who has the run."""

    ALIVE = "an engine that lives"
    GONE = "an `nbflow run` that is gone: the run is closed, not continued"
    NONE = "nobody, or a scheduler that is gone: the next one takes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run shares with others, as it was when it was looked at."""

    now: datetime
    owner: Owner = Owner.ALIVE
    has_scheduler: bool = True
    """One leads, and takes the runs that nobody owns."""
    silent: tuple[str, timedelta] | None = None
    """Who has the run, or should take it, and the age of its last sign of life, where that is too old."""
    elsewhere: Collection[str] = ()
    """Other machines than the scheduler's that have notebooks of the run."""
    aside: Change | None = None
    """Its scheduler has told that it leaves the run alone for a minute, and for what fault."""
    asked: Sequence[Request] = ()
    """Of the run, which nobody has answered yet: whoever asked was killed, or has given up waiting."""
    unfinished: Sequence[Run] = ()
    owned: Collection[RunId] = frozenset()
    """The unfinished runs that an engine has."""
    limits: Limits = field(default_factory=Limits)
    standing: Standing | None = None
    """Of the run's pipeline; None where no scheduler has seen it."""
    pools: Mapping[str, int] = field(default_factory=dict)
    """The places of each pool."""
    holders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Who holds the places of each pool now, one name a place."""
    kept: Mapping[str, tuple[StartOrder, str]] = field(default_factory=dict)
    """Of each pool the first ready task that has to wait for places, and its name: the free ones are kept for it."""
    slots: int | None = None
    """Attempts that may run at once; None where it is not known."""
    busy: Sequence[str] = ()
    """Who uses the slots now."""
    usual: Mapping[TaskName, float] = field(default_factory=dict)
    """The usual seconds of each task."""
    zone: tzinfo | None = None
    """The reader's; None for that of this machine."""


def why_run(live: LiveRun, around: Surroundings) -> str:
    """`run r2 has not started: run r1 is running, and max_active_runs of nightly is 1.`"""
    run, held = live.run, _stands_still(live.run, around)
    match run.state:
        case RunState.QUEUED if around.owner is Owner.ALIVE:
            return f"run {run.id} is about to start{_behind('; ', held)}."
        case RunState.QUEUED:
            return f"run {run.id} {'waits to run again' if run.started_at else 'has not started'}: {held}."
        case RunState.RUNNING:
            return f"run {run.id} is running, {_elapsed(run.started_at, around)}{_behind('; ', held)}."
        case RunState.SUCCESS:
            return f"run {run.id} ended well{_behind('; ', _asked(around))}."
        case RunState.FAILED:
            return f"run {run.id} failed{_because(live)}{_behind('; ', _asked(around))}."
        case RunState.CANCELLED:
            return f"run {run.id} was {_how_cancelled(live)}{_behind('; ', _asked(around))}."
        case _:
            assert_never(run.state)


def why_paused(backfill: Backfill) -> str:
    """`backfill 3 was paused by ada (the source is down), and goes on with …`"""
    by = _by(backfill.changed_by, backfill.reason)
    return f"backfill {backfill.id} was paused{by}, and goes on with `nbflow backfill resume {backfill.id}`"


def why(live: LiveRun, key: TaskKey, around: Surroundings) -> str:
    """`clean waits for extract, which is running, 4 min, usually 9 min.`"""
    task_run = live.get(key)
    if task_run.state.is_terminal:
        return f"{key.address} {_ended(task_run)}."
    held = _stands_still(live.run, around)
    if _is_untaken(live.run, around):
        return f"{key.address} waits for its run to start{_behind(': ', held)}."
    return f"{key.address} {_unfinished(live, task_run, around)}{_behind('; ', held)}."


def why_in_row(live: LiveRun, key: TaskKey, around: Surroundings) -> str:
    """`waits for extract, which is running`: of an unfinished one, in its row.

    Without what stands beside it, its name, state and times, and what `held_up` says above all rows.
    """
    task_run = live.get(key)
    if _is_untaken(live.run, around):
        return "waits for its run to start"
    if task_run.state is TaskState.RUNNING and task_run.then is None:
        return ""
    return _unfinished(live, task_run, around, is_timed=False)


def held_up(run: Run, around: Surroundings) -> str:
    """What keeps all of a run from going on: `no scheduler is running: start nbflow up`. Empty where nothing does."""
    if run.state.is_terminal:
        return ""
    return _held(run, around) if _is_untaken(run, around) else _unattended(around)


def _is_untaken(run: Run, around: Surroundings) -> bool:
    return run.state is RunState.QUEUED and around.owner is not Owner.ALIVE


def _stands_still(run: Run, around: Surroundings) -> str:
    """What keeps the run, or will in a moment have kept it; empty where it goes on."""
    if held := held_up(run, around):
        return held
    if _is_untaken(run, around):
        return f"the scheduler takes it {_SOON}"
    return f"the scheduler takes the run over {_SOON}" if around.owner is Owner.NONE else ""


def _behind(mark: str, said: str) -> str:
    return f"{mark}{said}" if said else ""


# --- runs -----------------------------------------------------------------------------------------------------------


def _because(live: LiveRun) -> str:
    """The tasks that made the run fail."""
    failed = [f"{each.key.address} {_ended(each)}" for each in live.tasks.values() if live.is_unexcused(each)]
    return f": {_listed(failed)}" if failed else ""


def _asked(around: Surroundings) -> str:
    """What is still to be done with a run that has ended."""
    if not around.asked:
        return ""
    wants = dict.fromkeys(f"{each.by} wants it {_WANTS[each.kind]}" for each in around.asked)
    return f"{_listed(wants)}, which the next scheduler or command that has it does"


def _how_cancelled(live: LiveRun) -> str:
    """`cancelled by ada: too slow` where that goes for all of it."""
    said = {one_line(each.reason) for each in live.tasks.values() if each.state is TaskState.CANCELLED}
    return said.pop() if len(said) == 1 and "" not in said else "cancelled"


def _held(run: Run, around: Surroundings) -> str:
    """What a queued run waits for that no engine has; empty where nothing is in its way."""
    if around.owner is Owner.GONE:
        return "the nbflow run that owned it is gone, and the next command or scheduler closes it"
    if not around.has_scheduler:
        return NO_SCHEDULER
    mine = lane(run, around.limits)
    if is_held(run, around.limits):
        return _paused(run, around)
    before = ahead(run, around.unfinished, around.owned, around.limits)
    if not before:
        return _silent(around) or _aside(around)
    first = f"run {before[0].id} is {before[0].state}" if len(before) == 1 else f"{_runs(before)} come first"
    return f"{first}, and {_limit(mine)}"


def _paused(run: Run, around: Surroundings) -> str:
    backfill, standing = around.limits.backfills.get(run.id), around.standing
    if backfill is not None:
        return why_paused(backfill)
    by = _by(standing.paused_by, standing.note) if standing else ""
    return f"pipeline {run.pipeline} was paused{by}, and goes on with `nbflow resume {run.pipeline}`"


def _by(whom: str | None, note: str | None) -> str:
    return (f" by {whom}" if whom else "") + (f" ({one_line(note)})" if note else "")


def _limit(mine: Lane) -> str:
    if mine.backfill is not None:
        return f"max_active of backfill {mine.backfill} is {mine.limit}"
    return f"max_active_runs of {mine.pipeline} is {mine.limit}"


def _runs(runs: Sequence[Run]) -> str:
    return f"runs {_listed(run.id for run in runs)}"


def _unattended(around: Surroundings) -> str:
    """What is missing where nobody looks after a run that has begun; empty where somebody does."""
    match around.owner:
        case Owner.ALIVE:
            return _silent(around)
        case Owner.GONE if around.elsewhere:
            return (
                "the nbflow run that owned it is gone, and only a command or scheduler on"
                f" {_listed(sorted(around.elsewhere))} closes the run; if that machine is gone, `nbflow cancel` gives"
                " its notebooks up"
            )
        case Owner.GONE:
            return "the nbflow run that owned it is gone, and the next command or scheduler closes the run"
        case Owner.NONE:
            if around.elsewhere:
                return _elsewhere(around.elsewhere)
            if not around.has_scheduler:
                return NO_SCHEDULER
            return _silent(around) or _aside(around)


def _silent(around: Surroundings) -> str:
    """Empty where whoever is to look after the run gives signs of life."""
    if around.silent is None:
        return ""
    who, age = around.silent
    said = f"{who} gave its last sign of life {seconds_text(age.total_seconds())} ago"
    return f"{said}: it is stopped, or cannot write to the database"


def _aside(around: Surroundings) -> str:
    """Empty where the scheduler has said nothing of the kind."""
    if around.aside is None:
        return ""
    at, fault = clock_time(around.aside.at, around.zone), one_line(around.aside.note or "")
    return (
        f"the scheduler set it aside at {at} for a fault of nbflow's own ({fault}), and tries again after a minute; "
        "its log says more"
    )


def _elsewhere(hosts: Collection[str]) -> str:
    return (
        f"the run has notebooks on {_listed(sorted(hosts))}, and only a scheduler there goes on with it; "
        "if that machine is gone, `nbflow cancel` gives them up"
    )


# --- task runs ------------------------------------------------------------------------------------------------------


def _unfinished(live: LiveRun, task_run: TaskRun, around: Surroundings, *, is_timed: bool = True) -> str:
    if task_run.then is not None:
        return _being_stopped(task_run, task_run.then)
    if task_run.state is TaskState.WAITING:
        return _waiting(live, task_run, around, is_timed=is_timed)
    if task_run.state is TaskState.QUEUED:
        return _queued(live, task_run, around)
    if task_run.state is TaskState.RETRY_WAIT:
        return f"failed ({one_line(task_run.reason)}); {_next_try(live, task_run, around)}"
    return f"is running, attempt {task_run.attempts}, {_so_far(task_run, around)}"


def _being_stopped(task_run: TaskRun, then: TaskState) -> str:
    by = f" by {task_run.set_by}" if task_run.set_by else ""
    if then is TaskState.WAITING:
        return f"is being stopped{by}, and runs again"
    return f"is being stopped{by}, and becomes {in_words(then)}"


def _waiting(live: LiveRun, task_run: TaskRun, around: Surroundings, *, is_timed: bool) -> str:
    ups = [live.tasks[up] for up in live.ups[task_run.key] if not live.tasks[up].state.is_terminal]
    if not ups:
        return "is about to be looked at: no upstream is unfinished"
    waited = (f"{up.key.address}, which {_stands(live, up, around, is_timed=is_timed)}" for up in ups)
    return f"waits for {_listed(waited, between='; ')}"


def _stands(live: LiveRun, up: TaskRun, around: Surroundings, *, is_timed: bool) -> str:
    """Where an upstream stands, in a few words."""
    if up.state is TaskState.RUNNING:
        return f"is running, {_so_far(up, around)}" if is_timed else "is running"
    if up.state is TaskState.RETRY_WAIT:
        return f"failed, {_next_try(live, up, around)}"
    if up.state is TaskState.QUEUED:
        return "is starting" if up.live else "is ready to start"
    return "is waiting itself"


def _next_try(live: LiveRun, task_run: TaskRun, around: Surroundings) -> str:
    """`next try 10:42:05, 3 of 4`; a failure of nbflow's own uses up none of the notebook's tries."""
    due = (
        clock_time(task_run.not_before, around.zone)
        if task_run.not_before and task_run.not_before > around.now
        else "now"
    )
    if task_run.cause is not None and task_run.cause.is_own_fault:
        return f"next try {due}, which uses up no retry"
    return f"next try {due}, {task_run.failures + 1} of {live.task(task_run.key).retries.max_retries + 1}"


def _so_far(task_run: TaskRun, around: Surroundings) -> str:
    elapsed = _elapsed(task_run.live.started_at if task_run.live else task_run.started_at, around)
    known = around.usual.get(task_run.key.task)
    return f"{elapsed}, usually {seconds_text(known)}" if known is not None else elapsed


def _elapsed(since: datetime | None, around: Surroundings) -> str:
    return seconds_text(max(0.0, (around.now - since).total_seconds())) if since else "just started"


def _queued(live: LiveRun, task_run: TaskRun, around: Surroundings) -> str:
    if task_run.live is not None:
        return "was handed to the executor and is starting"
    task = live.task(task_run.key)
    order = live.start_order[task_run.key]
    return (task.pool and _for_pool(task.pool, task.pool_slots, order, around)) or _for_slot(around)


def _for_pool(pool: str, wanted: int, order: StartOrder, around: Surroundings) -> str:
    """Empty where the pool has room for it."""
    if pool not in around.pools:
        return f"waits for pool {pool}, which nbflow.toml does not name"
    size, held = around.pools[pool], around.holders.get(pool, ())
    if wanted > size:
        return f"waits for {counted(wanted, 'place')} of pool {pool}, which has {size}"
    if len(held) + wanted <= size:
        before, name = around.kept.get(pool, (order, ""))
        return f"waits for pool {pool}, whose free places are kept for {name}" if before < order else ""
    many = f"{wanted} places of " if wanted > 1 else ""
    return f"waits for {many}pool {pool}: {len(held)} of {size} used by {_listed(dict.fromkeys(held))}"


def _for_slot(around: Surroundings) -> str:
    if around.slots is None:
        return "is ready and waits for a free slot"
    if len(around.busy) < around.slots:
        return "is ready and starts in a moment"
    return f"waits for a free slot: {len(around.busy)} of {around.slots} used by {_listed(around.busy)}"


def _ended(task_run: TaskRun) -> str:
    by_hand = f", set by {task_run.set_by}" if task_run.set_by else ""
    note = f" ({one_line(task_run.note)})" if by_hand and task_run.note else ""
    reason = one_line(task_run.reason)
    because = f": {reason}" if reason else ""
    match task_run.state:
        case TaskState.SUCCESS:
            return f"ended well{by_hand}{note}"
        case TaskState.UPSTREAM_FAILED:
            return f"cannot run{because}"
        case TaskState.CANCELLED:
            is_told = reason.startswith("cancelled")  # `cancelled by ada`
            return f"was {reason}" if is_told else f"was cancelled{because}"
        case TaskState.SKIPPED:
            return f"was skipped{by_hand}{note}{because}"
        case _:
            return f"failed{by_hand}{note}{because}"


def _listed(names: Iterable[str], between: str = ", ") -> str:
    listed = list(names)
    more = f" and {len(listed) - MOST} more" if len(listed) > MOST else ""
    return between.join(listed[:MOST]) + more
