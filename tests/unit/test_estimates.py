"""What a task usually takes, and when a run will have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from building import NOW, Play, pipeline, task
from counting import calls_of

from nbflow.estimates import Past, beyond_usual, usual
from nbflow.model import Retries
from nbflow.run import Run
from nbflow.states import RunKind


def past(*, slots: int = 2, good: Sequence[Run] = (), pools: Any = None, **seconds: Sequence[float] | float) -> Past:
    samples = {name: each if isinstance(each, Sequence) else [each] for name, each in seconds.items()}
    return Past(seconds=samples, good=good, slots=slots, pools=pools or {})


def ready_in(play: Play, known: Past) -> float:
    """Seconds from now."""
    estimate = known.finish(play.live, play.now)
    assert estimate is not None
    return (estimate.ready - play.now).total_seconds()


@pytest.mark.parametrize(
    ("samples", "median", "slow"),
    [([4], 4, 4), ([1, 3], 2, 2.8), ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100], 6, 10), ([5] * 20, 5, 5)],
)
def test_usual_is_the_median_and_slow_what_one_in_ten_exceeds(samples: list[float], median: float, slow: float) -> None:
    assert (usual(samples).median, usual(samples).slow) == (median, pytest.approx(slow))
    assert usual(samples).count == len(samples)


@pytest.mark.parametrize(
    ("samples", "limit"),
    [([60] * 4, None), ([60] * 5, 660), ([300] * 5, 900), ([1000] * 5, 3000), ([10] * 9 + [1000], 709)],
)
def test_far_beyond_usual_needs_five_good_runs(samples: list[float], limit: float | None) -> None:
    assert beyond_usual(samples) == (None if limit is None else pytest.approx(limit))


def test_the_rest_of_a_run_is_its_longest_path() -> None:
    play = Play(pipeline(a="", b="a", c="a", d="b c"))
    known = past(a=10, b=100, c=5, d=20)
    assert ready_in(play, known) == 130
    play.start("a")
    play.later(seconds=4)
    assert ready_in(play, known) == 126
    play.later(seconds=1)
    play.end("a")
    assert ready_in(play, known) == 120


def test_slots_and_pools_make_ready_tasks_wait() -> None:
    wide = pipeline(a="", b="", c="", d="a b c")
    play = Play(wide)
    assert ready_in(play, past(slots=3, a=10, b=10, c=10, d=1)) == 11
    assert ready_in(play, past(slots=2, a=10, b=10, c=10, d=1)) == 21
    play.start("a", "b", "c")  # more than its share: another engine has other slots
    assert ready_in(play, past(slots=1, a=10, b=10, c=10, d=1)) == 11
    pooled = Play(pipeline(task("a", pool="disk"), task("b", pool="disk"), task("c", "a b")))
    assert ready_in(pooled, past(slots=3, pools={"disk": 1}, a=10, b=20, c=1)) == 31
    assert ready_in(pooled, past(slots=3, pools={"disk": 2}, a=10, b=20, c=1)) == 21


def test_free_places_of_a_pool_are_kept_for_the_task_that_comes_first() -> None:
    wide, narrow = task("wide", "a", pool="disk", pool_slots=2, priority=5), [task(name, pool="disk") for name in "bc"]
    play = Play(pipeline(task("a", pool="disk", priority=9), wide, *narrow))
    assert ready_in(play, past(slots=4, pools={"disk": 2}, a=10, b=30, c=30, wide=10)) == 70


def test_of_a_running_task_only_longer_samples_speak() -> None:
    play = Play(pipeline(a=""))
    play.start("a")
    known = past(a=[10, 12, 30, 40])
    assert ready_in(play, known) == 21
    play.later(seconds=20)
    assert ready_in(play, known) == 15
    play.later(seconds=30)
    assert ready_in(play, known) == 0


def test_a_wait_for_a_retry_counts() -> None:
    play = Play(pipeline(task("a", retries=Retries(max_retries=1, delay=timedelta(seconds=30))), b=""))
    play.fail("a")
    assert ready_in(play, past(a=10, b=1)) == 40


def test_a_bad_day_takes_longer() -> None:
    estimate = past(a=[10] * 8 + [20] * 3).finish(Play(pipeline(a="")).live, NOW)
    assert estimate is not None
    assert (estimate.ready, estimate.slow) == (NOW + timedelta(seconds=10), NOW + timedelta(seconds=20))


def test_unfinished_task_runs_have_spans_and_unknown_tasks_take_no_time() -> None:
    play = Play(pipeline(a="", new="a", c="new"))
    play.start("a")
    estimate = past(a=10, c=5).finish(play.live, NOW)
    assert estimate is not None
    assert estimate.unknown == ("new",)
    assert {key.address: (span.start - NOW, span.end - NOW) for key, span in estimate.spans.items()} == {
        "a": (timedelta(0), timedelta(seconds=10)),
        "new": (timedelta(seconds=10), timedelta(seconds=10)),
        "c": (timedelta(seconds=10), timedelta(seconds=15)),
    }


def test_nothing_is_said_of_what_nobody_knows_or_what_has_ended() -> None:
    play = Play(pipeline(a=""))
    assert past().finish(play.live, NOW) is None
    assert past(b=5).finish(play.live, NOW) is None
    play.succeed("a")
    assert past(a=5).finish(play.live, NOW) is None


def a_good_run(logical_date: datetime, *, started: float, ended: float, kind: RunKind) -> Run:
    """Minutes after its logical date."""
    began, end = logical_date + timedelta(minutes=started), logical_date + timedelta(minutes=ended)
    run = Play(pipeline(a="")).live.run
    return replace(run, kind=kind, logical_date=logical_date, started_at=began, ended_at=end)


def test_when_it_is_usually_ready_goes_by_the_logical_date_of_a_scheduled_run() -> None:
    play = Play(pipeline(a=""))
    play.start("a")
    days = [NOW - timedelta(days=each) for each in range(1, 4)]
    good = [a_good_run(day, started=30, ended=30 + 10 * at, kind=RunKind.SCHEDULED) for at, day in enumerate(days, 1)]
    good.append(a_good_run(days[0], started=0, ended=500, kind=RunKind.MANUAL))
    manual = past(a=5, good=good).finish(play.live, NOW)
    play.live.run = replace(play.live.run, kind=RunKind.SCHEDULED)
    scheduled = past(a=5, good=good).finish(play.live, NOW)
    assert manual is not None
    assert scheduled is not None
    assert scheduled.usual == NOW + timedelta(minutes=50)
    assert manual.usual == NOW + timedelta(minutes=25)


def test_the_cost_of_an_estimate_grows_with_the_run_and_not_with_its_square() -> None:
    def cost(size: int) -> int:
        names = [f"t{at}" for at in range(size)]
        play = Play(pipeline(*(task(name, pool="disk") for name in names)))
        known = past(pools={"disk": 2}, slots=4, **dict.fromkeys(names, 5))
        return calls_of(lambda: known.finish(play.live, play.now))

    assert cost(500) <= 12 * cost(50)
