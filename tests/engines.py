"""Engines over a store in dicts, a fake executor and a clock that stands still."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from building import NOW, VALUE_ERROR, notebooks, pipeline

from nbflow import lifecycle
from nbflow.engine import Engine
from nbflow.model import DataInterval, Pipeline, RunId, TaskKey, TaskName
from nbflow.ports import FrozenPipeline, Held
from nbflow.run import StartAttempt
from nbflow.states import AttemptState, Cause, RunKind
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore
from nbflow.testing.executor import FakeExecutor, Script

FAILS = Script(state=AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR, failing_cell=3)
SLOW = Script(after=timedelta(hours=1))
CHAIN = pipeline(a="", b="a", c="b")
KEY_A = TaskKey(TaskName("a"))


class FakeOwners:
    """Everybody is alive but those in `dead`, by whichever of their names."""

    def __init__(self) -> None:
        self.dead: set[str] = set()

    def hold(self, engine: str) -> None:
        self.dead.discard(engine)

    def is_alive(self, held: Held, now: datetime) -> bool:
        return not held.engine.endswith(tuple(self.dead))


class World:
    """One store, one machine, and as many engines as a test needs."""

    def __init__(self, scripts: Any = None, slots: int = 2, pools: dict[str, int] | None = None) -> None:
        self.clock, self.store, self.owners = FakeClock(NOW), DictStore(), FakeOwners()
        self.scripts, self.slots, self.pools = scripts, slots, pools or {}
        self.machine: dict[Any, Any] = {}
        self.executor, self.engine = self.new_engine("first")

    def new_engine(
        self,
        name: str,
        store: Any = None,
        *,
        host: str = "",
        machine: dict[Any, Any] | None = None,
        env: dict[str, str] | None = None,
    ) -> tuple[FakeExecutor, Engine]:
        """By default of the same machine, which goes by the name `host` now."""
        machine = self.machine if machine is None else machine
        executor = FakeExecutor(
            self.clock.now, self.scripts, slots=self.slots, pass_time=self.clock.advance, machine=machine
        )
        engine = Engine(
            name=name,
            store=store or self.store,
            executor=executor,
            clock=self.clock,
            owners=self.owners,
            pools=self.pools,
            host=host,
            env=env,
        )
        return executor, engine

    def add(self, of: Pipeline, run_id: str = "r1") -> RunId:
        now = self.clock.now()
        run, tasks = lifecycle.plan(
            of,
            notebooks(of),
            run_id=RunId(run_id),
            manifest=f"m-{of.name}",
            given={},
            kind=RunKind.MANUAL,
            run_key=f"manual:{run_id}",
            logical_date=now,
            run_date=now.date(),
            interval=DataInterval(now, now),
            now=now,
        )
        frozen = FrozenPipeline(pipeline=of, text=of.name, sha256=f"m-{of.name}", notebooks=notebooks(of))
        assert self.store.add_run(run, tasks, frozen, self.engine.lease(run.id, now))
        return run.id

    def states(self, run: str = "r1") -> dict[str, str]:
        return {key.address: str(each.state) for key, each in self.store.load(RunId(run)).tasks.items()}


def started(executor: FakeExecutor) -> list[str]:
    """The tasks of the attempts that it was told to start, in that order."""
    return [order.key.address for order in executor.orders if isinstance(order, StartAttempt)]
