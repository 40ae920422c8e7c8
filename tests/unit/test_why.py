"""Why a task is not running: the exact sentence for every state of a task run, and for every surrounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from building import NOW, VALUE_ERROR, Play, attempt_id, pipeline, task
from plays import FIRST, NO_SCHEDULER, SECOND, after, ask, chain, live_of, started

from nbflow.model import Retries, TaskKey
from nbflow.run import AttemptEnded, CancelRequested, Change, MarkRequested, ResetRequested, SlotGranted
from nbflow.states import AttemptState, Cause, RunState, TaskState
from nbflow.text import clock_time
from nbflow.why import Owner, Surroundings, held_up, why, why_in_row, why_run

KEY = TaskKey.parse
ONE_MINUTE = Retries(max_retries=3, delay=timedelta(minutes=1), backoff="fixed")


def failing(cause: Cause = Cause.ERROR, times: int = 1, retries: Retries = ONE_MINUTE) -> Play:
    play = Play(pipeline(task("extract", retries=retries), clean="extract"))
    for number in range(times):
        if number:
            play.later(minutes=10)
        play.start("extract")
        error = VALUE_ERROR if cause is Cause.ERROR else None
        play.end("extract", AttemptState.FAILED, cause=cause, error=error, reason="the runner is gone")
    return play


def pooled(wanted: int = 1) -> Play:
    return Play(pipeline(task("extract", pool="warehouse", pool_slots=wanted)))


def being_stopped(request: Callable[[], Any]) -> Play:
    play = started(chain(), "extract")
    ask(play, request())
    return play


def handed_over() -> Play:
    play = chain()
    play.tell(SlotGranted(key=KEY("extract"), token="t"))
    return play


def cancelled_while_running() -> Play:
    play = being_stopped(lambda: CancelRequested(by="ada", key=KEY("extract")))
    token = play["extract"].live.token
    play.tell(
        AttemptEnded(
            attempt=attempt_id("extract"), token=token, at=play.now, state=AttemptState.CANCELLED, cause=Cause.CANCELLED
        )
    )
    return play


def skipped() -> Play:
    return Play(pipeline(task("extract", when=False), clean="extract"))


IN = clock_time(NOW + timedelta(minutes=1))

TASKS: dict[str, tuple[Callable[[], Play], str, dict[str, Any], str]] = {
    "waiting for one that runs": (
        lambda: started(chain(), "extract"), "clean", {"now": NOW + timedelta(minutes=4), "usual": {"extract": 540.0}},
        "clean waits for extract, which is running, 4 min, usually 9 min.",
    ),
    "waiting for one that runs, of which nothing is known": (
        lambda: started(chain(), "extract"), "clean", {},
        "clean waits for extract, which is running, 0.0 s.",
    ),
    "waiting for one that waits": (chain, "report", {}, "report waits for clean, which is waiting itself."),
    "waiting for one that is ready": (chain, "clean", {}, "clean waits for extract, which is ready to start."),
    "waiting for one that starts": (handed_over, "clean", {}, "clean waits for extract, which is starting."),
    "waiting for one that is tried again": (
        failing, "clean", {}, f"clean waits for extract, which failed, next try {IN}, 2 of 4."
    ),
    "waiting for several": (
        lambda: started(Play(pipeline(a="", b="", c="a b")), "a"), "c", {},
        "c waits for a, which is running, 0.0 s; b, which is ready to start.",
    ),
    "waiting for many": (
        lambda: Play(pipeline(a="", b="", c="", d="", e="", f="", g="", h="a b c d e f g")), "h", {},
        "h waits for " + "; ".join(f"{each}, which is ready to start" for each in "abcde") + " and 2 more.",
    ),
    "ready, and nothing is known of slots": (chain, "extract", {}, "extract is ready and waits for a free slot."),
    "ready, and a slot is free": (
        chain, "extract", {"slots": 2, "busy": ["load"]}, "extract is ready and starts in a moment."
    ),
    "ready, and no slot is free": (
        chain, "extract", {"slots": 2, "busy": ["load_x", "load_y"]},
        "extract waits for a free slot: 2 of 2 used by load_x, load_y.",
    ),
    "ready, and a pool is full": (
        pooled, "extract", {"pools": {"warehouse": 2}, "holders": {"warehouse": ["load_x", "load_y"]}},
        "extract waits for pool warehouse: 2 of 2 used by load_x, load_y.",
    ),
    "ready, and one holds all of a pool": (
        pooled, "extract", {"pools": {"warehouse": 2}, "holders": {"warehouse": ["load_x", "load_x"]}},
        "extract waits for pool warehouse: 2 of 2 used by load_x.",
    ),
    "ready, and many hold a pool": (
        pooled, "extract", {"pools": {"warehouse": 7}, "holders": {"warehouse": list("abcdefg")}},
        "extract waits for pool warehouse: 7 of 7 used by a, b, c, d, e and 2 more.",
    ),
    "ready, and a pool has too little room": (
        lambda: pooled(2), "extract", {"pools": {"warehouse": 3}, "holders": {"warehouse": ["load_x", "load_y"]}},
        "extract waits for 2 places of pool warehouse: 2 of 3 used by load_x, load_y.",
    ),
    "ready, and a pool is too small for ever": (
        lambda: pooled(3), "extract", {"pools": {"warehouse": 2}},
        "extract waits for 3 places of pool warehouse, which has 2.",
    ),
    "ready, and there is no such pool": (
        pooled, "extract", {}, "extract waits for pool warehouse, which nbflow.toml does not name."
    ),
    "ready, and the pool has room": (
        pooled, "extract",
        {"pools": {"warehouse": 2}, "holders": {"warehouse": ["load_x"]}, "slots": 1, "busy": ["load_x"]},
        "extract waits for a free slot: 1 of 1 used by load_x.",
    ),
    "ready, and the pool's room is kept for another": (
        pooled, "extract",
        {
            "pools": {"warehouse": 2},
            "holders": {"warehouse": ["load_x"]},
            "kept": {"warehouse": ((-5, False, NOW, 0.0, 0), "hourly.load_all")},
        },
        "extract waits for pool warehouse, whose free places are kept for hourly.load_all.",
    ),
    "ready, and the pool's room is kept for one that comes later": (
        pooled, "extract",
        {
            "pools": {"warehouse": 2},
            "holders": {"warehouse": ["load_x"]},
            "kept": {"warehouse": ((5, False, NOW, 0.0, 0), "hourly.load_all")},
        },
        "extract is ready and waits for a free slot.",
    ),
    "handed over": (handed_over, "extract", {}, "extract was handed to the executor and is starting."),
    "running": (
        lambda: started(chain(), "extract"), "extract",
        {"now": NOW + timedelta(minutes=4), "usual": {"extract": 540.0}},
        "extract is running, attempt 1, 4 min, usually 9 min.",
    ),
    "running, seen by a clock that is behind": (
        lambda: started(chain(), "extract"), "extract", {"now": NOW - timedelta(seconds=2)},
        "extract is running, attempt 1, 0.0 s.",
    ),
    "being cancelled": (
        lambda: being_stopped(lambda: CancelRequested(by="ada")), "extract", {},
        "extract is being stopped by ada, and becomes cancelled.",
    ),
    "being stopped to run again": (
        lambda: being_stopped(lambda: ResetRequested(by="ada", keys=(KEY("extract"),), kill=True)), "extract", {},
        "extract is being stopped by ada, and runs again.",
    ),
    "being stopped to be marked": (
        lambda: being_stopped(lambda: MarkRequested(by="ada", key=KEY("extract"), state=TaskState.SUCCESS, kill=True)),
        "extract", {}, "extract is being stopped by ada, and becomes success.",
    ),
    "waiting for the next try": (
        failing, "extract", {}, f"extract failed (ValueError: bad country); next try {IN}, 2 of 4."
    ),
    "waiting for the last try": (
        lambda: failing(times=3), "extract", {},
        f"extract failed (ValueError: bad country); next try {clock_time(NOW + timedelta(minutes=21))}, 4 of 4.",
    ),
    "waiting for the next try after a failure of nbflow's own": (
        lambda: failing(Cause.LOST), "extract", {},
        f"extract failed (the runner is gone); next try {clock_time(NOW + timedelta(seconds=5))},"
        " which uses up no retry.",
    ),
    "a try that is due": (
        failing, "extract", {"now": NOW + timedelta(minutes=1)},
        "extract failed (ValueError: bad country); next try now, 2 of 4.",
    ),
    "ended well": (lambda: chain("extract"), "extract", {}, "extract ended well."),
    "marked": (
        lambda: after(chain(), MarkRequested(by="ada", key=KEY("extract"), state=TaskState.SUCCESS, note="by phone")),
        "extract", {}, "extract ended well, set by ada (by phone).",
    ),
    "failed": (
        lambda: failing(retries=Retries()), "extract", {}, "extract failed: ValueError: bad country."
    ),
    "failed for good": (
        lambda: failing(times=4), "extract", {},
        "extract failed: ValueError: bad country (no retry left of 3).",
    ),
    "marked failed": (
        lambda: after(chain(), MarkRequested(by="ada", key=KEY("extract"), state=TaskState.FAILED)),
        "extract", {}, "extract failed, set by ada.",
    ),
    "blocked": (
        lambda: failing(retries=Retries()), "clean", {}, "clean cannot run: blocked by extract (failed)."
    ),
    "skipped by its condition": (skipped, "extract", {}, "extract was skipped: its condition is false."),
    "skipped by its join rule": (
        skipped, "clean", {}, "clean was skipped: its join rule all_success was not met: extract (skipped)."
    ),
    "marked skipped": (
        lambda: after(chain(), MarkRequested(by="ada", key=KEY("extract"), state=TaskState.SKIPPED)),
        "extract", {}, "extract was skipped, set by ada.",
    ),
    "cancelled before it ran": (
        lambda: after(chain(), CancelRequested(by="ada")), "extract", {}, "extract was cancelled by ada."
    ),
    "cancelled while it ran": (cancelled_while_running, "extract", {}, "extract was cancelled by ada."),
    "cancelled with an upstream": (
        lambda: after(chain(), CancelRequested(by="ada", key=KEY("extract"))), "clean", {},
        "clean was cancelled: an upstream task was cancelled.",
    ),
}  # fmt: skip


def test_every_state_of_a_task_run_has_a_sentence() -> None:
    assert {make()[name].state for make, name, _, _ in TASKS.values()} == set(TaskState)


@pytest.mark.parametrize(("make", "name", "around", "expected"), TASKS.values(), ids=TASKS)
def test_why_a_task_run(make: Callable[[], Play], name: str, around: dict[str, Any], expected: str) -> None:
    play = make()
    assert why(play.live, KEY(name), Surroundings(**{"now": play.now, **around})) == expected


ROWS: dict[str, tuple[Callable[[], Play], str, str]] = {
    "waiting for one that runs": (
        lambda: started(chain(), "extract"), "clean", "waits for extract, which is running"
    ),
    "ready": (chain, "extract", "is ready and waits for a free slot"),
    "running": (lambda: started(chain(), "extract"), "extract", ""),
    "being cancelled": (
        lambda: being_stopped(lambda: CancelRequested(by="ada")), "extract",
        "is being stopped by ada, and becomes cancelled",
    ),
    "waiting for the next try": (failing, "extract", f"failed (ValueError: bad country); next try {IN}, 2 of 4"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "name", "said"), ROWS.values(), ids=list(ROWS))
def test_a_row_repeats_neither_its_name_nor_what_counts_on_beside_it(
    make: Callable[[], Play], name: str, said: str
) -> None:
    assert why_in_row(make().live, KEY(name), Surroundings(now=NOW + timedelta(seconds=1))) == said


@pytest.mark.parametrize(("zone", "time"), [("Asia/Tokyo", "18:01:00"), ("America/New_York", "05:01:00")])
def test_a_time_is_that_of_the_reader(zone: str, time: str) -> None:
    around = Surroundings(now=NOW, zone=ZoneInfo(zone))
    assert f"next try {time}, 2 of 4" in why(failing().live, KEY("extract"), around)
    assert f"next try {time}, 2 of 4" in why(failing().live, KEY("clean"), around)


UNATTENDED = {
    "the scheduler is gone": (Owner.NONE, False, f"; {NO_SCHEDULER}."),
    "another one comes": (
        Owner.NONE,
        True,
        "; the scheduler takes the run over in a moment; if it does not, its log says why.",
    ),
    "the command is gone": (
        Owner.GONE,
        True,
        "; the nbflow run that owned it is gone, and the next command or scheduler closes the run.",
    ),
}


@pytest.mark.parametrize(("owner", "has_scheduler", "tail"), UNATTENDED.values(), ids=UNATTENDED)
def test_whatever_has_begun_and_is_not_looked_after_says_so(owner: Owner, has_scheduler: bool, tail: str) -> None:
    play = started(chain(), "extract")
    around = Surroundings(now=play.now, owner=owner, has_scheduler=has_scheduler)
    assert why(play.live, KEY("extract"), around) == f"extract is running, attempt 1, 0.0 s{tail}"
    assert why(play.live, KEY("report"), around) == f"report waits for clean, which is waiting itself{tail}"
    assert why_run(play.live, around) == f"run r1 is running, 0.0 s{tail}"


def test_a_run_that_has_ended_says_what_is_still_asked_of_it() -> None:
    again = ResetRequested(by="ada")
    around = Surroundings(now=NOW, owner=Owner.NONE, has_scheduler=False, asked=[again, again])
    said = "ada wants it run again, which the next scheduler or command that has it does"
    assert why_run(live_of(replace(FIRST, state=RunState.FAILED)), around) == f"run r1 failed; {said}."
    assert why_run(live_of(replace(FIRST, state=RunState.SUCCESS)), around) == f"run r1 ended well; {said}."


def test_a_run_that_is_set_aside_says_so_unless_something_else_keeps_it() -> None:
    told = Change(at=NOW, run="r1", pipeline="nightly", event="set_aside", note="KeyError: 'x'\x1b")
    around = Surroundings(now=NOW, owner=Owner.NONE, aside=told, zone=ZoneInfo("Asia/Tokyo"))
    said = (
        "the scheduler set it aside at 18:00:00 for a fault of nbflow's own (KeyError: 'x'), and tries again after a "
        "minute; its log says more"
    )
    assert why_run(live_of(SECOND), around) == f"run r2 has not started: {said}."
    assert why_run(started(chain(), "extract").live, around) == f"run r1 is running, 0.0 s; {said}."
    assert held_up(FIRST, around) == said
    assert held_up(FIRST, replace(around, has_scheduler=False)) == NO_SCHEDULER


@pytest.mark.parametrize("owner", [Owner.ALIVE, Owner.NONE])
def test_who_is_stopped_and_still_holds_its_lock_is_named(owner: Owner) -> None:
    play = started(chain(), "extract")
    around = Surroundings(now=play.now, owner=owner, silent=("scheduler@web-1.7.abc", timedelta(seconds=51)))
    said = "scheduler@web-1.7.abc gave its last sign of life 51 s ago: it is stopped, or cannot write to the database"
    assert why(play.live, KEY("extract"), around) == f"extract is running, attempt 1, 0.0 s; {said}."
    assert why_run(play.live, around) == f"run r1 is running, 0.0 s; {said}."
    stands = "is about to start;" if owner is Owner.ALIVE else "has not started:"
    assert why_run(live_of(SECOND), around) == f"run r2 {stands} {said}."


def test_a_run_with_notebooks_on_another_machine_says_what_can_be_done() -> None:
    play = started(chain(), "extract")
    around = Surroundings(now=play.now, owner=Owner.NONE, elsewhere={"web-1"})
    assert why(play.live, KEY("extract"), around) == (
        "extract is running, attempt 1, 0.0 s; the run has notebooks on web-1, and only a scheduler there goes on with"
        " it; if that machine is gone, `nbflow cancel` gives them up."
    )


def test_a_run_whose_command_is_gone_on_another_machine_is_closed_there() -> None:
    play = started(chain(), "extract")
    around = Surroundings(now=play.now, owner=Owner.GONE, elsewhere={"web-1"})
    assert why_run(play.live, around) == (
        "run r1 is running, 0.0 s; the nbflow run that owned it is gone, and only a command or scheduler on web-1"
        " closes the run; if that machine is gone, `nbflow cancel` gives its notebooks up."
    )


@pytest.mark.parametrize("owner", Owner)
def test_what_has_ended_needs_nobody(owner: Owner) -> None:
    around = Surroundings(now=NOW, owner=owner, has_scheduler=False)
    assert why(chain("extract").live, KEY("extract"), around) == "extract ended well."
