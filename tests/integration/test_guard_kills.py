"""`kill -9` of whatever an attempt consists of, with real notebooks: nothing is left, and the log is true."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from guards import PRELUDE, STRAYS, end_by_force, left_behind, start_order, stop_order
from making import eventually, kill, write_notebook
from proc import children_of, environment_of, freeze, open_files, parent_of, state_of

from nbflow.codec import to_json
from nbflow.executors import launch
from nbflow.executors.guarded import TRIES
from nbflow.executors.local import LocalExecutor
from nbflow.failpoints import VARIABLE
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, AttemptStarted, StartAttempt
from nbflow.states import AttemptState, Cause
from nbflow.testing.executor_contract import attempt_of, end_of, facts_until_ends, until_started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

READY = "open('ready', 'w').write(str(os.getpid()))"
ALL_STRAYS = "\n".join(
    [
        "import os; MARK = os.environ['NBFLOW_ATTEMPT_TOKEN']",
        PRELUDE,
        *(textwrap.dedent(stray) for stray in STRAYS.values()),
        READY,
        "time.sleep(600)",
    ]
)
HOLDS_THE_GIL = f"import ctypes, os; {READY}; ctypes.PyDLL(None).sleep(600)"
SLEEPS = f"import os, time; {READY}; time.sleep(600)"
ENDS = "import subprocess; subprocess.Popen(['sleep', '150'], start_new_session=True); print('done')"


class Place:
    """A project with one frozen notebook, and the attempts made of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder.resolve()
        self.executors: list[LocalExecutor] = []
        self.orders: list[StartAttempt] = []

    def executor(self, *, lifeline: bool = False) -> LocalExecutor:
        made = LocalExecutor(
            outputs=self.path / "runs", frozen=self.path / "frozen", project=self.path, lifeline=lifeline, slots=2
        )
        self.executors.append(made)
        return made

    def order(self, *cells: str) -> StartAttempt:
        """The notebook works in the project's folder, and its last cell is never reached unless all others end."""
        path = write_notebook(self.path / "frozen" / "notebook.ipynb", *cells, "print('reached')")
        self.orders.append(start_order(path, folder=self.path))
        return self.orders[-1]

    def folder(self, order: StartAttempt) -> AttemptFolder:
        return AttemptFolder(self.path / "runs" / order.pipeline / order.attempt)

    def running(self, *cells: str, lifeline: bool = False) -> tuple[LocalExecutor, StartAttempt]:
        """An attempt whose first cell has done all it shall do before it waits."""
        executor, order = self.executor(lifeline=lifeline), self.order(*cells)
        executor.start(order)
        self.kernel()
        assert isinstance(until_started(executor), AttemptStarted)
        return executor, order

    def kernel(self) -> int:
        ready = self.path / "ready"
        return int(eventually(lambda: ready.exists() and ready.read_text()))

    def guard(self, order: StartAttempt) -> int:
        return int(eventually(lambda: self.folder(order).begun())["pid"])

    def runner(self, order: StartAttempt) -> int:
        """The parent of the kernel."""
        runner = parent_of(self.kernel())
        assert runner is not None
        return runner

    def assert_nothing_is_left(self, order: StartAttempt) -> None:
        assert left_behind(self.folder(order)) == []
        assert not self.folder(order).is_locked

    def assert_log_is_true(self, order: StartAttempt, ended: AttemptEnded) -> None:
        """The cell that ran has the cause, and what was not reached is not shown as done."""
        log = nbformat.read(self.folder(order).notebook, as_version=4)
        nbformat.validate(log)
        told = states_of(log)
        assert told[3] == "not_run"
        assert "reached" not in str(log.cells[-1].get("outputs"))
        if ended.failing_cell is not None:
            assert told[ended.failing_cell] == "failed"
        assert self.folder(order).outcome() == ended

    def close(self) -> None:
        for executor in self.executors:
            executor.close()
        for order in self.orders:
            end_by_force(self.folder(order))


def states_of(log) -> dict[int, str]:
    about = [cell.metadata.nbflow for cell in log.cells if cell.cell_type == "code"]
    return {each.cell: each.state for each in about}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


