"""The ticks of a backfill, in order, and what becomes of one whose run exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from nbflow.backfill import MOST, Backfill, BackfillItem, BackfillState, ItemAction, Reprocess, action, items, run_key
from nbflow.errors import InvalidInput
from nbflow.model import Pipeline, Schedule
from nbflow.states import RunState
from nbflow.testing.samples import a_run

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def a_pipeline(cron: str | None = "0 2 * * *", **timing: Any) -> Pipeline:
    return Pipeline(name="nightly", schedule=Schedule(cron=cron, **timing))


MANUAL = Pipeline(name="nightly")


def of(pipeline: Pipeline, start: str, end: str, now: datetime = NOW, **about: Any) -> list[BackfillItem]:
    asked = Backfill(
        pipeline=pipeline.name, start=date.fromisoformat(start), end=date.fromisoformat(end), created_at=now, **about
    )
    return list(items(pipeline, asked, now))


def shown(found: list[BackfillItem]) -> list[str]:
    """Run date and instant: `04-01@03-31T17:00`."""
    return [f"{item.run_date:%m-%d}@{item.logical_date:%m-%dT%H:%M}" for item in found]


# --- which ticks ----------------------------------------------------------------------------------------------------

HALF_AN_HOUR = timedelta(minutes=30)
FOLDED = datetime(2010, 11, 6, 2, 30, tzinfo=UTC)
"""St. John's, 00:00 on the 6th. At 00:01 on the 7th, 02:31Z, its clocks went back to 23:01 on the 6th."""

RANGES = {
    "both ends are included": (
        a_pipeline(),
        "2026-04-01",
        "2026-04-03",
        "04-01@04-01T02:00 04-02@04-02T02:00 04-03@04-03T02:00",
    ),
    "one day": (a_pipeline(), "2026-04-01", "2026-04-01", "04-01@04-01T02:00"),
    "several ticks a day": (
        a_pipeline("0 6,18 * * *"),
        "2026-04-01",
        "2026-04-01",
        "04-01@04-01T06:00 04-01@04-01T18:00",
    ),
    "midnight belongs to the day it begins": (a_pipeline("0 0 * * *"), "2026-04-01", "2026-04-01", "04-01@04-01T00:00"),
    "local dates, east": (
        a_pipeline(timezone="Asia/Tokyo"),
        "2026-04-01",
        "2026-04-02",
        "04-01@03-31T17:00 04-02@04-01T17:00",
    ),
    "local dates, far east": (
        a_pipeline("0 0 * * *", timezone="Pacific/Kiritimati"),
        "2026-04-01",
        "2026-04-01",
        "04-01@03-31T10:00",
    ),
    "local dates, west": (
        a_pipeline("0 23 * * *", timezone="Pacific/Niue"),
        "2026-04-01",
        "2026-04-01",
        "04-01@04-02T10:00",
    ),
    "days without a tick": (
        a_pipeline("0 2 * * mon"),
        "2026-04-01",
        "2026-04-14",
        "04-06@04-06T02:00 04-13@04-13T02:00",
    ),
    "a time in a gap": (
        a_pipeline("30 2 * * *", timezone="Europe/Berlin"),
        "2026-03-28",
        "2026-03-30",
        "03-28@03-28T01:30 03-29@03-29T01:00 03-30@03-30T00:30",
    ),
    "a time in a fold": (
        a_pipeline("30 2 * * *", timezone="Europe/Berlin"),
        "2026-10-25",
        "2026-10-25",
        "10-25@10-25T00:30",
    ),
    "every hour of a short day": (
        a_pipeline("0 1-4 * * *", timezone="Europe/Berlin"),
        "2026-03-29",
        "2026-03-29",
        "03-29@03-29T00:00 03-29@03-29T01:00 03-29@03-29T02:00",
    ),
    "a gap at midnight keeps the date as written": (
        a_pipeline("30 23 * * *", timezone="America/Nuuk"),
        "2026-03-28",
        "2026-03-29",
        "03-28@03-29T01:00 03-29@03-30T00:30",
    ),
    "and takes nothing from the day behind it": (
        a_pipeline("30 23 * * *", timezone="America/Nuuk"),
        "2026-03-29",
        "2026-03-29",
        "03-29@03-30T00:30",
    ),
    "a fold that begins the day before again": (
        a_pipeline("0,30 * * * *", timezone="America/St_Johns", start=date(2010, 11, 6)),
        "2010-11-06",
        "2010-11-06",
        " ".join([*(f"11-06@{FOLDED + HALF_AN_HOUR * step:%m-%dT%H:%M}" for step in range(48)), "11-06@11-07T03:00"]),
    ),
    "every counts from its start": (
        a_pipeline(None, every=timedelta(hours=9), start=date(2026, 4, 1)),
        "2026-04-02",
        "2026-04-02",
        "04-02@04-02T03:00 04-02@04-02T12:00 04-02@04-02T21:00",
    ),
    "the schedule's own limits": (
        a_pipeline(start=date(2026, 4, 2), end=date(2026, 4, 3)),
        "2026-04-01",
        "2026-04-09",
        "04-02@04-02T02:00 04-03@04-03T02:00",
    ),
    "without a schedule, one a day": (
        MANUAL,
        "2026-02-27",
        "2026-03-01",
        "02-27@02-27T00:00 02-28@02-28T00:00 03-01@03-01T00:00",
    ),
    "the future is left out": (a_pipeline(), "2026-11-25", "2026-12-24", "11-25@11-25T02:00 11-26@11-26T02:00"),
    "without a schedule too": (MANUAL, "2026-11-26", "2026-12-24", "11-26@11-26T00:00"),
    "a tick of this moment is past": (a_pipeline("0 12 * * *"), "2026-11-26", "2026-11-26", "11-26@11-26T12:00"),
}


