"""What an operator does to a run that exists (semantics §6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbflow import params, repair
from nbflow.api.bound import Bound, live_run
from nbflow.api.roles import Role, needs
from nbflow.api.views import RepairView
from nbflow.errors import Conflict, InvalidInput, NotFound, Unavailable, Unclosed
from nbflow.live import LiveRun
from nbflow.model import RunId, TaskKey
from nbflow.run import (
    CancelRequested,
    MarkRequested,
    Request,
    ResetRequested,
    RetryNowRequested,
    Run,
)
from nbflow.states import TaskState

PATIENCE = 60.0
"""Seconds that a command waits for the owner of a run to answer; a living one takes less than one."""


class Actions(Bound):
    """Commands on one run."""

    @needs(Role.OPERATOR)
    def preview_rerun(self, ref: str, request: ResetRequested) -> RepairView:
        """What `rerun` would do. Raises what it would raise."""
        stored = self._stored(ref)
        live = live_run(stored)
        again = repair.to_reset(live, request)
        finished = (key for key, task in live.tasks.items() if task.state.is_terminal and key not in again)
        return RepairView(
            again=again,
            changed=repair.changed_notebooks(live, again, request.notebooks),
            old_params=tuple(finished) if request.params else (),
            has_new_manifest=self._has_new_manifest(stored.run),
        )

    def _has_new_manifest(self, run: Run) -> bool:
        try:
            now = self._workspace.manifest(run.pipeline).text
        except NotFound:  # it is gone, or the run was one of a notebook alone
            return False
        return now != self._store.manifest_text(run.manifest)

    @needs(Role.OPERATOR)
    def repair_request(
        self,
        ref: str,
        *,
        tasks: Sequence[str] = (),
        only: bool = False,
        texts: Mapping[str, str] | None = None,
        frozen: bool = False,
        kill: bool = False,
        note: str = "",
    ) -> ResetRequested:
        """The repair that a person described, with fresh copies of the notebooks unless `frozen`."""
        stored = self._stored(ref)
        live = live_run(stored)
        request = ResetRequested(
            by=self.caller.name,
            keys=tuple(live.get(TaskKey.parse(task)).key for task in tasks),
            only=only,
            params=params.parse_texts(stored.pipeline.params, texts or {}),
            kill=kill,
            note=note,
        )
        params.merge(stored.pipeline.params, {**stored.run.params, **request.params})
        if frozen:
            return request
        again = {key.task: live.tasks[key].notebook for key in repair.to_reset(live, request)}
        try:
            return replace(request, notebooks=self._workspace.refreeze(stored.pipeline, again))
        except InvalidInput as error:  # a notebook that is gone or broken
            error.hint = error.hint or repair.FROZEN_HINT
            raise

    @needs(Role.OPERATOR)
    def rerun(self, ref: str, request: ResetRequested, watch: Callable[[LiveRun], None] | None = None) -> Run:
        """Repair a run, and carry it to its end here unless a live owner does so."""
        return self._order(ref, request, watch)

    @needs(Role.OPERATOR)
    def preview_mark(self, ref: str, task: str, state: TaskState, *, kill: bool = False) -> tuple[TaskKey, ...]:
        """The task runs below that `mark` would let go on. Raises what it would raise."""
        live = live_run(self._stored(ref))
        key = live.get(TaskKey.parse(task)).key
        repair.to_mark(live, MarkRequested(by=self.caller.name, key=key, state=state, kill=kill))
        return repair.reopened(live, key)

    @needs(Role.OPERATOR)
    def mark(
        self,
        ref: str,
        task: str,
        state: TaskState,
        *,
        outputs: Mapping[str, Any] | None = None,
        note: str = "",
        kill: bool = False,
        watch: Callable[[LiveRun], None] | None = None,
    ) -> Run:
        """Set a task run's state by hand; what that sets free runs."""
        request = MarkRequested(
            by=self.caller.name, key=self._key(ref, task), state=state, outputs=outputs or {}, note=note, kill=kill
        )
        return self._order(ref, request, watch)

    @needs(Role.OPERATOR)
    def preview_cancel(self, ref: str, task: str | None = None) -> tuple[TaskKey, ...]:
        """The task runs that `cancel` would stop. Raises what it would raise."""
        live = live_run(self._stored(ref))
        key = live.get(TaskKey.parse(task)).key if task else None
        return repair.to_cancel(live, CancelRequested(by=self.caller.name, key=key))

    @needs(Role.OPERATOR)
    def cancel(self, ref: str, task: str | None = None, *, note: str = "") -> Run:
        """Stop a run or one of its task runs."""
        key = self._key(ref, task) if task else None
        return self._order(ref, CancelRequested(by=self.caller.name, key=key, note=note), None)

    @needs(Role.OPERATOR)
    def retry_now(self, ref: str, task: str, *, note: str = "") -> Run:
        """Start a task run that waits for its retry at once."""
        return self._order(ref, RetryNowRequested(by=self.caller.name, key=self._key(ref, task), note=note), None)

    def _key(self, ref: str, task: str) -> TaskKey:
        """Raises NotFound with the nearest name, before anything is asked of the run's owner."""
        return live_run(self._stored(ref)).get(TaskKey.parse(task)).key

    def _order(self, ref: str, request: Request, watch: Callable[[LiveRun], None] | None) -> Run:
        """Leave the request for the run's owner or the scheduler; where neither lives, carry it out here."""
        run = self._store.find_run(ref)
        if not self._is_looked_after(run):
            self._here()  # refused before anything is left behind
        number = self._store.ask(run, request, now=self._clock.now())
        deadline = time.monotonic() + PATIENCE
        while (answer := self._store.answer(number)) is None:
            if self._is_looked_after(run):
                _wait_until(deadline)
            else:
                self._here().drive(run, watch)
        if answer:
            raise Conflict(answer)
        return self._store.load(run).run

    def _is_looked_after(self, run: RunId) -> bool:
        return self._has_owner(run) or self._has_scheduler()

    @needs(Role.OPERATOR)
    def close_abandoned(self) -> Sequence[RunId]:
        """End the runs whose `nbflow run` is gone. Raises Unclosed where that cannot be written down."""
        now = self._store.now(self._clock.now())
        if all(self._owners.is_alive(lease, now) for lease in self._store.owned() if lease.is_foreground):
            return ()
        try:
            return self._here().close_abandoned()
        except Unavailable as error:
            raise Unclosed(error.message, hint=error.hint) from error


def _wait_until(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise Unavailable(
            "the request was left, but nobody has answered it yet",
            hint="It is carried out when the process that has the run goes on. See nbflow doctor.",
        )
    time.sleep(0.1)