# --- one process of it is killed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [ALL_STRAYS, HOLDS_THE_GIL], ids=["strays", "holding the GIL"])
@pytest.mark.parametrize("victim", ["guard", "runner", "guard and runner", "kernel"])
def test_whatever_dies_takes_everything_along(place, victim, cell):
    executor, order = place.running(cell)
    match victim:
        case "guard":
            kill(place.guard(order))
        case "runner":
            kill(place.runner(order))
        case "guard and runner":
            os.killpg(place.guard(order), signal.SIGKILL)
        case "kernel":
            kill(place.kernel())
    ended = end_of(executor)
    place.assert_nothing_is_left(order)
    place.assert_log_is_true(order, ended)
    assert ended.failing_cell == 2
    if victim == "kernel":
        assert (ended.state, ended.cause, ended.signal) == (AttemptState.FAILED, Cause.KERNEL_DIED, 9)
    else:
        assert (ended.state, ended.cause) == (AttemptState.LOST, Cause.LOST)


COMMAND = """
import json, os, subprocess, sys, time
from pathlib import Path
from nbflow.codec import from_json
from nbflow.executors.local import LocalExecutor
from nbflow.run import StartAttempt
place, lifeline = Path(sys.argv[1]), sys.argv[2] == "foreground"
made = LocalExecutor(outputs=place / "runs", frozen=place / "frozen", project=place, lifeline=lifeline)
made.start(from_json(StartAttempt, json.loads((place / 'order.json').read_text())))
subprocess.Popen(["sleep", "150"], close_fds=False)  # neither may keep the lifeline open
if os.fork() == 0:
    time.sleep(150)
while True:
    made.wait(60)
    made.poll()
"""


