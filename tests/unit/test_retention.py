"""Which finished runs are removed, and how."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.attic import FolderAttic
from nbflow.failpoints import VARIABLE
from nbflow.housekeeping import NIGHT, Housekeeper, next_night
from nbflow.model import Keep, Pipeline, PipelineName, RunId
from nbflow.ports import Definition
from nbflow.retention import Finished, Retention, expired
from nbflow.states import RunState
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore
from nbflow.testing.samples import NOW, a_frozen, a_run, task_runs

DAY = timedelta(days=1)
GOOD, BAD = RunState.SUCCESS, RunState.FAILED


def ended(*states: RunState, every: timedelta = DAY) -> list[Finished]:
    """Newest first; the first ended now."""
    return [Finished(RunId(f"r{at}"), state, NOW - at * every) for at, state in enumerate(states)]


@pytest.mark.parametrize(
    ("finished", "keep", "gone"),
    [
        (ended(GOOD, GOOD, GOOD, GOOD), Retention(age=1.5 * DAY), ["r3", "r2"]),
        (ended(GOOD, GOOD, GOOD, GOOD), Retention(age=99 * DAY, count=3), ["r3"]),
        (ended(BAD, BAD, BAD, GOOD), Retention(age=1.5 * DAY), ["r2"]),
        (ended(BAD, BAD, BAD, GOOD), Retention(age=99 * DAY, count=1), ["r2", "r1"]),
        (ended(BAD, GOOD, BAD, GOOD), Retention(age=DAY / 2), ["r3", "r2"]),
        ([], Retention(age=DAY), []),
    ],
)
def test_age_and_number_decide_and_the_last_good_run_stays(
    finished: Sequence[Finished], keep: Retention, gone: list[str]
) -> None:
    assert list(expired(finished, keep, NOW)) == gone


@given(
    st.lists(st.sampled_from([GOOD, BAD, RunState.CANCELLED]), max_size=30),
    st.integers(0, 40),
    st.none() | st.integers(1, 40),
)
def test_never_the_last_good_run_nor_one_that_is_to_be_kept(
    states: list[RunState], days: int, count: int | None
) -> None:
    finished = ended(*states)
    gone = set(expired(finished, Retention(age=days * DAY, count=count), NOW))
    good = [each.run for each in finished if each.state is GOOD]
    assert not good or good[0] not in gone
    kept = [each for each in finished if each.run not in gone]
    assert all(each.run not in gone for at, each in enumerate(finished) if at <= days and (count is None or at < count))
    assert count is None or len(kept) <= count + 1


def test_a_manifest_goes_before_the_project() -> None:
    project = Retention(age=180 * DAY, count=500)
    of = Pipeline(name=PipelineName("nightly"), keep=Keep(runs=DAY))
    assert project.of(None) == project
    assert project.of(of) == Retention(age=DAY, count=500)
    assert project.of(replace(of, keep=Keep(count=3))) == Retention(age=180 * DAY, count=3)


def test_the_night_is_the_next_one() -> None:
    after = datetime(2026, 4, 1, 12, tzinfo=UTC)
    night = next_night(after)
    assert after < night <= after + DAY
    assert (night.astimezone().hour, next_night(night) - night) == (NIGHT, DAY)


class NoDefinitions:
    def definitions(self) -> Sequence[Definition]:
        return ()


def a_history(store: DictStore, folder: Path, count: int) -> Path:
    """Runs with folders, a day apart, and a frozen notebook that nothing uses."""
    frozen = a_frozen("extract")
    for at in range(count):
        end = {"state": GOOD, "created_at": NOW - at * DAY, "ended_at": NOW - at * DAY}
        store.add_run(a_run(f"r{at:03}", frozen, **end), task_runs(frozen), frozen, None)
        log = folder / "runs" / "nightly" / f"r{at:03}" / "extract" / "1" / "notebook.ipynb"
        log.parent.mkdir(parents=True)
        log.write_text("{}")
    copies = folder / "frozen"
    copies.mkdir()
    used = frozen.notebooks[next(iter(frozen.notebooks))].sha256
    for name in (used, "unused", "young"):
        (copies / f"{name}.ipynb").write_text("{}")
        if name != "young":
            os.utime(copies / f"{name}.ipynb", (0, 0))
    os.utime(copies / "young.ipynb", (NOW.timestamp(), NOW.timestamp()))
    return copies


def keeper(store: DictStore, folder: Path) -> Housekeeper:
    attic = FolderAttic(folder / "runs", folder / "frozen")
    return Housekeeper(store=store, workspace=NoDefinitions(), attic=attic, keep=Retention(age=50 * DAY))


def test_rows_and_folders_go_together(tmp_path: Path) -> None:
    store = DictStore()
    copies = a_history(store, tmp_path, 100)
    housekeeper = keeper(store, tmp_path)
    preview = housekeeper.preview(NOW)
    assert [len(runs) for runs in preview.values()] == [49]
    removed = housekeeper.prune(NOW)
    assert (removed.runs, removed.notebooks) == (49, 1)
    left = sorted(path.name for path in (tmp_path / "runs" / "nightly").iterdir())
    assert left == sorted(run.id for run in store.list_runs(limit=1000)) == [f"r{at:03}" for at in range(51)]
    assert sorted(path.stem for path in copies.iterdir()) == sorted(
        ["young", *(each.sha256 for each in a_frozen("extract").notebooks.values())]
    )
    assert housekeeper.preview(NOW) == {}


def test_it_ends_between_two_batches_when_it_is_told_to(tmp_path: Path) -> None:
    store = DictStore()
    a_history(store, tmp_path, 100)
    told = iter([False, False, True])
    assert keeper(store, tmp_path).prune(NOW, lambda: next(told)).runs == 40


def test_a_folder_that_cannot_be_removed_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that another user made, as by `sudo nbflow run`."""
    store = DictStore()
    a_history(store, tmp_path, 100)
    foreign, remove = tmp_path / "runs" / "nightly" / "r060", shutil.rmtree

    def refuse(path: Path) -> None:
        if path == foreign:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    removed = keeper(store, tmp_path).prune(NOW)
    assert removed.runs == 49
    assert removed.left == (f"the folder of run r060 cannot be removed: [Errno 13] Permission denied: '{foreign}'",)
    assert len(list(foreign.parent.iterdir())) == 52
    monkeypatch.undo()
    assert keeper(store, tmp_path).prune(NOW).left == ()
    assert not foreign.exists()


