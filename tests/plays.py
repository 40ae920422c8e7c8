"""Runs and their tasks as they may stand, for tests of what is said about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from building import NOW, Play, pipeline

from nbflow.live import LiveRun
from nbflow.run import Asked, Run
from nbflow.states import RunKind, RunState
from nbflow.testing.samples import a_run

NO_SCHEDULER = "no scheduler is running: start `nbflow up`"


def chain(*done: str) -> Play:
    """extract → clean → report."""
    play = Play(pipeline(extract="", clean="extract", report="clean"))
    play.succeed(*done)
    return play


def started(play: Play, *names: str) -> Play:
    play.start(*names)
    return play


def ask(play: Play, request: Any) -> None:
    play.tell(Asked(id=1, request=request))


def after(play: Play, request: Any) -> Play:
    ask(play, request)
    return play


def run(name: str, kind: RunKind = RunKind.SCHEDULED, state: RunState = RunState.QUEUED, **about: Any) -> Run:
    created = NOW + timedelta(minutes=int(name[1:]))
    return replace(a_run(name, kind=kind, state=state, created_at=created), **about)


def live_of(of: Run) -> LiveRun:
    return LiveRun(of, pipeline(), {})


FIRST, SECOND, THIRD = run("r1", state=RunState.RUNNING, started_at=NOW), run("r2"), run("r3", RunKind.MANUAL)
