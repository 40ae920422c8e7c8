"""What one attempt costs by itself: from the order to the fact that it has ended, its kernel's end included."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guards import start_order
from making import write_notebook
from usage import measuring
from works import NO_OP

from nbflow.executors.launch import Warm
from nbflow.executors.local import LocalExecutor
from nbflow.run import AttemptEnded
from nbflow.states import AttemptState


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one attempt: median and slowest wall seconds, mean CPU seconds of all processes, mean bytes written."""

    wall: float
    slowest: float
    cpu: float
    wrote: int


def cost(warm: Warm | None, times: int, cells: tuple[str, ...] = NO_OP, rest: float = 0.0) -> Cost:
    """Of an attempt through the local executor, one after the other, with so many seconds of rest before each."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        notebook = write_notebook(place / "frozen" / "notebook.ipynb", *cells)
        executor = LocalExecutor(
            outputs=place / "runs", frozen=place / "frozen", project=place, slots=1, lifeline=True, warm=warm
        )

        def attempt(number: int) -> None:
            executor.start(start_order(notebook, folder=place, number=number))
            _until_ended(executor)

        try:
            return _repeated(attempt, times, rest)
        finally:
            executor.close()


def _until_ended(executor: LocalExecutor) -> None:
    while True:
        executor.wait(30)
        for fact in executor.poll():
            if isinstance(fact, AttemptEnded):
                assert fact.state is AttemptState.SUCCESS, fact
                return


def _repeated(attempt: Callable[[int], None], times: int, rest: float) -> Cost:
    for number in (1, 2):  # the servers are up after that
        attempt(number)
    walls = []
    own = time.process_time()
    with measuring() as meter:
        for number in range(3, times + 3):
            time.sleep(rest)
            began = time.perf_counter()
            attempt(number)
            walls.append(time.perf_counter() - began)
    each, own = meter.usage.per(times), (time.process_time() - own) / times
    return Cost(statistics.median(walls), max(walls), each.cpu + own, each.wrote)
