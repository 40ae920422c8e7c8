"""An executor without processes: attempts end as a script says, when the given clock says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from nbflow.model import AttemptId, PipelineName
from nbflow.run import Attempt, AttemptEnded, AttemptStarted, ErrorInfo, StartAttempt, StopAttempt
from nbflow.states import AttemptState, Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What becomes of one attempt: how it ends, and how long after its start."""

    state: AttemptState = AttemptState.SUCCESS
    after: timedelta = timedelta(seconds=1)
    cause: Cause | None = None
    reason: str = ""
    error: ErrorInfo | None = None
    failing_cell: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    heeds_stop: bool = True
    """False: it uses up the grace of every stop order."""
    can_start: bool = True
    """False: the start fails, as on a full disk."""


Scripts = Callable[[StartAttempt], Script] | Mapping[tuple[str, int], Script]
"""A script for each order, or by (task address, attempt number); who is not mentioned succeeds after a second."""


@dataclass(slots=True)
class _Life:
    """An attempt as the machine sees it."""

    token: str
    began_at: datetime
    ends_at: datetime
    script: Script

    def end(self, at: datetime, state: AttemptState, cause: Cause, reason: str) -> None:
        """Let it end another way, unless it ends before."""
        if at < self.ends_at:
            self.ends_at = at
            self.script = replace(
                self.script, state=state, cause=cause, reason=reason, error=None, failing_cell=None, outputs={}
            )

    def ended(self, attempt: AttemptId) -> AttemptEnded:
        script = self.script
        return AttemptEnded(
            attempt=attempt,
            token=self.token,
            at=self.ends_at,
            state=script.state,
            cause=script.cause,
            reason=script.reason,
            error=script.error,
            failing_cell=script.failing_cell,
            outputs=script.outputs,
        )


class FakeExecutor:
    """Keeps the contract of `Executor`, with the time of `now` and no other.

    `pass_time` is what `wait` does: give it a clock's `advance`, or nothing where the test moves the clock itself.
    `machine` is what survives this executor; hand it to another one that shall adopt. `orders` has what was asked for.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        scripts: Scripts | None = None,
        *,
        slots: int = 2,
        pass_time: Callable[[timedelta], object] = lambda _: None,
        machine: dict[AttemptId, _Life] | None = None,
        lifeline: bool = False,
    ) -> None:
        self._now, self._slots, self._pass_time, self._lifeline = now, slots, pass_time, lifeline
        self._scripts = scripts or {}
        self.machine: dict[AttemptId, _Life] = {} if machine is None else machine
        self.orders: list[StartAttempt | StopAttempt] = []
        self._held: dict[AttemptId, bool] = {}
        """Attempts whose end was not reported; True once their start was."""
        self._news: list[AttemptEnded] = []

    def free_slots(self) -> int:
        return max(0, self._slots - len(self._held))

    def start(self, order: StartAttempt) -> None:
        self.orders.append(order)
        if order.attempt in self._held:
            return
        script = self._script(order)
        if script.can_start:
            now = self._now()
            self.machine.setdefault(order.attempt, _Life(order.token, now, now + script.after, script))
            self._held[order.attempt] = False
        else:
            self._refuse(order.attempt, order.token, AttemptState.FAILED, Cause.STORAGE, "it could not be started")

    def stop(self, order: StopAttempt) -> None:
        self.orders.append(order)
        if order.attempt in self._held:
            life = self.machine[order.attempt]
            at = self._now() if life.script.heeds_stop else self._now() + order.grace
            life.end(at, AttemptState.CANCELLED, Cause.CANCELLED, f"cancelled by {order.by}")

    def poll(self) -> Sequence[AttemptStarted | AttemptEnded]:
        facts: list[AttemptStarted | AttemptEnded] = [*self._news]
        self._news.clear()
        for attempt, is_told in list(self._held.items()):
            life = self.machine[attempt]
            if not is_told:
                facts.append(AttemptStarted(attempt=attempt, token=life.token, at=life.began_at))
                self._held[attempt] = True
            if life.ends_at <= self._now():
                facts.append(life.ended(attempt))
                del self._held[attempt]
        return facts

    def wait(self, seconds: float) -> None:
        """Let time pass until the next end, or for `seconds`."""
        end, left = self.next_end(), timedelta(seconds=seconds)
        if end is not None:
            left = max(min(left, end - self._now()), timedelta(0))
        self._pass_time(timedelta(0) if self._news else left)

    def next_end(self) -> datetime | None:
        """When the first of the running attempts ends."""
        return min((self.machine[attempt].ends_at for attempt in self._held), default=None)

    def adopt(self, attempts: Sequence[Attempt], pipeline: PipelineName) -> None:
        for attempt in attempts:
            if attempt.id in self.machine:
                self._held.setdefault(attempt.id, False)
            else:
                self._refuse(attempt.id, attempt.token, AttemptState.LOST, Cause.LOST, "it was never handed over")

    def began_here(self, attempt: Attempt, pipeline: PipelineName) -> bool:
        return attempt.id in self.machine

    def close(self) -> None:
        if self._lifeline:
            for attempt in self._held:
                self.machine[attempt].end(self._now(), AttemptState.LOST, Cause.LOST, "the command that ran it is gone")
        self._held.clear()

    def _script(self, order: StartAttempt) -> Script:
        if callable(self._scripts):
            return self._scripts(order)
        return self._scripts.get((order.key.address, order.number), Script())

    def _refuse(self, attempt: AttemptId, token: str, state: AttemptState, cause: Cause, reason: str) -> None:
        ended = AttemptEnded(attempt=attempt, token=token, at=self._now(), state=state, cause=cause, reason=reason)
        self._news.append(ended)
