"""New runs, and carrying them to their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from nbflow import params, schedule
from nbflow.api.bound import Bound
from nbflow.api.definitions import usable
from nbflow.api.roles import Role, needs
from nbflow.creation import new_run
from nbflow.errors import InvalidInput, NotFound
from nbflow.live import LiveRun
from nbflow.model import PipelineName, RunId, Schedule, Task, TaskName
from nbflow.ports import Definition, Lease, NewRun
from nbflow.run import Run
from nbflow.schedule import RunDates
from nbflow.states import RunKind, TaskState
from nbflow.text import did_you_mean


class Runs(Bound):
    """Commands that begin runs."""

    @needs(Role.OPERATOR)
    def create_run(
        self,
        name_or_path: str,
        *,
        given: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        when: date | datetime | None = None,
        tasks: Sequence[str] = (),
        lend_from: str | None = None,
        key: str | None = None,
    ) -> Run:
        """A new manual run, owned by this process; drive it with `drive`.

        `given` are parameter values, `texts` values as a person typed them. `when` is a date, meaning its first tick,
        or an instant. `tasks` limits the run to some tasks; `lend_from` names a run whose reported values stand in
        for those left out. `key` makes the creation idempotent: the second call returns the first run.
        """
        definition = self._workspace.load(name_or_path, given={*(given or ()), *(texts or ())})
        planned = self._plan(definition, given=given, texts=texts, when=when, tasks=tasks, lend_from=lend_from, key=key)
        return self._keep(planned, self._here().lease(planned.run.id, planned.run.created_at))

    @needs(Role.OPERATOR)
    def trigger(
        self,
        name_or_path: str,
        *,
        given: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        when: date | datetime | None = None,
        tasks: Sequence[str] = (),
        lend_from: str | None = None,
        key: str | None = None,
    ) -> Run:
        """A new manual run that the scheduler takes; parameters as for `create_run`.

        It waits in the queue while no scheduler runs.
        """
        definition = self._workspace.load(name_or_path, given={*(given or ()), *(texts or ())})
        return self._trigger(definition, given=given, texts=texts, when=when, tasks=tasks, lend_from=lend_from, key=key)

    def _trigger(self, definition: Definition, **wanted: Any) -> Run:
        return self._keep(self._plan(definition, **wanted), None)

    def _plan(
        self,
        definition: Definition,
        *,
        given: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        when: date | datetime | None = None,
        tasks: Sequence[str] = (),
        lend_from: str | None = None,
        key: str | None = None,
    ) -> NewRun:
        pipeline = usable(definition)
        chosen = [_task(pipeline.tasks, name) for name in tasks]
        lent = self._lend(lend_from, pipeline.name, [name for name in pipeline.tasks if name not in chosen])
        now = self._clock.now()
        return new_run(
            self._workspace.freeze(definition, chosen or None),
            _dates(pipeline.schedule, when, now),
            kind=RunKind.MANUAL,
            run_key=f"key:{key}" if key else "",
            given={**(given or {}), **params.parse_texts(pipeline.params, texts or {})},
            lent=lent if chosen else None,
            now=now,
            by=self.caller.name,
        )

    def _keep(self, planned: NewRun, lease: Lease | None) -> Run:
        if self._store.add_run(planned.run, planned.tasks, planned.frozen, lease):
            return planned.run
        return self._store.load(self._store.run_of_key(planned.run.pipeline, planned.run.run_key)).run

    def _lend(
        self, ref: str | None, pipeline: PipelineName, left_out: Sequence[TaskName]
    ) -> Mapping[TaskName, Mapping[str, Any]]:
        if ref is None:
            return {}
        lender = self._stored(ref)
        if lender.run.pipeline != pipeline:
            raise InvalidInput(f"run {lender.run.id} is of pipeline '{lender.run.pipeline}', not of '{pipeline}'")
        finished = {key.task: task.outputs for key, task in lender.tasks.items() if task.state is TaskState.SUCCESS}
        return {name: outputs for name, outputs in finished.items() if name in left_out}

    @needs(Role.OPERATOR)
    def drive(self, run: RunId, watch: Callable[[LiveRun], None] | None = None) -> Run:
        """Carry a run to its end here; returns it as it ended."""
        return self._here().drive(run, watch)


def _task(tasks: Mapping[TaskName, Task], name: str) -> TaskName:
    if TaskName(name) not in tasks:
        raise NotFound(f"there is no task '{name}'", hint=did_you_mean(name, tasks))
    return TaskName(name)


def _dates(timing: Schedule | None, when: date | datetime | None, now: datetime) -> RunDates:
    if isinstance(when, datetime) or when is None:
        return schedule.for_instant(timing, when or now)
    return schedule.for_date(timing, when)
