"""Which queued runs may start: the limits of pipelines and of backfills, pauses, and the order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from nbflow.admission import Limits, admitted, ahead
from nbflow.backfill import Backfill, BackfillState
from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.testing.samples import NOW, a_run

SCHEDULED, MANUAL, BACKFILL = RunKind.SCHEDULED, RunKind.MANUAL, RunKind.BACKFILL
RUNNING = RunState.RUNNING
CANCELLED, PAUSED = BackfillState.CANCELLED, BackfillState.PAUSED


def run(name: str, kind: RunKind = SCHEDULED, state: RunState = RunState.QUEUED, **about: Any) -> Run:
    """Created in the order of the names: `a1` before `a2`."""
    created = NOW + timedelta(minutes=int(name[1:]))
    started = created if state is RUNNING else None
    return replace(a_run(name, kind=kind, state=state, created_at=created, started_at=started), **about)


def backfill(number: int = 1, max_active: int = 1, state: BackfillState = BackfillState.RUNNING) -> Backfill:
    return Backfill(
        id=number,
        pipeline="nightly",
        start=date(2026, 1, 1),
        end=date(2026, 1, 9),
        max_active=max_active,
        state=state,
        created_at=NOW,
    )


BEGUN = run("a1", state=RUNNING)
QUEUED = [run("b2"), run("b3", MANUAL), run("b4")]

CASES = {
    "nothing": ([], (), Limits(), ()),
    "one at a time": (QUEUED, (), Limits(), ("b2",)),
    "the order given does not matter": (QUEUED[::-1], (), Limits(), ("b2",)),
    "several": (QUEUED, (), Limits(max_active={"nightly": 2}), ("b2", "b3")),
    "one that runs holds the place": ([BEGUN, *QUEUED], {"a1"}, Limits(), ()),
    "one that runs without an owner is taken and holds the place": ([BEGUN, *QUEUED], (), Limits(), ("a1",)),
    "so is a second one, above the limit": ([BEGUN, run("a2", state=RUNNING), *QUEUED], (), Limits(), ("a1", "a2")),
    "an owned one that has not begun holds the place": ([run("a1", MANUAL), *QUEUED], {"a1"}, Limits(), ()),
    "one place left": ([BEGUN, *QUEUED], {"a1"}, Limits(max_active={"nightly": 2}), ("b2",)),
    "a limit that was lowered": (
        [BEGUN, run("a2", state=RUNNING), *QUEUED],
        {"a1", "a2"},
        Limits(max_active={"nightly": 1}),
        (),
    ),
    "pipelines do not wait for each other": (
        [BEGUN, run("b2"), run("c3", pipeline="hourly"), run("c4", pipeline="hourly")],
        {"a1"},
        Limits(),
        ("c3",),
    ),
    "missed ticks: the older one first": (
        [run("b2", logical_date=NOW), run("c2", logical_date=NOW - timedelta(days=1))],
        (),
        Limits(),
        ("c2",),
    ),
    "a paused pipeline holds back its scheduled runs only": (
        QUEUED,
        (),
        Limits(paused={"nightly"}, max_active={"nightly": 3}),
        ("b3",),
    ),
    "a reset run of a paused pipeline goes on": (
        [run("b2", started_at=NOW), run("b3")],
        (),
        Limits(paused={"nightly"}, max_active={"nightly": 3}),
        ("b2",),
    ),
    "what runs in a paused pipeline is taken over": ([BEGUN], (), Limits(paused={"nightly"}), ("a1",)),
    "a reset run waits for its turn as well": ([run("b2", started_at=NOW), run("c3")], {"c3"}, Limits(), ()),
    "backfill runs do not count": (
        [run("f1", BACKFILL, RUNNING), run("f2", BACKFILL, RUNNING), run("b3")],
        {"f1", "f2"},
        Limits(backfills={"f1": backfill(), "f2": backfill()}),
        ("b3",),
    ),
    "backfill runs do not wait for others": ([BEGUN, run("f2", BACKFILL)], {"a1"}, Limits(), ("f2",)),
    "a backfill keeps to its own limit": (
        [run("f1", BACKFILL, RUNNING), run("f2", BACKFILL), run("f3", BACKFILL)],
        {"f1"},
        Limits(backfills=dict.fromkeys(("f1", "f2", "f3"), backfill(max_active=2))),
        ("f2",),
    ),
    "each backfill has its own": (
        [run("f1", BACKFILL, RUNNING), run("f2", BACKFILL), run("g3", BACKFILL)],
        {"f1"},
        Limits(backfills={"f1": backfill(1), "f2": backfill(1), "g3": backfill(2)}),
        ("g3",),
    ),
    "a paused backfill holds back its runs": (
        [run("f1", BACKFILL), run("g2", BACKFILL)],
        (),
        Limits(backfills={"f1": backfill(1, state=PAUSED), "g2": backfill(2)}),
        ("g2",),
    ),
    "a paused pipeline does not hold back its backfill": (
        [run("f1", BACKFILL)],
        (),
        Limits(paused={"nightly"}, backfills={"f1": backfill()}),
        ("f1",),
    ),
    "backfill runs whose backfill is over wait for nobody": (
        [run("f1", BACKFILL), run("f2", BACKFILL)],
        (),
        Limits(),
        ("f1", "f2"),
    ),
}


@pytest.mark.parametrize(("unfinished", "owned", "limits", "expected"), CASES.values(), ids=CASES)
def test_admitted(unfinished: list[Run], owned: Any, limits: Limits, expected: tuple[str, ...]) -> None:
    assert admitted(unfinished, owned, limits) == expected


def names(runs: Any) -> list[str]:
    return [each.id for each in runs]


def test_what_is_ahead_of_a_run_holds_a_place_or_is_older() -> None:
    runs = [BEGUN, *QUEUED, run("c1", pipeline="hourly"), run("f1", BACKFILL)]
    assert names(ahead(runs[1], runs, {"a1"}, Limits())) == ["a1"]
    assert names(ahead(runs[3], runs, {"a1"}, Limits())) == ["a1", "b2", "b3"]
    assert names(ahead(runs[3], runs, {"a1"}, Limits(paused={"nightly"}))) == ["a1", "b3"]


def test_nothing_is_ahead_of_a_run_that_may_start() -> None:
    runs = [BEGUN, *QUEUED]
    assert names(ahead(runs[1], runs, {"a1"}, Limits(max_active={"nightly": 2}))) == []
    assert names(ahead(runs[0], runs, (), Limits())) == []
