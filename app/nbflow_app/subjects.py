"""What pages can watch: everything, all runs, one pipeline, one run, one attempt.

Each knows which changes are about it and what they change.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbflow.api import RunView
from nbflow.errors import NotFound
from nbflow.estimates import Estimate
from nbflow.model import PipelineName, TaskKey
from nbflow.run import Attempt, Change
from nbflow.states import TaskState
from nbflow_app.frame import Frame
from nbflow_app.pages import run as run_page
from nbflow_app.pages.attempt import AttemptPage, Watched, attempt_of
from nbflow_app.rooms import News, Seen, Subject
from nbflow_app.visit import Visit

VisitNow = Callable[[], Visit]
"""A visit of the app itself, as a viewer, at the time of the call."""


PROGRESS = 2.0
"""Seconds between two looks at how far running tasks have come."""
OUTSIDE = 20.0
"""Seconds between two looks at what no change of a run tells: whether a scheduler lives, who else uses its pools."""
DRAFT = 1.0
"""Seconds between two looks at a manifest that is edited."""


@dataclass
class Pages:
    """Pages that look at themselves again as a whole: after what concerns them, and at the pulse, if there is one."""

    concerns: Callable[[Change], bool]
    visit: VisitNow
    pulse: float = 0

    def news(self, changes: Sequence[Change]) -> News:
        del changes
        return News(refresh=True)

    def since(self, seen: Seen) -> News:
        return News(refresh=any(map(self.concerns, self.visit().api.changes(seen.change))))


def changes_a_list(change: Change) -> bool:
    """A run began or ended, or a pipeline changed."""
    return change.key is None


def changes_what_is_red(change: Change) -> bool:
    return change.key is None or (change.event == "task" and change.after == TaskState.FAILED)


@dataclass
class OneDraft:
    """A pipeline that is edited: its page looks again when its manifest or a draft of it has changed."""

    name: str
    visit: VisitNow
    pulse: float = DRAFT
    seen: object = None

    def concerns(self, change: Change) -> bool:
        return False

    def news(self, changes: Sequence[Change]) -> News:
        seen, self.seen = self.seen, self.edition()
        return News(refresh=seen != self.seen)

    def since(self, seen: Seen) -> News:
        del seen  # it counts changes of runs
        return News(refresh=True)

    def edition(self) -> object:
        """None for a pipeline that is gone, which its page shall notice once."""
        try:
            return self.visit().api.edition(self.name)
        except NotFound:
            return None


@dataclass
class OneRun:
    """The rows of its tasks. Until it ends it is looked at again at a pulse: for how far what runs has come, and, less
    often, for what keeps back what waits."""

    run: str
    visit: VisitNow
    frame: Frame
    pulse: float = PROGRESS
    outside_at: float = 0
    estimate: Estimate | None = None
    foresee_at: float = 0

    def concerns(self, change: Change) -> bool:
        return change.run == self.run

    def news(self, changes: Sequence[Change]) -> News:
        visit = self.visit()
        view = visit.api.status(self.run)
        keys = {change.key for change in changes if change.key is not None}
        is_run = any(change.key is None for change in changes)
        if is_run or time.monotonic() >= self.outside_at:  # each that waits may wait for something else now
            keys |= {key for key, task in view.tasks.items() if not task.state.is_terminal}
            self.outside_at = time.monotonic() + OUTSIDE
        parts, now = run_page.patches(visit, self.frame, view, keys, self._foreseen(visit, view))
        is_moving = any(row.state is TaskState.RUNNING for row in now.rows)
        self.pulse = 0 if view.run.state.is_terminal else PROGRESS if is_moving else OUTSIDE
        return News(parts=parts, run=now, refresh=is_run)

    def _foreseen(self, visit: Visit, view: RunView) -> Estimate | None:
        """When it will end; of a large run not worked out anew for every change."""
        if time.monotonic() >= self.foresee_at or view.run.state.is_terminal:
            began = time.monotonic()
            self.estimate = visit.api.finish(view.stored)
            ended = time.monotonic()
            self.foresee_at = ended + 20 * (ended - began)
        return self.estimate

    def since(self, seen: Seen) -> News:
        missed = self.visit().api.changes(seen.change, self.run)
        return self.news(missed) if missed else News()


@dataclass
class OneAttempt:
    """The cells of a notebook while it runs; when its task changes, the page looks at itself again."""

    pipeline: PipelineName
    attempt: Attempt
    visit: VisitNow
    page: AttemptPage
    watched: Watched | None = None
    """Its cells, from its first event until it has ended."""

    @property
    def pulse(self) -> float:
        return 0 if self.attempt.state.is_terminal else CELLS

    def concerns(self, change: Change) -> bool:
        return change.run == self.attempt.run and change.key in {None, self.attempt.key}

    def news(self, changes: Sequence[Change]) -> News:
        visit = self.visit()
        if changes:
            self.attempt = attempt_of(visit.api.status(self.attempt.run), self.attempt.key, self.attempt.number)
        if self.attempt.state.is_terminal:
            self.watched = None
            return News(parts=self.page.cells(visit, self.pipeline, self.attempt), refresh=True)
        if self.watched is not None:
            return News(parts=self.watched.read(), refresh=bool(changes))
        self.watched = self.page.watch(visit, self.pipeline, self.attempt)
        return News(refresh=bool(changes) or self.watched is not None)

    def since(self, seen: Seen) -> News:
        visit = self.visit()
        if self.watched is None:
            return News(refresh=any(map(self.concerns, visit.api.changes(seen.change, self.attempt.run))))
        return News(parts=self.watched.since(seen.upto) if seen.upto else {}, refresh=not seen.upto)


CELLS = 0.1
"""Seconds between two looks at what a running attempt did."""


def subject_of(watch: str, visit: VisitNow, frame: Frame, attempts: AttemptPage) -> Subject:
    """What a page names in `data-watch`. Raises NotFound."""
    kind, _, name = watch.partition(":")
    match kind:
        case "now":  # time alone makes things late
            return Pages(changes_what_is_red, visit, pulse=OUTSIDE)
        case "runs":
            return Pages(changes_a_list, visit)
        case "pipeline":
            return Pages(lambda change: change.pipeline == name and change.event != "attempt", visit)
        case "edit":
            return OneDraft(name, visit, seen=visit().api.edition(name))
        case "run":
            return OneRun(str(visit().api.status(name).run.id), visit, frame)
        case "attempt" if found := re.fullmatch(r"([^/]+)/([^/]+)/(\d{1,9})", name):
            view = visit().api.status(found[1])
            attempt = attempt_of(view, TaskKey.parse(found[2]), int(found[3]))
            pipeline = view.run.pipeline
            return OneAttempt(pipeline, attempt, visit, attempts, attempts.watch(visit(), pipeline, attempt))
        case _:
            raise NotFound(f"nothing is called '{watch}'")
