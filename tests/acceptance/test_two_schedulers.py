"""Two schedulers on one PostgreSQL: one leads, the other takes over, and nothing is lost or doubled (semantics §9)."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import eventually
from postgres_server import PostgresServer
from proc import freeze
from schedulers import Watched, add_ticking, assert_as_without_a_kill, assert_no_tick_is_lost, settle, watched

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")

SOAK = "NBFLOW_SOAK" in os.environ
KILLS = 20 if SOAK else 3

PATIENCE = 120.0
"""Seconds for what takes a few on an idle machine."""


@pytest.fixture
def world(tmp_path: Path, postgres: PostgresServer) -> Iterator[Watched]:
    folder = tmp_path / "project"
    folder.mkdir()
    url = postgres.url(postgres.new_database())
    (folder / "nbflow.toml").write_text(f'[store]\ndatabase = "{url}"\n')
    with watched(folder) as found:
        yield found


def work_goes_on(world: Watched) -> None:
    """Returns when another run has ended, and a notebook runs."""
    ended = sum(state == "success" for state in world.states().values())
    eventually(lambda: sum(state == "success" for state in world.states().values()) > ended, PATIENCE)
    eventually(lambda: any(is_running(world, run.id) for run in world.store.unfinished()), PATIENCE)


def is_running(world: Watched, run: str) -> bool:
    return any(task.live for task in world.store.load(run).tasks.values())


def assert_nothing_lost_or_doubled(world: Watched, *folders: Path) -> None:
    settle(world)
    assert_as_without_a_kill(world, *folders)
    assert_no_tick_is_lost(world)


@pytest.mark.soak
def test_the_other_follows_a_leader_that_is_killed_under_load(world: Watched) -> None:
    folders = add_ticking(world), add_ticking(world, "tocking")
    chance = random.Random(20261126)
    leader, other = world.start_leader(), world.start()
    epoch = world.store.leader().epoch
    took: list[float] = []
    for _ in range(KILLS):
        work_goes_on(world)
        time.sleep(chance.uniform(0, 0.5))  # not always at the same step
        killed_at = world.kill(leader)
        eventually(lambda: world.leads(other), PATIENCE)  # noqa: B023 - called at once
        took.append(time.monotonic() - killed_at)
        leader, other = other, world.start()
    assert_nothing_lost_or_doubled(world, *folders)
    assert world.leads(leader)
    assert world.store.leader().epoch == epoch + KILLS
    said = ", ".join(f"{each:.1f}" for each in sorted(took))
    print(f"\n{KILLS} leaders killed, {len(world.states())} runs, as without; led after {said} s")  # noqa: T201


def test_a_leader_that_is_stopped_past_its_time_and_woken_stands_by(world: Watched) -> None:
    folder = add_ticking(world)
    leader, other = world.start_leader(), world.start()
    work_goes_on(world)
    freeze(leader.pid)
    eventually(lambda: world.leads(other), PATIENCE)
    work_goes_on(world)
    leader.send_signal(signal.SIGCONT)
    for _ in range(3):
        work_goes_on(world)
        assert world.leads(other)
    assert leader.poll() is None
    world.kill(other)
    eventually(lambda: world.leads(leader), PATIENCE)
    work_goes_on(world)
    assert_nothing_lost_or_doubled(world, folder)
    assert world.end(leader) == 0
