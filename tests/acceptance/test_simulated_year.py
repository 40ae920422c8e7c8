"""A year in which everything goes wrong now and then: no tick is lost or doubled, and nothing leaks."""

from __future__ import annotations

import os
import time

import pytest
from year import BEGIN, DAY, Ledger, World, end_well, live_through, pipelines

PIPELINES, TASKS, SLOTS, PLACES = (200, 50, 300, 40) if "NBFLOW_SOAK" in os.environ else (20, 10, 16, 3)

DAYS = 365


@pytest.mark.soak
def test_a_year_of_daily_pipelines() -> None:
    before = time.process_time()
    world = World(pipelines(PIPELINES, TASKS, DAYS), slots=SLOTS, places=PLACES, seed=2026)
    ledger = Ledger(world)
    live_through(world, BEGIN + DAYS * DAY, troubles=300, ledger=ledger)
    end_well(world, ledger)
    ledger.check_that_nothing_is_left()
    skipped = ledger.check_every_tick()
    ledger.check_limits()
    seconds = time.process_time() - before
    print(  # noqa: T201 - what the soak is for
        f"\n{ledger.summary()}, {skipped:,} ticks skipped, {world.births} schedulers, {world.turns:,} turns:"
        f" {seconds:.1f} s of CPU, {1000 * seconds / ledger.task_runs:.2f} ms a task run"
    )