def test_no_fault_ends_the_nights_of_a_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that nobody foresaw, nor a clock that was a year ahead when it began."""
    housekeeper, nights = keeper(DictStore(), tmp_path), []
    clock, stop = FakeClock(NOW + 365 * DAY), Event()

    def prune(now: datetime, _: object) -> None:
        nights.append(now)
        if len(nights) == 1:
            raise ZeroDivisionError

    def wait(_: float) -> bool:
        clock.advance(DAY if nights else -365 * DAY)
        return len(nights) == 2

    monkeypatch.setattr(housekeeper, "prune", prune)
    monkeypatch.setattr(stop, "wait", wait)
    housekeeper.work(clock, stop)
    assert nights == [NOW, NOW + DAY]


def test_the_folders_of_one_that_was_killed_go_the_next_time(tmp_path: Path) -> None:
    """Killed between the transaction and the folders."""
    program = f"""
from pathlib import Path
from test_retention import *
from nbflow.stores.sql import SqlStore
folder = Path({str(tmp_path)!r})
store = SqlStore(f"sqlite:///{{folder}}/nbflow.db")
if not (folder / "frozen").exists():
    a_history(store, folder, 100)
print(keeper(store, folder).prune(NOW).runs)
"""
    here = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    run = [sys.executable, "-c", program]
    killed = subprocess.run(
        run, env={**os.environ, "PYTHONPATH": here, VARIABLE: "housekeeping.rows_removed"}, check=False
    )
    assert killed.returncode == -9
    folders = tmp_path / "runs" / "nightly"
    assert len(list(folders.iterdir())) == 100
    again = subprocess.run(run, env={**os.environ, "PYTHONPATH": here}, check=True, capture_output=True, text=True)
    assert again.stdout == "29\n"
    assert len(list(folders.iterdir())) == 51
