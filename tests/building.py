"""Small pipelines and runs for tests of the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nbflow import lifecycle
from nbflow.live import LiveRun
from nbflow.model import AttemptId, DataInterval, FrozenNotebook, Pipeline, Task, TaskKey
from nbflow.run import (
    Asked,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    Decision,
    ErrorInfo,
    Fact,
    MarkRequested,
    Request,
    ResetRequested,
    RunOpened,
    SlotGranted,
    StartAttempt,
)
from nbflow.states import AttemptState, Cause, RunKind, TaskState

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
VALUE_ERROR = ErrorInfo(name="ValueError", message="bad country", bases=("Exception", "BaseException", "object"))


def task(name: str, depends_on: str = "", **keys: Any) -> Task:
    return Task(name=name, notebook=f"{name}.ipynb", depends_on=tuple(depends_on.split()), **keys)


def pipeline(*tasks: Task, **depends_on: str) -> Pipeline:
    """`pipeline(a="", b="a")`: b runs after a."""
    listed = [*tasks, *(task(name, ups) for name, ups in depends_on.items())]
    return Pipeline(name="nightly", tasks={each.name: each for each in listed})


def notebooks(of: Pipeline, sha256: str = "0") -> dict[str, FrozenNotebook]:
    return {
        name: FrozenNotebook(path=each.notebook, folder="/project", sha256=sha256, kernel="python3", cells=3)
        for name, each in of.tasks.items()
    }


def new_run(of: Pipeline, given: Mapping[str, Any] | None = None, run_id: str = "r1", env: Any = None) -> LiveRun:
    run, tasks = lifecycle.plan(
        of,
        notebooks(of),
        run_id=run_id,
        manifest="m",
        given=given or {},
        kind=RunKind.MANUAL,
        run_key=f"manual:{run_id}",
        logical_date=NOW,
        run_date=NOW.date(),
        interval=DataInterval(NOW - timedelta(days=1), NOW),
        now=NOW,
    )
    return LiveRun(run, of, {each.key: each for each in tasks}, env)


class Play:
    """Plays a run step by step: what is told is saved at once, as a perfect store would."""

    def __init__(self, of: Pipeline, given: Mapping[str, Any] | None = None, env: Any = None) -> None:
        self.live = new_run(of, given, env=env)
        self.now = NOW
        self.decisions: list[Decision] = []
        self.tell(RunOpened())

    def tell(self, *facts: Fact) -> Decision:
        decision = lifecycle.advance(self.live, facts, self.now)
        self.live.apply(decision, replace(decision.run, version=self.live.run.version + 1))
        self.decisions.append(decision)
        return decision

    def later(self, **delta: float) -> Decision:
        self.now += timedelta(**delta)
        return self.tell()

    def states(self) -> dict[str, str]:
        return {key.address: str(each.state) for key, each in self.live.tasks.items()}

    def __getitem__(self, name: str) -> Any:
        return self.live.tasks[TaskKey.parse(name)]

    def start(self, *names: str) -> list[StartAttempt]:
        """Grant a slot to each and see it running."""
        orders = []
        for name in names:
            key = TaskKey.parse(name)
            decision = self.tell(SlotGranted(key=key, token=f"token-{name}-{self[name].attempts + 1}"))
            order = next(order for order in decision.orders if isinstance(order, StartAttempt))
            self.tell(AttemptStarted(attempt=order.attempt, token=order.token, at=self.now))
            orders.append(order)
        return orders

    def end(self, name: str, state: AttemptState = AttemptState.SUCCESS, **about: Any) -> Decision:
        attempt = self[name].live
        return self.tell(AttemptEnded(attempt=attempt.id, token=attempt.token, at=self.now, state=state, **about))

    def succeed(self, *names: str, **outputs: Any) -> None:
        for name in names:
            self.start(name)
            self.end(name, outputs=outputs)

    def fail(self, *names: str, cause: Cause = Cause.ERROR, error: ErrorInfo | None = VALUE_ERROR) -> None:
        for name in names:
            self.start(name)
            self.end(name, AttemptState.FAILED, cause=cause, error=error, failing_cell=3)


def ready(live: LiveRun) -> list[str]:
    return [key.address for _, key in live.ready()]


def states_of(tasks: Iterable[Any]) -> dict[str, TaskState]:
    return {each.key.address: each.state for each in tasks}


def attempt_id(name: str, number: int = 1, run: str = "r1") -> AttemptId:
    return AttemptId(f"{run}/{name}/{number}")


def asked(request: Request, number: int = 7) -> Asked:
    return Asked(id=number, request=request)


def cancel(name: str | None = None) -> Asked:
    return asked(CancelRequested(by="ana", key=TaskKey(name) if name else None))


def reset(*names: str, **about: Any) -> Asked:
    return asked(ResetRequested(by="ana", keys=tuple(TaskKey(name) for name in names), **about))


def mark(name: str, state: TaskState, **about) -> Asked:
    return asked(MarkRequested(by="ana", key=TaskKey(name), state=state, **about))
