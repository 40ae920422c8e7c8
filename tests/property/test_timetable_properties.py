"""However often and however late a scheduler wakes: no tick is lost, none is decided on twice, and all are in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow import schedule
from nbflow.model import Pipeline, RunId, Schedule
from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.testing.samples import a_run
from nbflow.timetable import MOST, Decided, decide

BEGIN = datetime(2026, 3, 28, 20, tzinfo=UTC)  # Berlin's gap and Nuuk's are near
CRONS = ["*/7 * * * *", "0 * * * *", "30 2 * * *", "*/20 1-3 * * *", "15,45 23,0 * * *", "0 0 1 4 *"]
ZONES = ["UTC", "Europe/Berlin", "America/Nuuk", "Australia/Lord_Howe"]

timings = st.builds(
    lambda times, **about: Schedule(**times, **about),
    st.sampled_from(CRONS).map(lambda cron: {"cron": cron})
    | st.integers(40, 5000).map(lambda seconds: {"every": timedelta(seconds=seconds)}),
    timezone=st.sampled_from(ZONES),
    missed=st.sampled_from(["latest", "none", "all"]) | st.integers(1, 150),
    grace=st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds)),
    overlap=st.sampled_from(["queue", "skip", "cancel_running"]),
    start=st.none() | st.just(BEGIN.date() + timedelta(days=1)),
    end=st.none() | st.just(BEGIN.date() + timedelta(days=2)),
)
pipelines = st.builds(
    lambda timing, most: Pipeline(name="nightly", schedule=timing, max_active_runs=most), timings, st.integers(1, 3)
)
waits = st.lists(
    st.integers(0, 30).map(lambda seconds: timedelta(seconds=seconds))
    | st.integers(0, 100_000).map(lambda seconds: timedelta(seconds=seconds)),
    max_size=25,
)


@dataclass
class World:
    """A scheduler that wakes when it likes, and runs that end when they like."""

    pipeline: Pipeline
    random: Any
    now: datetime = BEGIN
    cursor: datetime = BEGIN
    unfinished: tuple[Run, ...] = ()
    count: int = 0

    def wake(self) -> Decided:
        """One turn; it may be that its answer is lost, and that it is taken again."""
        decided = decide(self.pipeline, self.cursor, self.unfinished, self.now)
        assert decided == decide(self.pipeline, self.cursor, self.unfinished, self.now)
        gone = {fire.cancel for fire in decided.fires}
        assert gone - {None} <= {run.id for run in self.unfinished if run.kind is RunKind.SCHEDULED}
        self.cursor = decided.cursor
        new = [self.new_run(RunKind.SCHEDULED) for _ in decided.fires]
        self.unfinished = (*(run for run in self.unfinished if run.id not in gone), *new)
        return decided

    def live(self) -> None:
        """Runs end, and others are started by hand or by a backfill."""
        self.unfinished = tuple(run for run in self.unfinished if self.random.random() < 0.5)
        for kind in (RunKind.MANUAL, RunKind.BACKFILL):
            if self.random.random() < 0.2:
                self.unfinished += (self.new_run(kind),)

    def new_run(self, kind: RunKind) -> Run:
        self.count += 1
        return a_run(RunId(f"r{self.count}"), kind=kind, state=RunState.QUEUED)


def ticks(pipeline: Pipeline, low: datetime, high: datetime) -> list[datetime]:
    """Those later than `low` and not later than `high`, by the schedule alone."""
    assert pipeline.schedule is not None
    return [tick.instant for tick in takewhile(lambda t: t.instant <= high, schedule.ticks(pipeline.schedule, low))]


def decided_on(pipeline: Pipeline, decided: Decided) -> Iterator[datetime]:
    yield from (fire.tick.instant for fire in decided.fires)
    for skip in decided.skips:
        yield from ticks(pipeline, skip.first - datetime.resolution, skip.last)


def play(pipeline: Pipeline, waits: Sequence[timedelta], random: Any) -> Iterator[tuple[World, datetime, Decided]]:
    """A scheduler's life, with the cursor before each turn; at its end it decides on all that is left."""
    world = World(pipeline, random)
    for wait in waits:
        world.now += wait
        before = world.cursor
        yield world, before, world.wake()
        world.live()
    while True:
        before = world.cursor
        yield world, before, (decided := world.wake())
        if not decided.fires and not decided.skips:
            return


@settings(deadline=None, max_examples=300)
@given(pipelines, waits, st.randoms(use_true_random=False))
def test_every_tick_is_decided_on_exactly_once_and_in_order(
    pipeline: Pipeline, waits: list[timedelta], random: Any
) -> None:
    seen: list[datetime] = []
    world = None
    for world, before, decided in play(pipeline, waits, random):
        turn = sorted(decided_on(pipeline, decided))
        assert turn == ticks(pipeline, before, world.cursor)
        assert [fire.tick.instant for fire in decided.fires] == sorted(fire.tick.instant for fire in decided.fires)
        seen += turn
    assert world is not None
    assert seen == ticks(pipeline, BEGIN, world.now)


@settings(deadline=None, max_examples=300)
@given(pipelines, waits, st.randoms(use_true_random=False))
def test_within_grace_every_tick_runs_whatever_missed_says(
    pipeline: Pipeline, waits: list[timedelta], random: Any
) -> None:
    assert pipeline.schedule is not None
    for world, _, decided in play(pipeline, waits, random):
        for skip in decided.skips:
            if skip.reason.startswith("missed"):
                assert skip.last < world.now - pipeline.schedule.grace
            else:
                assert skip.reason.startswith("overlap")
                assert pipeline.schedule.overlap == "skip"
                assert skip.first >= world.now - pipeline.schedule.grace


@settings(deadline=None, max_examples=300)
@given(pipelines, waits, st.randoms(use_true_random=False))
def test_of_what_was_missed_the_latest_run(pipeline: Pipeline, waits: list[timedelta], random: Any) -> None:
    assert pipeline.schedule is not None
    for world, before, decided in play(pipeline, waits, random):
        border = world.now - pipeline.schedule.grace
        missed = [tick for tick in ticks(pipeline, before, world.now) if tick < border]
        wanted = {"none": 0, "latest": 1, "all": len(missed)}.get(
            str(pipeline.schedule.missed), pipeline.schedule.missed
        )
        chosen = missed[len(missed) - min(int(wanted), len(missed)) :]
        fired = [fire.tick.instant for fire in decided.fires if fire.tick.instant < border]
        assert fired == chosen[: len(fired)]
        assert len(fired) == min(len(chosen), MOST)


@settings(deadline=None, max_examples=200)
@given(pipelines, waits, st.randoms(use_true_random=False))
def test_a_due_tick_skips_or_cancels_only_where_there_is_no_room(
    pipeline: Pipeline, waits: list[timedelta], random: Any
) -> None:
    world = World(pipeline, random)
    for wait in waits:
        world.now += wait
        counted = [run for run in world.unfinished if run.kind is not RunKind.BACKFILL]
        decided = world.wake()
        full = len(counted) + len(decided.fires) >= pipeline.max_active_runs
        assert full or not any(skip.reason.startswith("overlap") for skip in decided.skips)
        cancelled = [fire.cancel for fire in decided.fires if fire.cancel]
        assert len(set(cancelled)) == len(cancelled)
        assert full or not cancelled
        world.live()
