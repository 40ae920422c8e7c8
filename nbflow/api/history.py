"""Runs, attempts and their logs, for everybody who only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from nbflow.api.bound import live_run
from nbflow.api.reasons import Reasons
from nbflow.api.roles import Role, needs
from nbflow.api.views import Check, LogView, RunView
from nbflow.errors import NotFound
from nbflow.estimates import Estimate, Past
from nbflow.model import PipelineName, RunId, TaskKey, TaskName
from nbflow.ports import (
    Happened,
    Progress,
    StoredRun,
)
from nbflow.run import (
    Attempt,
    Change,
    Run,
)
from nbflow.states import RunKind, RunState

GOOD_RUNS = 20
"""Runs that say when a pipeline is usually ready."""


class History(Reasons):
    """Reads of runs."""

    @needs(Role.VIEWER)
    def runs(
        self,
        pipeline: str | None = None,
        state: RunState | None = None,
        limit: int = 20,
        *,
        kind: RunKind | None = None,
        text: str = "",
        before: str | None = None,
    ) -> Sequence[Run]:
        """History, newest first; `before` is the id of the last run of the page before."""
        name = PipelineName(pipeline) if pipeline else None
        behind = RunId(before) if before else None
        return self._store.list_runs(pipeline=name, state=state, kind=kind, text=text, before=behind, limit=limit)

    @needs(Role.VIEWER)
    def run_counts(self, pipeline: str | None = None) -> Mapping[RunState, int]:
        """How many runs there are in each state."""
        return self._store.count_runs(PipelineName(pipeline) if pipeline else None)

    @needs(Role.VIEWER)
    def status(self, ref: str) -> RunView:
        """One run; `ref` as RUN of the command line."""
        stored = self._stored(ref)
        attempts = self._store.attempts(stored.run.id)
        return RunView(
            stored=stored,
            attempts=attempts,
            notebooks={
                attempt.id: self._notebook(attempt, stored.run.pipeline)
                for tried in attempts.values()
                for attempt in tried
            },
        )

    @needs(Role.VIEWER)
    def log(self, ref: str, task: str, number: int | None = None) -> LogView:
        """The executed notebook of an attempt, by default the latest."""
        view = self.status(ref)
        return self.log_of(self._tried(view, task, number), view.run.pipeline)

    @needs(Role.VIEWER)
    def log_of(self, attempt: Attempt, pipeline: PipelineName) -> LogView:
        """The same of an attempt that was just read."""
        try:
            notebook = self._logs.notebook(attempt.id, pipeline)
        except NotFound as error:
            if attempt.state.is_terminal:  # it could not be started, or its folder was removed since
                error.hint = f"The attempt ended as {attempt.state}{f': {attempt.reason}' if attempt.reason else ''}."
            raise
        return LogView(attempt=attempt, path=self._notebook(attempt, pipeline), notebook=notebook)

    def _notebook(self, attempt: Attempt, pipeline: PipelineName) -> Path:
        return self._logs.folder(attempt.id, pipeline) / "notebook.ipynb"

    @needs(Role.VIEWER)
    def events(self, ref: str, task: str, number: int | None = None) -> Path:
        """The file of what an attempt did, an event a line (semantics §8); it may not exist yet."""
        view = self.status(ref)
        return view.notebooks[self._tried(view, task, number).id].with_name("events.jsonl")

    def _tried(self, view: RunView, task: str, number: int | None) -> Attempt:
        key = live_run(view.stored).get(TaskKey.parse(task)).key
        chosen = [attempt for attempt in view.attempts.get(key, ()) if number in {None, attempt.number}]
        if not chosen:
            which = f"attempt {number}" if number else "attempt"
            raise NotFound(
                f"task '{key.address}' of run {view.run.id} has no {which}", hint=self.why(view.run.id, task)
            )
        return chosen[-1]

    @needs(Role.VIEWER)
    def progress(self, run: Run, attempt: Attempt) -> Progress | None:
        """How far a running attempt has come."""
        return self._logs.progress(attempt.id, run.pipeline)

    @needs(Role.VIEWER)
    def happened(self, attempt: Attempt, pipeline: PipelineName, after: int = 0) -> Happened:
        """What an attempt did since another call returned `after`, or all of it."""
        return self._logs.happened(attempt.id, pipeline, after=after)

    @needs(Role.VIEWER)
    def usual_seconds(self, pipeline: PipelineName) -> Mapping[TaskName, float]:
        """What each task usually takes."""
        return {task: median(samples) for task, samples in self._store.durations(pipeline).items()}

    @needs(Role.VIEWER)
    def past(self, pipeline: PipelineName) -> Past:
        """What earlier runs tell of the coming ones."""
        good = self._store.list_runs(pipeline=pipeline, state=RunState.SUCCESS, limit=GOOD_RUNS)
        return Past(seconds=self._store.durations(pipeline), good=good, slots=self._slots, pools=self._pools)

    @needs(Role.VIEWER)
    def estimate(self, ref: str) -> Estimate | None:
        """When a run will probably have ended; None where it does not run, or nothing is known of it."""
        return self.finish(self._stored(ref))

    @needs(Role.VIEWER)
    def finish(self, stored: StoredRun) -> Estimate | None:
        """The same of a run that was just read. When one that is queued will begin, nobody knows."""
        if stored.run.state is not RunState.RUNNING:
            return None
        return self.past(stored.run.pipeline).finish(live_run(stored), self._clock.now())

    @needs(Role.VIEWER)
    def changes(self, after: int = 0, ref: str | None = None) -> Sequence[Change]:
        """The change log, of one run or of all."""
        return self._store.changes(after, run=self._store.find_run(ref) if ref else None)

    @needs(Role.VIEWER)
    def latest_change(self) -> int:
        """Where the change log ends now, for who follows it from here."""
        return self._store.latest_change()

    @needs(Role.VIEWER)
    def doctor(self) -> tuple[Check, ...]:
        """Every check of the installation, in order."""
        return tuple(check() for check in self._checks)
