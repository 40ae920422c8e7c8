"""The contract of executors, on the one with real processes and on the fake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from guards import end_by_force, start_order
from making import write_notebook

from nbflow.executors.local import LocalExecutor
from nbflow.model import AttemptId
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import ErrorInfo, StartAttempt
from nbflow.states import AttemptState, Cause
from nbflow.testing.clock import FakeClock
from nbflow.testing.executor import FakeExecutor, Script
from nbflow.testing.executor_contract import Deed, ExecutorContract

SCRIPTS: dict[Deed, Script] = {
    "report 7": Script(outputs={"rows": 7}),
    "raise ValueError": Script(
        state=AttemptState.FAILED,
        cause=Cause.ERROR,
        error=ErrorInfo(name="ValueError", message="bad country"),
        failing_cell=2,
    ),
    "run long": Script(after=timedelta(days=1)),
    "ignore the stop": Script(after=timedelta(days=1), heeds_stop=False),
    "be impossible to start": Script(can_start=False),
}

CELLS: dict[Deed, str] = {
    "report 7": "from nbflow import task; task.output('rows', 7)",
    "raise ValueError": "raise ValueError('bad country')",
    "run long": "import time; time.sleep(600)",
    "ignore the stop": """
        import time
        while True:
            try:
                time.sleep(600)
            except KeyboardInterrupt:
                pass
    """,
}


class FakeMachine:
    """Attempts in a dict, time in a fake clock."""

    def __init__(self) -> None:
        self._clock = FakeClock()
        self._lives: dict = {}
        self._deeds: dict[AttemptId, Script] = {}

    def executor(self, *, slots: int = 2, lifeline: bool = False) -> FakeExecutor:
        clock = self._clock
        return FakeExecutor(
            clock.now,
            lambda order: self._deeds[order.attempt],
            slots=slots,
            lifeline=lifeline,
            pass_time=clock.advance,
            machine=self._lives,
        )

    def order(self, deed: Deed, task: str = "extract") -> StartAttempt:
        order = start_order(Path("/project/notebook.ipynb"), task=task)
        self._deeds[order.attempt] = SCRIPTS[deed]
        return order


class TestFakeExecutor(ExecutorContract):
    @pytest.fixture
    def machine(self) -> FakeMachine:
        return FakeMachine()


class LocalMachine:
    """A folder on this machine, and its real processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._executors: list[LocalExecutor] = []
        self._orders: list[StartAttempt] = []

    def executor(self, *, slots: int = 2, lifeline: bool = False) -> LocalExecutor:
        outputs, frozen = self._folder / "runs", self._folder / "frozen"
        made = LocalExecutor(outputs=outputs, frozen=frozen, project=self._folder, slots=slots, lifeline=lifeline)
        self._executors.append(made)
        return made

    def order(self, deed: Deed, task: str = "extract") -> StartAttempt:
        path = self._folder / "frozen" / f"{deed.replace(' ', '_')}.ipynb"
        if deed in CELLS:
            write_notebook(path, CELLS[deed])
        order = start_order(path, task=task)
        self._orders.append(order)
        return order

    def close(self) -> None:
        for executor in self._executors:
            executor.close()
        for order in self._orders:
            end_by_force(AttemptFolder(self._folder / "runs" / order.pipeline / order.attempt))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes through /proc")
class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def machine(self, tmp_path: Path) -> Iterator[LocalMachine]:
        made = LocalMachine(tmp_path)
        yield made
        made.close()
