"""Why a run is not running: the exact sentence for every state of it, and for every surrounding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from building import NOW, VALUE_ERROR, Play, pipeline, task
from plays import FIRST, NO_SCHEDULER, SECOND, THIRD, after, chain, live_of, run, started

from nbflow.admission import Limits
from nbflow.backfill import Backfill, BackfillState
from nbflow.model import TaskKey
from nbflow.run import CancelRequested, Run
from nbflow.states import AttemptState, Cause, RunKind, RunState
from nbflow.testing.samples import a_run
from nbflow.timetable import Standing
from nbflow.why import Owner, Surroundings, held_up, why, why_in_row, why_run

KEY = TaskKey.parse


def backfill(state: BackfillState = BackfillState.RUNNING, **about: Any) -> Backfill:
    day = date(2026, 1, 1)
    return Backfill(id=7, pipeline="nightly", start=day, end=day, max_active=2, state=state, created_at=NOW, **about)


def standing(**about: Any) -> Standing:
    return Standing(pipeline="nightly", first_seen=NOW, cursor=NOW, path="pipeline.yaml", manifest="", **about)


SOON = "the scheduler takes it in a moment; if it does not, its log says why"
FILLED = [run(f"f{number}", RunKind.BACKFILL) for number in range(1, 4)]
OWN = Limits(backfills=dict.fromkeys(("f1", "f2", "f3"), backfill()))
NO_RUN = "no run can be created: no such notebook"
STOPPED = Limits(backfills={"f3": backfill(BackfillState.PAUSED, changed_by="scheduler", reason=NO_RUN)})

RUNS: dict[str, tuple[Run, dict[str, Any], str]] = {
    "nobody takes it": (SECOND, {"has_scheduler": False}, f"run r2 has not started: {NO_SCHEDULER}."),
    "nobody takes it again": (
        replace(SECOND, started_at=NOW), {"has_scheduler": False}, f"run r2 waits to run again: {NO_SCHEDULER}."
    ),
    "its command is gone": (
        THIRD, {"owner": Owner.GONE},
        "run r3 has not started: the nbflow run that owned it is gone, and the next command or scheduler closes it.",
    ),
    "it was taken just now": (SECOND, {"owner": Owner.ALIVE}, "run r2 is about to start."),
    "nothing holds it back": (SECOND, {}, f"run r2 has not started: {SOON}."),
    "behind another run": (
        SECOND, {"unfinished": [FIRST, SECOND], "owned": {"r1"}},
        "run r2 has not started: run r1 is running, and max_active_runs of nightly is 1.",
    ),
    "behind one that is queued": (
        THIRD, {"unfinished": [SECOND, THIRD]},
        "run r3 has not started: run r2 is queued, and max_active_runs of nightly is 1.",
    ),
    "behind several": (
        run("r4"),
        {"unfinished": [FIRST, SECOND, THIRD, run("r4")], "owned": {"r1"}, "limits": Limits(max_active={"nightly": 2})},
        "run r4 has not started: runs r1, r2, r3 come first, and max_active_runs of nightly is 2.",
    ),
    "a paused pipeline": (
        SECOND, {"limits": Limits(paused={"nightly"}), "standing": standing(paused_at=NOW)},
        "run r2 has not started: pipeline nightly was paused, and goes on with `nbflow resume nightly`.",
    ),
    "a pipeline that somebody paused for a reason": (
        SECOND,
        {"limits": Limits(paused={"nightly"}), "standing": standing(paused_at=NOW, paused_by="ada", note="no source")},
        "run r2 has not started: pipeline nightly was paused by ada (no source),"
        " and goes on with `nbflow resume nightly`.",
    ),
    "a paused pipeline does not concern a manual run": (
        THIRD, {"limits": Limits(paused={"nightly"})}, f"run r3 has not started: {SOON}."
    ),
    "behind its backfill": (
        FILLED[2], {"unfinished": FILLED, "owned": {"f1", "f2"}, "limits": OWN},
        "run f3 has not started: runs f1, f2 come first, and max_active of backfill 7 is 2.",
    ),
    "a paused backfill": (
        FILLED[2], {"limits": STOPPED},
        "run f3 has not started: backfill 7 was paused by scheduler (no run can be created: no such notebook),"
        " and goes on with `nbflow backfill resume 7`.",
    ),
    "running": (FIRST, {"owner": Owner.ALIVE, "now": NOW + timedelta(minutes=4)}, "run r1 is running, 4 min."),
    "ended well": (run("r1", state=RunState.SUCCESS), {}, "run r1 ended well."),
    "failed": (run("r1", state=RunState.FAILED), {}, "run r1 failed."),
    "cancelled": (run("r1", state=RunState.CANCELLED), {}, "run r1 was cancelled."),
}  # fmt: skip


def test_every_state_of_a_run_has_a_sentence() -> None:
    assert {each.state for each, _, _ in RUNS.values()} == set(RunState)


@pytest.mark.parametrize(("of", "around", "expected"), RUNS.values(), ids=RUNS)
def test_why_a_run(of: Run, around: dict[str, Any], expected: str) -> None:
    assert why_run(live_of(of), Surroundings(**{"now": NOW, "owner": Owner.NONE, **around})) == expected


def test_a_run_that_failed_names_what_made_it_fail() -> None:
    two = Play(pipeline(task("a"), task("b"), task("c", allow_failure=True), d="a"))
    for name in "abc":
        two.start(name)
        two.end(name, AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR)
    said = f"failed: {VALUE_ERROR.name}: {VALUE_ERROR.message}"
    assert why_run(two.live, Surroundings(now=two.now)) == f"run r1 failed: a {said}, b {said}."


def test_what_a_notebook_says_stays_in_the_sentence() -> None:
    play = started(chain(), "extract")
    message = "\x1b[31mbad\x1b]0;title\x07\nsecond line\x00"
    play.end("extract", AttemptState.FAILED, cause=Cause.ERROR, error=replace(VALUE_ERROR, message=message))
    said = "failed: ValueError:  [31mbad ]0;title second line."
    assert why(play.live, KEY("extract"), Surroundings(now=play.now)) == f"extract {said}"
    assert why_run(play.live, Surroundings(now=play.now)) == f"run r1 failed: extract {said}"


def test_a_run_that_was_cancelled_says_by_whom_and_why() -> None:
    whole = after(started(chain(), "extract"), CancelRequested(by="ada", note="too slow"))
    whole.end("extract", AttemptState.CANCELLED, cause=Cause.CANCELLED)
    assert why_run(whole.live, Surroundings(now=whole.now)) == "run r1 was cancelled by ada: too slow."
    assert why(whole.live, KEY("extract"), Surroundings(now=whole.now)) == "extract was cancelled by ada: too slow."
    part = after(chain(), CancelRequested(by="ada", key=KEY("extract")))
    assert why_run(part.live, Surroundings(now=part.now)) == "run r1 was cancelled."


def test_the_tasks_of_a_run_that_was_not_taken_wait_for_it() -> None:
    play = chain()
    before = a_run("r0", state=RunState.RUNNING, created_at=NOW - timedelta(minutes=1))
    around = Surroundings(now=NOW, owner=Owner.NONE, unfinished=[before, play.live.run], owned={"r0"})
    held = "waits for its run to start: run r0 is running, and max_active_runs of nightly is 1."
    assert why(play.live, KEY("extract"), around) == f"extract {held}"
    assert why(play.live, KEY("report"), around) == f"report {held}"
    assert held_up(play.live.run, around) == "run r0 is running, and max_active_runs of nightly is 1"
    assert why_in_row(play.live, KEY("report"), around) == "waits for its run to start"


@pytest.mark.parametrize("begun", [True, False])
def test_what_is_taken_in_a_moment_is_not_held_up(begun: bool) -> None:
    live, around = (started(chain(), "extract") if begun else chain()).live, Surroundings(now=NOW, owner=Owner.NONE)
    assert "in a moment" in why_run(live, around)
    assert held_up(live.run, around) == ""


def test_what_has_ended_is_not_held_up() -> None:
    around = Surroundings(now=NOW, owner=Owner.NONE, has_scheduler=False)
    assert held_up(run("r1", state=RunState.FAILED), around) == ""
    assert held_up(run("r1", state=RunState.RUNNING), around) == NO_SCHEDULER
