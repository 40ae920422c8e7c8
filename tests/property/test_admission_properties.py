"""Whatever runs there are and in whatever order they end: the limits hold, and every run gets its turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.admission import Limits, admitted, ahead, is_held, lane, place
from nbflow.backfill import Backfill, BackfillState
from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.testing.samples import NOW, a_run

PIPELINES = ("nightly", "hourly")


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Run], set[str], Limits]:
    """Unfinished runs, some of them begun, some owned; limits and pauses of every kind."""
    states = st.sampled_from([RunState.QUEUED, RunState.QUEUED, RunState.RUNNING])
    runs = [
        a_run(
            f"r{number}",
            pipeline=draw(st.sampled_from(PIPELINES)),
            kind=draw(st.sampled_from(RunKind)),
            state=draw(states),
            created_at=NOW + timedelta(minutes=draw(st.integers(0, 3))),
            logical_date=NOW - timedelta(days=draw(st.integers(0, 9))),
            started_at=draw(st.none() | st.just(NOW)),
        )
        for number in range(draw(st.integers(0, 12)))
    ]
    owned = {run.id for run in runs if draw(st.integers(0, 3)) == 0}
    backfills = [
        Backfill(
            id=number,
            pipeline="nightly",
            start=date(2026, 1, 1),
            end=date(2026, 1, 9),
            max_active=draw(st.integers(1, 3)),
            state=draw(st.sampled_from([BackfillState.RUNNING, BackfillState.PAUSED])),
            created_at=NOW,
        )
        for number in (1, 2)
    ]
    limits = Limits(
        max_active={name: draw(st.integers(1, 3)) for name in PIPELINES},
        paused=draw(st.sets(st.sampled_from(PIPELINES))),
        backfills={run.id: draw(st.sampled_from(backfills)) for run in runs if draw(st.booleans())},
    )
    return draw(st.permutations(runs)), owned, limits


def is_active(run: Run, owned: set[str]) -> bool:
    return run.state is RunState.RUNNING or run.id in owned


@settings(deadline=None)
@given(crowds())
def test_the_limits_hold_and_no_place_stays_empty(crowd: tuple[list[Run], set[str], Limits]) -> None:
    runs, owned, limits = crowd
    taken = set(admitted(runs, owned, limits))
    before = Counter(lane(run, limits) for run in runs if is_active(run, owned))
    after = Counter(lane(run, limits) for run in runs if is_active(run, owned | taken))
    for where, number in after.items():
        assert number <= max(where.limit, before[where])
    for run in runs:
        if run.state is RunState.RUNNING:
            assert (run.id in taken) == (run.id not in owned)
        elif run.id not in owned | taken and not is_held(run, limits):
            where = lane(run, limits)
            assert after[where] >= where.limit
            passed = [other for other in runs if other.id in taken and other.state is RunState.QUEUED]
            assert all(place(other) < place(run) for other in passed if lane(other, limits) == where)


@settings(deadline=None)
@given(crowds())
def test_a_run_has_something_ahead_exactly_while_it_must_wait_for_it(
    crowd: tuple[list[Run], set[str], Limits],
) -> None:
    runs, owned, limits = crowd
    taken = admitted(runs, owned, limits)
    for run in runs:
        if not is_active(run, owned) and not is_held(run, limits):
            assert (run.id in taken) == (not ahead(run, runs, owned, limits))


@settings(deadline=None)
@given(crowds(), st.randoms(use_true_random=False))
def test_every_run_that_nobody_holds_back_gets_its_turn(
    crowd: tuple[list[Run], set[str], Limits], random: Random
) -> None:
    runs, owned, limits = crowd
    waited = {run.id for run in runs if not is_active(run, owned) and not is_held(run, limits)}
    for _ in range(2 * len(runs)):
        owned |= set(admitted(runs, owned, limits))
        active = [run for run in runs if is_active(run, owned)]
        if not active:
            break
        ended = random.choice(active)
        runs = [run for run in runs if run.id != ended.id]
        waited.discard(ended.id)
    assert not waited


@settings(deadline=None)
@given(crowds())
def test_whoever_asks_again_gets_nothing_more(crowd: tuple[list[Run], set[str], Limits]) -> None:
    runs, owned, limits = crowd
    taken = set(admitted(runs, owned, limits))
    assert admitted(runs, owned | taken, limits) == ()
    begun = [replace(run, state=RunState.RUNNING) if run.id in taken else run for run in runs]
    assert admitted(begun, owned | taken, limits) == ()
