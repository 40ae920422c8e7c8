"""Attempts as processes of this machine, each behind a guard. Decides nothing; the attempt folders are its memory."""

from __future__ import annotations

import os
import selectors
import sys
import time
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from nbflow.executors.cores import cores
from nbflow.executors.guarded import Guarded
from nbflow.executors.launch import Warm
from nbflow.executors.processes import is_this_start
from nbflow.failpoints import failpoint
from nbflow.model import AttemptId, PipelineName
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import Attempt, AttemptEnded, AttemptStarted, StartAttempt, StopAttempt
from nbflow.states import AttemptState, Cause

GLANCE = 0.1
"""Seconds between two looks at an attempt that no event tells of: one that another engine started."""

PATIENCE = 15.0
"""Seconds that `close` waits for foreground runners to end (semantics §9)."""


class LocalExecutor:
    """Runs up to `slots` attempts at once, each in its folder `outputs/<pipeline>/<attempt>`.

    `frozen` has the frozen notebooks, `<sha256>.ipynb`. With `lifeline` (a foreground command) all attempts end when
    this process ends, however it ends; without it they go on, to be adopted. With `warm`, guards and kernels are forked
    from servers that have done their imports; only Linux can do that.
    """

    def __init__(
        self,
        *,
        outputs: Path,
        frozen: Path,
        project: Path,
        slots: int | None = None,
        lifeline: bool = False,
        warm: Warm | None = None,
    ) -> None:
        self._outputs, self._frozen, self._project = outputs.resolve(), frozen.resolve(), project.resolve()
        self._slots = cores() if slots is None else slots
        self._lifeline = _Lifeline() if lifeline else None
        self._held: dict[AttemptId, Guarded] = {}
        self._warm = warm if sys.platform == "linux" else None
        self._news: list[AttemptEnded] = []

    def free_slots(self) -> int:
        return max(0, self._slots - len(self._held))

    def start(self, order: StartAttempt) -> None:
        if order.attempt in self._held:
            return
        guarded = self._guarded(order.attempt, order.token, order.pipeline)
        guarded.lifeline = None if self._lifeline is None else self._lifeline.reading
        try:
            guarded.folder.prepare(order, self._frozen / f"{order.notebook.sha256}.ipynb")
            failpoint("executor.prepared")
            guarded.start()
            failpoint("executor.spawned")
        except OSError as error:
            self._news.append(_not_started(order, error))
        else:
            self._held[order.attempt] = guarded

    def stop(self, order: StopAttempt) -> None:
        if order.attempt in self._held:
            self._held[order.attempt].stop(order)

    def poll(self) -> Sequence[AttemptStarted | AttemptEnded]:
        facts: list[AttemptStarted | AttemptEnded] = [*self._news]
        self._news.clear()
        for guarded in list(self._held.values()):
            facts += guarded.look()
        for fact in facts:
            if isinstance(fact, AttemptEnded):
                self._held.pop(fact.attempt, None)
        return facts

    def wait(self, seconds: float) -> None:
        if self._news:
            return
        events = [guarded.event for guarded in self._held.values()]
        due = [left for guarded in self._held.values() if (left := guarded.start_is_told_in) > 0]
        with selectors.DefaultSelector() as selector:
            for event in events:
                if event is not None:
                    selector.register(event, selectors.EVENT_READ)
            selector.select(min(seconds, GLANCE if None in events else seconds, *due))

    def adopt(self, attempts: Sequence[Attempt], pipeline: PipelineName) -> None:
        for attempt in attempts:
            if attempt.id in self._held:
                continue
            self._held[attempt.id] = self._guarded(attempt.id, attempt.token, pipeline)
            self._held[attempt.id].starts_left = 0

    def began_here(self, attempt: Attempt, pipeline: PipelineName) -> bool:
        who = self._guarded(attempt.id, attempt.token, pipeline).folder.begun() or {}
        return is_this_start(who.get("world", ""))

    def close(self) -> None:
        if self._lifeline is not None:
            self._lifeline.cut()
            deadline = time.monotonic() + PATIENCE
            while any(held.is_alive() for held in self._held.values()) and time.monotonic() < deadline:
                self.wait(GLANCE)
        for guarded in self._held.values():
            guarded.let_go()
        self._held.clear()

    def _guarded(self, attempt: AttemptId, token: str, pipeline: PipelineName) -> Guarded:
        folder = AttemptFolder(self._outputs / pipeline / attempt)
        return Guarded(id=attempt, token=token, folder=folder, project=self._project, warm=self._warm)


def _not_started(order: StartAttempt, error: OSError) -> AttemptEnded:
    return AttemptEnded(
        attempt=order.attempt,
        token=order.token,
        at=datetime.now(UTC),
        state=AttemptState.FAILED,
        cause=Cause.STORAGE,
        reason=f"it could not be started: {error}",
    )


class _Lifeline:
    """A pipe whose writing end lives in this process alone: guards see it close, however this process ends."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()  # closed on exec: only what is named to Popen is inherited
        os.register_at_fork(after_in_child=partial(_cut_if_kept, weakref.ref(self)))

    def cut(self) -> None:
        if self._writing >= 0:
            os.close(self.reading)
            os.close(self._writing)
        self._writing = -1


def _cut_if_kept(reference: weakref.ref[_Lifeline]) -> None:
    lifeline = reference()
    if lifeline is not None:
        lifeline.cut()
