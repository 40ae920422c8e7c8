"""What pages can watch: all runs, one pipeline, one run. Each knows which changes are about it and what they change."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbflow.errors import NotFound
from nbflow.model import TaskKey
from nbflow.run import Change
from nbflow.states import TaskState
from nbflow_app.frame import Frame
from nbflow_app.pages import run as run_page
from nbflow_app.pages.attempt import AttemptPage, attempt_of
from nbflow_app.rooms import News, Subject
from nbflow_app.visit import Visit

VisitNow = Callable[[], Visit]
"""A visit of the app itself, as a viewer, at the time of the call."""


PROGRESS = 2.0
"""Seconds between two looks at how far running tasks have come."""


@dataclass
class AllRuns:
    """Lists: a run began or ended, or a pipeline changed."""

    pulse: float = 0

    def concerns(self, change: Change) -> bool:
        return change.key is None

    def news(self, changes: Sequence[Change]) -> News:
        return News(refresh=bool(changes))


@dataclass
class OnePipeline:
    name: str
    pulse: float = 0

    def concerns(self, change: Change) -> bool:
        return change.pipeline == self.name and change.event != "attempt"

    def news(self, changes: Sequence[Change]) -> News:
        return News(refresh=bool(changes))


@dataclass
class OneRun:
    """The rows of its tasks. While something runs it is looked at again at a pulse, for how far it has come."""

    run: str
    visit: VisitNow
    frame: Frame
    pulse: float = PROGRESS

    def concerns(self, change: Change) -> bool:
        return change.run == self.run

    def news(self, changes: Sequence[Change]) -> News:
        keys = {change.key for change in changes if change.key is not None}
        parts, now = run_page.patches(self.visit(), self.frame, self.run, keys)
        self.pulse = PROGRESS if any(row.state is TaskState.RUNNING for row in now.rows) else 0
        return News(parts=parts, run=now, refresh=any(change.key is None for change in changes))


@dataclass
class OneAttempt:
    """The cells of a notebook while it runs; when its task changes, the page looks at itself again."""

    run: str
    task: str
    number: int
    visit: VisitNow
    page: AttemptPage
    pulse: float = 0
    has_log: bool = False

    def concerns(self, change: Change) -> bool:
        return change.run == self.run and (change.key is None or change.key.address == self.task)

    def news(self, changes: Sequence[Change]) -> News:
        parts = self.page.parts(self.visit(), self.run, self.task, self.number)
        has_begun = parts is not None and not self.has_log
        self.has_log = parts is not None
        self.pulse = self.next_pulse()
        return News(parts=parts or {}, refresh=bool(changes) or has_begun)

    def next_pulse(self) -> float:
        view = self.visit().api.status(self.run)
        return 0 if attempt_of(view, TaskKey.parse(self.task), self.number).state.is_terminal else CELLS


CELLS = 1.0
"""Seconds between two looks at the notebook of a running attempt."""


def subject_of(watch: str, visit: VisitNow, frame: Frame, attempts: AttemptPage) -> Subject:
    """What a page names in `data-watch`. Raises NotFound."""
    kind, _, name = watch.partition(":")
    match kind:
        case "runs":
            return AllRuns()
        case "pipeline":
            return OnePipeline(name)
        case "run":
            return OneRun(str(visit().api.status(name).run.id), visit, frame)
        case "attempt" if found := re.fullmatch(r"([^/]+)/([^/]+)/(\d{1,9})", name):
            run, task, number = found[1], found[2], int(found[3])
            subject = OneAttempt(run, task, number, visit, attempts)
            subject.has_log = attempts.parts(visit(), run, task, number) is not None
            subject.pulse = subject.next_pulse()
            return subject
        case _:
            raise NotFound(f"nothing is called '{watch}'")
