"""Prune 100,000 runs while a scheduler's writes go on: how long it takes, and how long the longest write waits.

Five tasks a run, with an attempt and a change each; folders for 1,000 of the runs. Prints; asserts nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread

from sqlalchemy import Table

from nbflow.attic import FolderAttic
from nbflow.housekeeping import Housekeeper
from nbflow.model import TaskKey, TaskName
from nbflow.retention import Retention
from nbflow.states import AttemptState, RunState
from nbflow.stores.schema import attempts, changes, runs, task_runs
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, TTL, a_frozen, a_run, add, an_attempt, full_change, save

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
TASKS = 5


class NoDefinitions:
    def definitions(self) -> tuple[()]:
        return ()


def fill(store: SqlStore, folder: Path) -> None:
    """A thousand runs one by one, and copies of them in SQL."""
    frozen = a_frozen(*(f"t{at}" for at in range(TASKS)))
    for number in range(1000):
        at = NOW - timedelta(minutes=number)
        name = f"r{number:04}"
        tried = [
            an_attempt(name, f"t{each}", state=AttemptState.SUCCESS, started_at=at, ended_at=at)
            for each in range(TASKS)
        ]
        said = [full_change(name, TaskKey(TaskName(f"t{each}"))) for each in range(TASKS)]
        lease = add(store, a_run(name, frozen, created_at=at), frozen)
        save(store, lease, run={"state": RunState.SUCCESS, "ended_at": at}, attempts=tried, changes=said)
        store.release(lease)
    for copy in range(1, COUNT // 1000):
        with store.database.write() as connection:
            for table in (runs, task_runs, attempts, changes):
                connection.exec_driver_sql(_copy(table, copy))
    for number in range(1000):
        (folder / "runs" / "nightly" / f"r{number:04}-1" / "t0" / "1").mkdir(parents=True)


def _copy(table: Table, copy: int) -> str:
    """Insert the first thousand again, under other names."""
    names = [column.name for column in table.columns if column.name != "seq"]
    renamed = {"id", "run", "run_key", "token"}
    taken = ", ".join(f"\"{name}\" || '-{copy}'" if name in renamed else f'"{name}"' for name in names)
    run = "id" if table is runs else "run"
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table.name} ({columns}) SELECT {taken} FROM {table.name} WHERE \"{run}\" NOT LIKE '%-%'"


def schedule(store: SqlStore, name: str, stop: Event, waits: list[float]) -> None:
    """What a scheduler writes: a decision and the renewal of its leases, ten times a second."""
    frozen = a_frozen("extract")
    lease = add(store, a_run(name, frozen, created_at=NOW + timedelta(days=1)), frozen)
    while not stop.wait(0.1):
        began = time.monotonic()
        save(store, lease, changes=[full_change(name, None)])
        store.renew(lease.engine, now=NOW, ttl=TTL)
        waits.append(time.monotonic() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = SqlStore(f"sqlite:///{folder}/nbflow.db")
        began = time.monotonic()
        fill(store, folder)
        print(f"{COUNT:,} runs of {TASKS} tasks made in {time.monotonic() - began:.0f} s")
        measure(folder, "nothing else", lambda: time.sleep(10))
        measure(folder, "pruning", lambda: print(prune(store, folder)))
        store.close()


def measure(folder: Path, name: str, work: Callable[[], None]) -> None:
    stop, waits = Event(), list[float]()
    ticking = Thread(target=schedule, args=(SqlStore(f"sqlite:///{folder}/nbflow.db"), name, stop, waits))
    began = time.monotonic()
    ticking.start()
    work()
    took = time.monotonic() - began
    stop.set()
    ticking.join()
    p99 = quantiles(waits, n=100)[98] * 1000
    print(
        f"{name}: {took:.0f} s, {len(waits)} writes of a scheduler, "
        f"median {median(waits) * 1000:.1f} ms, p99 {p99:.1f} ms, longest {max(waits) * 1000:.0f} ms"
    )


def prune(store: SqlStore, folder: Path) -> object:
    housekeeper = Housekeeper(
        store=store,
        workspace=NoDefinitions(),
        attic=FolderAttic(folder / "runs", folder / "frozen"),
        keep=Retention(age=timedelta(days=999), count=1000),
        wait=time.sleep,
    )
    return housekeeper.prune(NOW)


if __name__ == "__main__":
    main()
