"""Why a task run stands where it stands, in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from nbflow.live import LiveRun
from nbflow.model import TaskKey, TaskName
from nbflow.run import TaskRun
from nbflow.states import TaskState
from nbflow.text import clock_time, join_names, seconds_text


def why(
    live: LiveRun,
    key: TaskKey,
    now: datetime,
    *,
    pools: Mapping[str, int],
    holders: Mapping[str, Sequence[str]],
    usual: Mapping[TaskName, float],
    owner_is_alive: bool,
) -> str:
    """`clean waits for extract, which is running, 4 min, usually 9 min.`

    `pools` has the places of each pool, `holders` who holds them now, `usual` the usual seconds of each task.
    """
    task_run = live.get(key)
    said = _sentence(live, task_run, now, pools, holders, usual)
    if task_run.state.is_terminal or owner_is_alive:
        return said
    return f"{said} Nothing runs it now: the nbflow run that owned it is gone; the next command closes the run."


def _sentence(
    live: LiveRun,
    task_run: TaskRun,
    now: datetime,
    pools: Mapping[str, int],
    holders: Mapping[str, Sequence[str]],
    usual: Mapping[TaskName, float],
) -> str:
    name = task_run.key.address
    match task_run.state:
        case TaskState.WAITING:
            return f"{name} waits for {join_names(_upstreams(live, task_run.key, now, usual))}."
        case TaskState.QUEUED:
            return _queued(live, task_run, pools, holders)
        case TaskState.RUNNING:
            return f"{name} is running, attempt {task_run.attempts}, {_so_far(task_run, now, usual)}."
        case TaskState.RETRY_WAIT:
            due = clock_time(task_run.not_before) if task_run.not_before else "soon"
            tries = live.task(task_run.key).retries.max_retries + 1
            return f"{name} failed ({task_run.reason}); next try {due}, {task_run.failures + 1} of {tries}."
        case TaskState.SUCCESS:
            return f"{name} ended well{_by_hand(task_run)}."
        case TaskState.FAILED:
            return f"{name} failed{_by_hand(task_run)}{_because(task_run)}."
        case TaskState.UPSTREAM_FAILED:
            return f"{name} cannot run: {task_run.reason}."
        case TaskState.SKIPPED:
            return f"{name} was skipped{_by_hand(task_run)}{_because(task_run)}."
        case TaskState.CANCELLED:
            return f"{name} was cancelled{_because(task_run)}."
        case _:
            assert_never(task_run.state)


def _upstreams(live: LiveRun, key: TaskKey, now: datetime, usual: Mapping[TaskName, float]) -> list[str]:
    unfinished = [live.tasks[up] for up in live.ups[key] if not live.tasks[up].state.is_terminal]
    return [
        f"{up.key.address}, which is {up.state}"
        + (f", {_so_far(up, now, usual)}" if up.state is TaskState.RUNNING else "")
        for up in unfinished
    ]


def _so_far(task_run: TaskRun, now: datetime, usual: Mapping[TaskName, float]) -> str:
    since = task_run.live.started_at if task_run.live else task_run.started_at
    elapsed = seconds_text((now - since).total_seconds()) if since else "just started"
    known = usual.get(task_run.key.task)
    return f"{elapsed}, usually {seconds_text(known)}" if known is not None else elapsed


def _queued(live: LiveRun, task_run: TaskRun, pools: Mapping[str, int], holders: Mapping[str, Sequence[str]]) -> str:
    name, task = task_run.key.address, live.task(task_run.key)
    if task_run.live is not None:
        return f"{name} was handed to the executor and is starting."
    if task.pool is None:
        return f"{name} is ready and waits for a free slot."
    if task.pool not in pools:
        return f"{name} waits for pool {task.pool}, which nbflow.toml does not name."
    held = holders.get(task.pool, ())
    if len(held) + task.pool_slots > pools[task.pool]:
        who = join_names(dict.fromkeys(held))
        return f"{name} waits for pool {task.pool}: {len(held)} of {pools[task.pool]} used by {who}."
    return f"{name} is ready and waits for a free slot."


def _by_hand(task_run: TaskRun) -> str:
    if task_run.set_by is None:
        return ""
    return f", set by {task_run.set_by}" + (f" ({task_run.note})" if task_run.note else "")


def _because(task_run: TaskRun) -> str:
    return f": {task_run.reason}" if task_run.reason else ""