@contextlib.contextmanager
def command(place: Place, order: StartAttempt, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with an executor, and with children that have nothing to do with it."""
    (place.path / "order.json").write_text(json.dumps(to_json(order)))
    running = subprocess.Popen([sys.executable, "-c", COMMAND, str(place.path), kind], start_new_session=True)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def test_a_killed_foreground_command_takes_its_attempts_along(place):
    order = place.order(ALL_STRAYS)
    with command(place, order, "foreground") as running:
        place.kernel()
        kill(running.pid)
        eventually(lambda: not left_behind(place.folder(order)) and not place.folder(order).is_locked)
        ended = place.folder(order).outcome()
    assert ended is not None
    assert (ended.state, ended.reason) == (AttemptState.LOST, "the command that ran it is gone")
    place.assert_log_is_true(order, ended)


def test_a_killed_scheduler_leaves_its_attempts_running(place):
    order = place.order(SLEEPS)
    with command(place, order, "scheduler") as running:
        place.kernel()
        kill(running.pid)
        running.wait()
    executor = place.executor()
    executor.adopt([attempt_of(order)], order.pipeline)
    assert isinstance(until_started(executor), AttemptStarted)
    assert list(executor.poll()) == []
    executor.stop(stop_order(order))
    ended = end_of(executor)
    assert (ended.state, ended.cause) == (AttemptState.CANCELLED, Cause.CANCELLED)
    place.assert_nothing_is_left(order)
    place.assert_log_is_true(order, ended)


def test_when_all_are_killed_at_once_the_next_to_adopt_ends_the_rest(place):
    order = place.order(ALL_STRAYS)
    with command(place, order, "foreground") as running:
        place.kernel()
        for victim in (running.pid, place.guard(order), place.runner(order)):
            freeze(victim)  # so that none can act on the death of another
        guard, runner = place.guard(order), place.runner(order)
        for victim in (guard, runner, running.pid):
            kill(victim)
        running.wait()
        assert left_behind(place.folder(order)) != []
        executor = place.executor()
        executor.adopt([attempt_of(order)], order.pipeline)
        ended = end_of(executor)
    assert (ended.state, ended.cause) == (AttemptState.LOST, Cause.LOST)
    place.assert_nothing_is_left(order)
    place.assert_log_is_true(order, ended)


def test_where_the_folder_of_a_running_attempt_is_away_it_is_lost_only_once_its_processes_are_ended(place):
    first, order = place.running(SLEEPS)
    first.close()
    away = place.path / "runs.away"
    (place.path / "runs").rename(away)
    executor = place.executor()
    executor.adopt([attempt_of(order)], order.pipeline)
    ended = end_of(executor)
    assert left_behind(AttemptFolder(away / order.pipeline / order.attempt)) == []
    assert (ended.state, ended.reason) == (AttemptState.LOST, "it left no result, and its folder is not there")
    away.rename(place.path / "runs")


def test_a_folder_that_cannot_be_looked_into_now_is_waited_for(place, monkeypatch):
    first, order = place.executor(), place.order("1 + 1")
    first.start(order)
    end_of(first)
    second = place.executor()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", unreachable)
        patched.setattr(Path, "read_text", unreachable)
        second.adopt([attempt_of(order)], order.pipeline)
        assert list(second.poll()) == []
    assert end_of(second).state is AttemptState.SUCCESS


def unreachable(path, *args, **options):
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))


# --- failpoints ---------------------------------------------------------------------------------------------------

GUARD = ["locked", "begun", "forked", "runner_ended", "swept", "sealed", "done"]
RUNNER = ["started", "kernel_started", "cell_start", "cell_end", "before_outcome", "after_outcome", "parted"]
AFTER_OUTCOME = (
    *("runner.after_outcome", "runner.parted"),
    *("guard.runner_ended", "guard.swept", "guard.sealed", "guard.done"),
)
POINTS = [
    *(f"guard.{name}" for name in GUARD),
    *(f"runner.{name}" for name in RUNNER),
    "guard.forked:group",
    "runner.cell_start:group",
    "runner.before_outcome:group",
    "runner.after_outcome:parent",
    "runner.after_outcome:group",
    "runner.parted:parent",
    "runner.parted:group",
]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point(place, monkeypatch, point):
    executor, order = place.executor(), place.order(ENDS)
    monkeypatch.setenv(VARIABLE, point)
    executor.start(order)
    ended = end_of(executor)
    place.assert_nothing_is_left(order)
    has_outcome = point.startswith(AFTER_OUTCOME)
    assert ended.state is (AttemptState.SUCCESS if has_outcome else AttemptState.LOST)
    log = nbformat.read(place.folder(order).notebook, as_version=4)
    assert log.cells[0].source.startswith("**Lost**") is not has_outcome
    reached_all = has_outcome or point.startswith("runner.before_outcome")
    assert (set(states_of(log).values()) == {"success"}) is reached_all


def test_an_attempt_that_never_began_is_not_reported_as_started(place, monkeypatch):
    executor, order = place.executor(), place.order(ENDS)
    monkeypatch.setenv(VARIABLE, "guard.locked")
    executor.start(order)
    (ended,) = facts_until_ends(executor)
    assert isinstance(ended, AttemptEnded)
    assert ended.state is AttemptState.LOST


# --- what is unusual ----------------------------------------------------------------------------------------------


def test_a_guard_that_dies_before_it_begins_is_replaced(place, monkeypatch):
    executor, order = place.executor(), place.order("1 + 1")
    monkeypatch.setenv(VARIABLE, "guard.locked")
    executor.start(order)
    monkeypatch.delenv(VARIABLE)
    guarded = executor._held[order.attempt]
    assert end_of(executor).state is AttemptState.SUCCESS
    assert guarded.starts_left == TRIES - 2


def test_no_grace_kills_at_once_and_leaves_a_true_log(place):
    executor, order = place.running(HOLDS_THE_GIL)
    executor.stop(stop_order(order, grace=0))
    ended = end_of(executor)
    assert (ended.state, ended.cause, ended.failing_cell) == (AttemptState.CANCELLED, Cause.CANCELLED, 2)
    place.assert_nothing_is_left(order)
    place.assert_log_is_true(order, ended)


def test_an_adopted_attempt_whose_outcome_came_before_the_kill_keeps_it_and_is_swept(place, monkeypatch):
    first, order = place.executor(), place.order(ENDS)
    monkeypatch.setenv(VARIABLE, "runner.after_outcome:group")
    first.start(order)
    folder = place.folder(order)
    eventually(lambda: folder.has_ended and not folder.is_locked)
    monkeypatch.delenv(VARIABLE)
    assert left_behind(folder) != []
    second = place.executor()
    second.adopt([attempt_of(order)], order.pipeline)
    assert end_of(second).state is AttemptState.SUCCESS
    place.assert_nothing_is_left(order)


@pytest.mark.parametrize("damage", ["", "{", "[]", "7", '{"state": "success"}', "\x00"])
def test_an_outcome_that_cannot_be_read_is_a_lost_attempt(place, damage):
    executor, order = place.running(SLEEPS)
    (place.folder(order).path / "outcome.json").write_text(damage)
    kill(place.runner(order))
    ended = end_of(executor)
    assert (ended.state, ended.cause, ended.token) == (AttemptState.LOST, Cause.LOST, order.token)
    assert ended.reason.startswith("its result cannot be read: ")
    place.assert_nothing_is_left(order)


def test_an_outcome_that_cannot_be_written_is_a_lost_attempt(place):
    executor, order = place.running(SLEEPS)
    folder = place.folder(order)
    kill_and_block(folder, place.runner(order))
    ended = end_of(executor)
    assert (ended.state, ended.cause) == (AttemptState.LOST, Cause.LOST)
    assert ended.reason == "it left no result, and its log could not be completed"
    place.assert_nothing_is_left(order)


def kill_and_block(folder: AttemptFolder, runner: int) -> None:
    """Like a full disk: the log can be written no more."""
    freeze(runner)
    folder.notebook.unlink(missing_ok=True)
    folder.notebook.mkdir()
    kill(runner)


def test_an_order_that_cannot_be_read_is_a_lost_attempt(place):
    first, order = place.executor(), place.order(SLEEPS)
    folder = place.folder(order)
    assert folder.prepare(order, place.path / "frozen" / "notebook.ipynb")
    (folder.path / "order.json").write_text("{")
    first.adopt([attempt_of(order)], order.pipeline)
    ended = end_of(first)
    assert (ended.state, ended.cause, ended.token) == (AttemptState.LOST, Cause.LOST, order.token)
    (folder.path / "order.json").unlink()


def test_no_process_to_be_had_is_a_storage_failure(place, monkeypatch):
    executor, order = place.executor(), place.order(SLEEPS)
    monkeypatch.setattr(launch, "command", lambda folder, *options: ["/nowhere/python"])
    executor.start(order)
    ended = end_of(executor)
    assert (ended.state, ended.cause) == (AttemptState.FAILED, Cause.STORAGE)
    assert "/nowhere/python" in ended.reason
    assert executor.free_slots() == 2


def test_guards_leave_no_zombies_and_no_descriptors(place):
    executor, order = place.executor(lifeline=True), place.order("1 + 1")
    gc.collect()  # what other tests left is not closed meanwhile
    before, elder = open_files(os.getpid()), children_of(os.getpid())  # other tests may have left some
    executor.start(order)
    assert [type(fact) for fact in facts_until_ends(executor)] == [AttemptStarted, AttemptEnded]
    assert open_files(os.getpid()) == before
    assert [pid for pid in children_of(os.getpid()) if pid not in elder and state_of(pid) == "Z"] == []


def test_the_guard_has_a_session_of_its_own_no_input_and_the_folders_log(place):
    executor, order = place.running(SLEEPS)
    guard = place.guard(order)
    assert os.getsid(guard) == guard
    assert Path(f"/proc/{guard}/fd/0").readlink() == Path("/dev/null")
    assert Path(f"/proc/{guard}/fd/1").readlink() == Path(f"/proc/{guard}/fd/2").readlink() == place.folder(order).log
    environment = environment_of(guard).split(b"\0")
    assert f"NBFLOW_PROJECT={place.path}".encode() in environment
    assert open_files(place.kernel()) > 3
    kernels = {link.readlink().name for link in Path(f"/proc/{place.kernel()}/fd").iterdir()}
    assert "lock" not in kernels
    executor.stop(stop_order(order, grace=0))
    end_of(executor)
