"""Wishes to stop: the first decides, later ones only hurry, and nobody who waits misses one."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from attempts import Attempt, notebook

from nbflow.notebooks import endings
from nbflow.notebooks.endings import Ending
from nbflow.notebooks.stop import GONE, Stop
from nbflow.run import StopAttempt
from nbflow.states import Cause


def late(cell: int | None) -> Ending:
    return endings.timed_out(cell, timedelta(seconds=1), "cell")


def lost(cell: int | None) -> Ending:
    return endings.lost(cell, "gone")


def test_nobody_wants_anything() -> None:
    stop = Stop()
    assert not stop.is_wanted
    assert stop.seconds_left == float("inf")


def test_the_first_wish_decides_and_the_shortest_grace_counts() -> None:
    stop, began = Stop(), time.monotonic()
    stop.want(late, timedelta(seconds=60))
    stop.want(lost, timedelta(seconds=30))
    stop.want(lost, timedelta(seconds=90))
    assert stop.ending(3) == late(3)
    left = stop.seconds_left
    assert 30 - (time.monotonic() - began) <= left <= 30


def in_loop(script: Callable[[Stop], object], waits_for: Callable[[Stop], object]) -> Stop:
    """A waiter that waits already when the script runs."""
    stop = Stop()

    async def main() -> None:
        stop.attach()
        waiter = asyncio.ensure_future(waits_for(stop))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        script(stop)
        await asyncio.wait_for(waiter, 60)
        stop.detach()

    asyncio.run(main())
    return stop


def test_waiting_for_a_wish() -> None:
    in_loop(lambda stop: stop.want(late, timedelta(seconds=60)), lambda stop: stop.wanted())


def test_waiting_for_the_end_of_the_grace() -> None:
    stop = in_loop(lambda stop: stop.want(late, timedelta(milliseconds=20)), lambda stop: stop.killing_time())
    assert stop.seconds_left == 0


def test_a_later_wish_shortens_the_wait() -> None:
    def script(stop: Stop) -> None:
        stop.want(late, timedelta(seconds=60))
        stop.want(lost, timedelta(0))

    assert in_loop(script, lambda stop: stop.killing_time()).ending(None).cause is Cause.TIMEOUT


def test_a_wish_from_before_the_loop() -> None:
    stop = Stop()
    stop.want(late, timedelta(0))

    async def main() -> None:
        stop.attach()
        await asyncio.wait_for(stop.wanted(), 60)
        await asyncio.wait_for(stop.killing_time(), 60)

    asyncio.run(main())


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path, notebook("1"))


def order(attempt: Attempt, grace: float) -> StopAttempt:
    return StopAttempt(attempt=attempt.order.attempt, token="t", by="ana", grace=timedelta(seconds=grace))


def test_a_signal_with_an_order_cancels_and_one_more_reads_it_again(attempt: Attempt) -> None:
    stop, before = Stop(), signal.getsignal(signal.SIGTERM)
    with stop.heeding(attempt.folder):
        attempt.folder.ask_to_stop(order(attempt, 600))
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.ending(2) == endings.cancelled(2, "ana")
        assert stop.seconds_left > 500
        attempt.folder.ask_to_stop(order(attempt, 0))
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.seconds_left == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("left", [None, '{"half'])
def test_a_signal_without_a_readable_order_means_lost(attempt: Attempt, left: str | None) -> None:
    if left is not None:
        (attempt.folder.path / "stop.json").write_text(left)
    stop = Stop()
    with stop.heeding(attempt.folder):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.ending(2) == endings.lost(2, GONE)
    assert stop.seconds_left == 0
