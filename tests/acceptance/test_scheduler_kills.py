"""`kill -9` of schedulers, runners and kernels (semantics §9): every run ends as without it, and nothing runs twice."""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from making import PATIENCE, eventually, kill
from schedulers import WAITING, WAITS, Watched, add_ticking, assert_as_without_a_kill, settle

from nbflow.executors.processes import members
from nbflow.executors.proctable import Marks
from nbflow.failpoints import VARIABLE
from nbflow.notebooks.folder import AttemptFolder
from nbflow.states import AttemptState, RunState

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")

SOAK = "NBFLOW_SOAK" in os.environ
MOMENTS = 200 if SOAK else 20

POINTS = (
    "scheduler.before_fire",
    "scheduler.after_fire",
    "engine.before_save",
    "store.before_commit",
    "engine.after_save",
    "executor.prepared",
    "executor.spawned",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_scheduler_killed_at_a_failpoint_is_followed_without_a_trace(world: Watched, point: str) -> None:
    folder = add_ticking(world)
    first = world.start(**{VARIABLE: point})
    assert first.wait(PATIENCE) == -signal.SIGKILL
    world.start_leader()
    eventually(lambda: RunState.SUCCESS in world.states().values())
    settle(world)
    assert_as_without_a_kill(world, folder)


def test_running_notebooks_survive_a_killed_scheduler_and_are_adopted(world: Watched) -> None:
    folder = world.project.pipeline("slow", WAITING, only=(WAITS, "print('done')"))
    first = world.start_leader()
    run, pid = world.trigger_waiting("slow", folder)
    world.kill(first)
    os.kill(pid, 0)  # it lives
    world.start_leader()
    os.kill(pid, 0)
    (folder / "go").touch()
    eventually(lambda: world.state(run) == "success")
    assert (folder / "kernel.pids").read_text() == f"{pid}\n"
    ((attempt,),) = world.store.attempts(run).values()
    assert (attempt.number, attempt.state) == (1, AttemptState.SUCCESS)


def test_sigterm_leaves_the_running_notebook_to_the_next_scheduler(world: Watched) -> None:
    folder = world.project.pipeline("slow", WAITING, only=(WAITS,))
    first = world.start_leader()
    run, _ = world.trigger_waiting("slow", folder)
    assert world.end(first) == 0
    assert (world.store.leader(), world.store.owned()) == (None, [])
    world.start_leader()
    (folder / "go").touch()
    eventually(lambda: world.state(run) == "success")
    assert len((folder / "kernel.pids").read_text().split()) == 1


def test_ctrl_c_waits_for_running_notebooks_and_names_them_and_the_second_cancels(world: Watched) -> None:
    manifest = f"{WAITING}  next: {{notebook: only.ipynb, depends_on: only}}\n"
    folder = world.project.pipeline("slow", manifest, only=(WAITS,))
    first = world.start_leader()
    run, _ = world.trigger_waiting("slow", folder)
    first.send_signal(signal.SIGINT)
    said = world.project.folder / "nbflow.stderr"
    eventually(lambda: "waiting for 1 notebook to end: slow.only" in said.read_text())
    assert first.poll() is None
    first.send_signal(signal.SIGINT)
    assert first.wait(PATIENCE) == 0
    assert "cancelling slow.only" in said.read_text()
    assert {key.task: str(task.state) for key, task in world.store.load(run).tasks.items()} == {
        "only": "cancelled",
        "next": "cancelled",
    }


def test_a_second_scheduler_on_the_same_file_stands_by(world: Watched) -> None:
    add_ticking(world)
    first = world.start_leader()
    second = world.start()
    said = world.project.folder / "nbflow.stderr"
    eventually(lambda: "standing by" in said.read_text())
    assert world.leads(first)
    world.kill(first)
    eventually(lambda: world.leads(second))


def processes_of_attempts(world: Watched) -> Sequence[int]:
    """Every guard, runner and kernel of a live attempt, and what they started.

    Of tasks that lost none in a row yet: the third one would end the task (semantics §4).
    """
    found: list[int] = []
    for run in world.store.unfinished():
        for task in world.store.load(run.id).tasks.values():
            if task.live is not None and not task.strikes:
                folder = AttemptFolder(world.doors.outputs / run.pipeline / task.live.id)
                found += members(Marks(task.live.token, folder.marker))
    return found


@pytest.mark.soak
def test_kills_at_seeded_moments(world: Watched) -> None:
    folder = add_ticking(world)
    chance = random.Random(20261126)
    scheduler = world.start_leader()
    recoveries: list[float] = []
    attempts_killed = 0
    for _ in range(MOMENTS):
        time.sleep(chance.uniform(0.2, 1.5))
        if chance.random() < 0.5:
            kill(chance.choice(eventually(lambda: processes_of_attempts(world))))
            attempts_killed += 1
        else:
            killed_at = world.kill(scheduler)
            scheduler = world.start_leader()
            recoveries.append(time.monotonic() - killed_at)
    settle(world)
    assert_as_without_a_kill(world, folder)
    p95 = statistics.quantiles(recoveries, n=20)[-1]
    print(  # noqa: T201 - what the soak is for
        f"\nkilled: the scheduler {len(recoveries)} times, a process of an attempt {attempts_killed} times;"
        f" {len(world.states())} runs ended as without it;"
        f" the next scheduler led after {statistics.median(recoveries):.2f} s, p95 {p95:.2f} s"
    )