@pytest.mark.parametrize(("pipeline", "start", "end", "expected"), RANGES.values(), ids=RANGES)
def test_the_ticks_of_a_range(pipeline: Pipeline, start: str, end: str, expected: str) -> None:
    found = of(pipeline, start, end)
    assert shown(found) == expected.split()
    assert [item.position for item in found] == list(range(len(found)))
    assert all(item.action is None and item.run is None for item in found)


@pytest.mark.parametrize(("pipeline", "start", "end", "expected"), RANGES.values(), ids=RANGES)
def test_in_reverse(pipeline: Pipeline, start: str, end: str, expected: str) -> None:
    found = of(pipeline, start, end, is_reverse=True)
    assert shown(found) == expected.split()[::-1]
    assert [item.position for item in found] == list(range(len(found)))


@pytest.mark.parametrize(
    ("pipeline", "start", "end", "message"),
    [
        (a_pipeline(), "2026-04-02", "2026-04-01", "the range ends (2026-04-01) before it starts (2026-04-02)"),
        (a_pipeline(), "2026-12-01", "2026-12-09", "no tick from 2026-12-01 to 2026-12-09 that is past"),
        (a_pipeline("0 2 * * mon"), "2026-04-01", "2026-04-04", "no tick from 2026-04-01 to 2026-04-04 that is past"),
        (MANUAL, "2026-12-01", "2026-12-09", "no tick from 2026-12-01 to 2026-12-09 that is past"),
        (a_pipeline(), "0001-01-01", "2026-12-09", "no run can be for the year 1"),
        (a_pipeline(), "2026-01-01", "9999-12-31", "no run can be for the year 9999"),
        (MANUAL, "0001-01-01", "2026-12-09", "no run can be for the year 1"),
        (a_pipeline("* * * * *"), "2026-04-01", "2026-04-30", "has more than 10,000 ticks"),
    ],
)
def test_ranges_that_are_refused(pipeline: Pipeline, start: str, end: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        of(pipeline, start, end)
    assert message in str(caught.value)
    assert caught.value.hint or "before it starts" in message


def test_as_many_as_there_may_be() -> None:
    pipeline = a_pipeline(None, every=timedelta(seconds=86_400 // 10))
    assert len(of(pipeline, "2024-01-01", "2026-09-26")) == MOST
    with pytest.raises(InvalidInput, match="more than 10,000"):
        of(pipeline, "2024-01-01", "2026-09-27")


# --- what becomes of a tick -----------------------------------------------------------------------------------------

CREATE, RESET, PASS = ItemAction.CREATE, ItemAction.RESET, ItemAction.PASS
UNFINISHED: dict[Reprocess, ItemAction] = {"none": PASS, "failed": PASS, "all": PASS}
ACTIONS: dict[RunState | None, dict[Reprocess, ItemAction]] = {
    None: {"none": CREATE, "failed": CREATE, "all": CREATE},
    RunState.QUEUED: UNFINISHED,
    RunState.RUNNING: UNFINISHED,
    RunState.SUCCESS: {"none": PASS, "failed": PASS, "all": RESET},
    RunState.FAILED: {"none": PASS, "failed": RESET, "all": RESET},
    RunState.CANCELLED: {"none": PASS, "failed": RESET, "all": RESET},
}
REASONS: dict[tuple[RunState, Reprocess], str] = {
    (RunState.SUCCESS, "none"): "run r1 ended well, and reprocess is none",
    (RunState.SUCCESS, "failed"): "run r1 ended well, and reprocess is failed",
    (RunState.FAILED, "none"): "run r1 failed, and reprocess is none",
    (RunState.CANCELLED, "none"): "run r1 was cancelled, and reprocess is none",
}


def test_what_becomes_of_a_tick_is_known_for_every_state() -> None:
    assert set(ACTIONS) == {None, *RunState}


@pytest.mark.parametrize("state", ACTIONS)
@pytest.mark.parametrize("reprocess", ["none", "failed", "all"])
def test_what_becomes_of_a_tick(state: RunState | None, reprocess: Reprocess) -> None:
    decided, reason = action(reprocess, a_run("r1", state=state) if state else None)
    assert decided is ACTIONS[state][reprocess]
    if decided is not PASS:
        assert reason == ""
    elif state is not None:
        assert reason == (REASONS[state, reprocess] if state.is_terminal else f"run r1 is {state}")


# --- keys and states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tick", "key"),
    [
        ("2026-04-01T02:00:00+00:00", "sched:2026-04-01T02:00:00Z"),
        ("2026-04-01T04:00:00+02:00", "sched:2026-04-01T02:00:00Z"),
        ("2026-04-01T02:00:30+00:00", "sched:2026-04-01T02:00:30Z"),
        ("2026-04-01T02:00:30.500000+00:00", "sched:2026-04-01T02:00:30.500000Z"),
    ],
)
def test_a_tick_has_one_key_in_every_zone(tick: str, key: str) -> None:
    assert run_key(datetime.fromisoformat(tick)) == key


def test_an_item_has_the_key_of_its_tick() -> None:
    assert [item.run_key for item in of(a_pipeline(), "2026-04-01", "2026-04-01")] == ["sched:2026-04-01T02:00:00Z"]


def test_a_backfill_is_active_until_it_has_ended() -> None:
    asked = Backfill(pipeline="nightly", start=NOW.date(), end=NOW.date(), created_at=NOW)
    active = [state for state in BackfillState if replace(asked, state=state).state.is_active]
    assert active == [BackfillState.RUNNING, BackfillState.PAUSED]
