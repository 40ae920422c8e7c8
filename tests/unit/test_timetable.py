"""Which ticks start runs, and which are passed over and why: every rule of semantics §5 as a row or a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from nbflow.model import Pipeline, Schedule
from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.testing.samples import a_run
from nbflow.timetable import MOST, PAUSED, Decided, decide, keeps_time, passed_over

SCHEDULED, MANUAL, BACKFILL = RunKind.SCHEDULED, RunKind.MANUAL, RunKind.BACKFILL
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
LEAST = datetime.resolution


def at(text: str) -> datetime:
    """`10:30` is that of 1 April 2026; `04-02T10:30` of another day."""
    return datetime.fromisoformat(f"2026-{text}" if "T" in text else f"2026-04-01T{text}").replace(tzinfo=UTC)


def a_pipeline(cron: str | None = "0 * * * *", most: int = 1, **timing: Any) -> Pipeline:
    """Hourly, unless told otherwise."""
    return Pipeline(name="nightly", schedule=Schedule(cron=cron, **timing), max_active_runs=most)


def run(name: str, kind: RunKind = SCHEDULED) -> Run:
    return a_run(name, kind=kind, state=RunState.RUNNING)


def fired(decided: Decided) -> list[str]:
    return [f"{fire.tick.instant:%H:%M}" for fire in decided.fires]


def skipped(decided: Decided) -> list[tuple[str, str, str]]:
    return [(f"{skip.first:%H:%M}", f"{skip.last:%H:%M}", skip.reason) for skip in decided.skips]


# --- what was missed ------------------------------------------------------------------------------------------------

AWAY = "missed: no scheduler was running"

MISSED = {
    # missed, grace, cursor, now: fired | skipped
    "on time": ("latest", "10m", "11:00", "12:00", ["12:00"], []),
    "late": ("none", "10m", "11:00", "12:07", ["12:00"], []),
    "exactly at grace": ("none", "10m", "11:00", "12:10", ["12:00"], []),
    "a moment beyond grace": ("none", "10m", "11:00", "12:10:00.000001", [], [("12:00", "12:00", AWAY)]),
    "a moment beyond grace runs all the same": ("latest", "10m", "11:00", "12:10:00.000001", ["12:00"], []),
    "nothing yet": ("all", "10m", "11:00", "11:59:59", [], []),
    "the cursor's own tick has been decided on": ("all", "10m", "12:00", "12:05", [], []),
    "latest": ("latest", "10m", "08:00", "12:30", ["12:00"], [("09:00", "11:00", f"{AWAY} (3 ticks)")]),
    "latest, of two": ("latest", "10m", "10:00", "12:30", ["12:00"], [("11:00", "11:00", AWAY)]),
    "latest, and one that is due": (
        "latest",
        "10m",
        "08:00",
        "12:05",
        ["11:00", "12:00"],
        [("09:00", "10:00", f"{AWAY} (2 ticks)")],
    ),
    "none": ("none", "10m", "08:00", "12:30", [], [("09:00", "12:00", f"{AWAY} (4 ticks)")]),
    "none, and one that is due": (
        "none",
        "10m",
        "08:00",
        "12:05",
        ["12:00"],
        [("09:00", "11:00", f"{AWAY} (3 ticks)")],
    ),
    "all": ("all", "10m", "08:00", "12:30", ["09:00", "10:00", "11:00", "12:00"], []),
    "all, and one that is due": ("all", "10m", "08:00", "12:05", ["09:00", "10:00", "11:00", "12:00"], []),
    "the last one": (1, "10m", "08:00", "12:30", ["12:00"], [("09:00", "11:00", f"{AWAY} (3 ticks)")]),
    "the last three": (3, "10m", "08:00", "12:30", ["10:00", "11:00", "12:00"], [("09:00", "09:00", AWAY)]),
    "as many as there are": (4, "10m", "08:00", "12:30", ["09:00", "10:00", "11:00", "12:00"], []),
    "more than there are": (9, "10m", "08:00", "12:30", ["09:00", "10:00", "11:00", "12:00"], []),
    "a long grace": ("none", "3h", "08:00", "12:30", ["10:00", "11:00", "12:00"], [("09:00", "09:00", AWAY)]),
    "a grace beyond the calendar": ("none", "999999999d", "10:00", "12:30", ["11:00", "12:00"], []),
}
GRACES = {"10m": timedelta(minutes=10), "3h": timedelta(hours=3), "999999999d": timedelta.max}


@pytest.mark.parametrize(("missed", "grace", "cursor", "now", "fires", "skips"), MISSED.values(), ids=MISSED)
@pytest.mark.parametrize("overlap", ["queue", "skip", "cancel_running"])
def test_missed_ticks(
    missed: Any, grace: str, cursor: str, now: str, fires: list[str], skips: list[Any], overlap: Any
) -> None:
    """Whatever `overlap` says: there is room for the due tick, and the missed ones need none."""
    pipeline = a_pipeline(most=9, missed=missed, grace=GRACES[grace], overlap=overlap)
    decided = decide(pipeline, at(cursor), [], at(now))
    assert fired(decided) == fires
    assert skipped(decided) == skips
    assert decide(pipeline, decided.cursor, [], at(now)) == Decided(cursor=decided.cursor)


@pytest.mark.parametrize("overlap", ["queue", "skip", "cancel_running"])
def test_missed_ticks_queue_behind_what_runs_whatever_overlap_says(overlap: Any) -> None:
    decided = decide(a_pipeline(missed="all", overlap=overlap), at("09:00"), [run("r1")], at("12:30"))
    assert [(fire.tick.instant, fire.cancel) for fire in decided.fires] == [
        (at("10:00"), None),
        (at("11:00"), None),
        (at("12:00"), None),
    ]
    assert decided.skips == ()


def test_a_long_absence_is_counted_so_far_and_no_further() -> None:
    decided = decide(a_pipeline("* * * * *"), at("00:00") - timedelta(days=300), [], at("12:00"))
    assert [skip.reason for skip in decided.skips] == [f"{AWAY} (more than 100 ticks)"]
    assert decided.skips[0].last == at("11:48")
    assert fired(decided) == [f"11:{minute}" for minute in range(49, 60)] + ["12:00"]


def test_a_pipeline_that_was_seen_in_between_two_ticks_begins_with_the_next_one() -> None:
    assert fired(decide(a_pipeline(missed="all"), at("10:20"), [], at("12:00"))) == ["11:00", "12:00"]


def test_without_a_schedule_nothing_is_due() -> None:
    manual = Pipeline(name="nightly")
    assert decide(manual, at("08:00"), [], NOON) == Decided(cursor=at("08:00"))
    assert passed_over(manual, at("08:00"), NOON, PAUSED) is None


# --- what is due while runs are unfinished --------------------------------------------------------------------------

OLD, NEW, HAND, FILL = run("r1"), run("r2"), run("m1", MANUAL), run("f1", BACKFILL)
FULL = "overlap: run {} was not finished, and max_active_runs is 1"

OVERLAP = {
    # overlap, max_active_runs, unfinished: fires with the run that makes way | reason of the skip
    "queue: a place is free": ("queue", 1, [], None, ""),
    "queue: full": ("queue", 1, [OLD], None, ""),
    "queue: over full": ("queue", 1, [OLD, NEW, HAND], None, ""),
    "skip: a place is free": ("skip", 1, [], None, ""),
    "skip: full": ("skip", 1, [OLD], None, FULL.format("r1")),
    "skip: full by a manual run": ("skip", 1, [HAND], None, FULL.format("m1")),
    "skip: a backfill run does not count": ("skip", 1, [FILL], None, ""),
    "skip: one of two places": ("skip", 2, [OLD], None, ""),
    "skip: one of two places, and a backfill": ("skip", 2, [OLD, FILL], None, ""),
    "skip: both places": (
        "skip",
        2,
        [OLD, HAND],
        None,
        "overlap: 2 runs were not finished, and max_active_runs is 2",
    ),
    "skip: two of three": ("skip", 3, [OLD, HAND, FILL], None, ""),
    "skip: more than three": (
        "skip",
        3,
        [OLD, NEW, HAND, run("r3")],
        None,
        "overlap: 4 runs were not finished, and max_active_runs is 3",
    ),
    "cancel: a place is free": ("cancel_running", 1, [], None, ""),
    "cancel: full": ("cancel_running", 1, [OLD], "r1", ""),
    "cancel: the oldest one": ("cancel_running", 1, [OLD, NEW], "r1", ""),
    "cancel: never a manual one": ("cancel_running", 1, [HAND], None, ""),
    "cancel: the oldest scheduled one": ("cancel_running", 1, [HAND, NEW], "r2", ""),
    "cancel: a backfill run does not count": ("cancel_running", 1, [FILL], None, ""),
    "cancel: never a backfill run": ("cancel_running", 1, [FILL, OLD], "r1", ""),
    "cancel: one of two places": ("cancel_running", 2, [OLD], None, ""),
    "cancel: both places": ("cancel_running", 2, [OLD, NEW], "r1", ""),
    "cancel: both places, one by hand": ("cancel_running", 2, [HAND, OLD], "r1", ""),
    "cancel: three places": ("cancel_running", 3, [OLD, NEW, HAND], "r1", ""),
    "cancel: a free one of three": ("cancel_running", 3, [OLD, HAND, FILL], None, ""),
}


@pytest.mark.parametrize(("overlap", "most", "unfinished", "cancel", "reason"), OVERLAP.values(), ids=OVERLAP)
def test_a_due_tick_while_runs_are_unfinished(
    overlap: Any, most: int, unfinished: Sequence[Run], cancel: str | None, reason: str
) -> None:
    decided = decide(a_pipeline(most=most, overlap=overlap), at("11:00"), unfinished, NOON)
    assert skipped(decided) == ([("12:00", "12:00", reason)] if reason else [])
    assert [(fire.tick.instant, fire.cancel) for fire in decided.fires] == ([] if reason else [(NOON, cancel)])
    assert decided.cursor == NOON


FIVES = "*/5 * * * *"


def test_due_ticks_that_come_together_count_for_each_other() -> None:
    decided = decide(a_pipeline(FIVES, overlap="skip"), at("11:50"), [], at("12:00"))
    assert fired(decided) == ["11:55"]
    assert skipped(decided) == [
        ("12:00", "12:00", "overlap: the run before was not finished, and max_active_runs is 1")
    ]


def test_skipped_ticks_of_one_turn_are_one_stretch() -> None:
    decided = decide(a_pipeline(FIVES, most=2, overlap="skip"), at("11:45"), [OLD, HAND], at("12:00"))
    reason = "overlap: 2 runs were not finished, and max_active_runs is 2 (3 ticks)"
    assert skipped(decided) == [("11:50", "12:00", reason)]


def test_a_missed_run_counts_for_the_tick_that_is_due() -> None:
    decided = decide(a_pipeline(overlap="skip"), at("10:00"), [], at("12:05"))
    assert fired(decided) == ["11:00"]
    assert [skip.first for skip in decided.skips] == [NOON]


def test_each_tick_cancels_the_run_before_one_turn_after_the_other() -> None:
    pipeline = a_pipeline(FIVES, overlap="cancel_running")
    first = decide(pipeline, at("11:50"), [OLD], NOON)
    assert [(fire.tick.instant, fire.cancel) for fire in first.fires] == [(at("11:55"), "r1")]
    second = decide(pipeline, first.cursor, [NEW], NOON)
    assert [(fire.tick.instant, fire.cancel) for fire in second.fires] == [(NOON, "r2")]


# --- the turns ------------------------------------------------------------------------------------------------------


def all_turns(pipeline: Pipeline, cursor: datetime, now: datetime) -> list[Decided]:
    turns = [decide(pipeline, cursor, [], now)]
    while (following := decide(pipeline, turns[-1].cursor, [], now)).cursor != turns[-1].cursor:
        turns.append(following)
    return turns


def test_many_due_ticks_follow_in_the_next_turns() -> None:
    turns = all_turns(a_pipeline("* * * * * *", missed="none"), at("11:00"), NOON)
    assert [len(turn.fires) for turn in turns] == [MOST] * 6 + [1]  # 11:50:00 is exactly at grace
    assert [len(turn.skips) for turn in turns] == [1, 0, 0, 0, 0, 0, 0]
    instants = [fire.tick.instant for turn in turns for fire in turn.fires]
    assert instants == [at("11:50") + timedelta(seconds=second) for second in range(601)]


def test_many_missed_ticks_follow_in_the_next_turns_and_the_due_ones_behind_them() -> None:
    turns = all_turns(a_pipeline("* * * * *", missed="all"), at("08:00"), NOON)
    assert [len(turn.fires) for turn in turns] == [MOST, MOST, 40]
    assert [fire.tick.instant for turn in turns for fire in turn.fires] == [
        at("08:00") + timedelta(minutes=minute) for minute in range(1, 241)
    ]
    assert not any(turn.skips for turn in turns)


def test_the_last_many_follow_in_the_next_turns_and_none_of_them_is_skipped_then() -> None:
    turns = all_turns(a_pipeline("* * * * *", missed=150), at("08:00"), NOON)
    assert [len(turn.fires) for turn in turns] == [MOST, 61]
    assert [(f"{skip.first:%H:%M}", f"{skip.last:%H:%M}") for turn in turns for skip in turn.skips] == [
        ("08:01", "09:19")
    ]
    assert turns[0].fires[0].tick.instant == at("09:20")
    assert turns[-1].cursor == NOON


# --- start, end, daylight saving ------------------------------------------------------------------------------------

DAILY = "0 2 * * *"


def test_no_tick_is_before_start_or_after_end() -> None:
    pipeline = a_pipeline(DAILY, start=date(2026, 4, 3), end=date(2026, 4, 5), missed="all")
    decided = decide(pipeline, at("00:00"), [], at("04-09T00:00"))
    assert [fire.tick.run_date.day for fire in decided.fires] == [3, 4, 5]
    assert decide(pipeline, decided.cursor, [], at("04-20T00:00")) == Decided(cursor=decided.cursor)


def test_what_was_missed_after_the_last_day_ended_still_runs() -> None:
    pipeline = a_pipeline(DAILY, end=date(2026, 4, 5))
    decided = decide(pipeline, at("00:00"), [], at("05-09T00:00"))
    assert [fire.tick.run_date.day for fire in decided.fires] == [5]
    assert [(skip.first.day, skip.last.day) for skip in decided.skips] == [(1, 4)]


GAP = datetime(2026, 3, 29, tzinfo=UTC)  # Berlin: 02:00 → 03:00 at 01:00Z
FOLD = datetime(2026, 10, 25, tzinfo=UTC)  # Berlin: 03:00 → 02:00 at 01:00Z


@pytest.mark.parametrize(
    ("cron", "day", "expected"),
    [
        ("30 2 * * *", GAP, ["01:00"]),
        ("*/15 2 * * *", GAP, ["01:00"]),
        ("30 2 * * *", FOLD, ["00:30"]),
        ("*/30 2 * * *", FOLD, ["00:00", "00:30"]),
        ("30 * * * *", GAP, ["00:30", "01:30"]),
        ("30 * * * *", FOLD, ["00:30", "01:30"]),
    ],
)
@pytest.mark.parametrize("missed", ["all", 9])
def test_on_a_day_that_clocks_change_what_was_missed_is_what_would_have_run(
    cron: str, day: datetime, expected: list[str], missed: Any
) -> None:
    pipeline = a_pipeline(cron, missed=missed, timezone="Europe/Berlin")
    before = day - timedelta(minutes=10)
    assert fired(decide(pipeline, before, [], day + timedelta(minutes=149))) == expected
    one_by_one, cursor = [], before
    for minute in range(150):
        decided = decide(pipeline, cursor, [], day + timedelta(minutes=minute))
        one_by_one += fired(decided)
        cursor = decided.cursor
    assert one_by_one == expected


# --- what is passed over, what is kept ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cursor", "now", "expected"),
    [
        ("09:00", "12:30", ("10:00", "12:00", "the pipeline was paused (3 ticks)")),
        ("11:00", "12:00", ("12:00", "12:00", "the pipeline was paused")),
        ("11:00", "11:59", None),
        ("12:00", "12:00", None),
    ],
)
def test_ticks_of_a_pause_are_named(cursor: str, now: str, expected: tuple[str, str, str] | None) -> None:
    skip = passed_over(a_pipeline(), at(cursor), at(now), PAUSED)
    assert (skip and (f"{skip.first:%H:%M}", f"{skip.last:%H:%M}", skip.reason)) == expected
    assert skip is None or skip.at == at(now)


def test_nothing_is_passed_over_outside_start_and_end() -> None:
    pipeline = a_pipeline(DAILY, start=date(2026, 4, 3), end=date(2026, 4, 5))
    assert passed_over(pipeline, at("00:00"), at("04-02T12:00"), PAUSED) is None
    assert passed_over(pipeline, at("04-06T00:00"), at("04-09T12:00"), PAUSED) is None
    skip = passed_over(pipeline, at("00:00"), at("04-09T12:00"), PAUSED)
    assert skip is not None
    assert (skip.first.day, skip.last.day) == (3, 5)


HOURLY = Schedule(cron="0 * * * *")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, True),
        (None, HOURLY, False),
        (HOURLY, None, False),
        (HOURLY, HOURLY, True),
        (HOURLY, replace(HOURLY, missed="none", grace=timedelta(hours=1), overlap="skip"), True),
        (HOURLY, replace(HOURLY, cron="1 * * * *"), False),
        (HOURLY, replace(HOURLY, timezone="Asia/Kathmandu"), False),
        (HOURLY, replace(HOURLY, start=date(2026, 4, 1)), False),
        (HOURLY, replace(HOURLY, end=date(2026, 4, 1)), False),
        (HOURLY, Schedule(every=timedelta(hours=1)), False),
        (Schedule(every=timedelta(hours=2)), Schedule(every=timedelta(hours=1)), False),
    ],
)
def test_a_schedule_keeps_time_while_its_ticks_stay_the_same(
    before: Schedule | None, after: Schedule | None, expected: bool
) -> None:
    assert keeps_time(before, after) is expected
