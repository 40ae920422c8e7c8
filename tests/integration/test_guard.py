"""The guard with a stand-in for its runner: whatever dies, no process of the attempt is left, and an outcome is."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from guards import (
    STRAYS,
    ended,
    guarding,
    kernel_is_ready,
    left_behind,
    outcome_of,
    prepared,
    stand_in,
    start_kernel,
    stop_order,
    stray_is_there,
)
from making import eventually, kill
from proc import children_of, state_of

from nbflow.executors import watch, worker
from nbflow.executors.processes import members, this_world
from nbflow.executors.proctable import Marks
from nbflow.executors.worker import Exit
from nbflow.failpoints import VARIABLE
from nbflow.notebooks.folder import AttemptFolder
from nbflow.states import AttemptState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    return prepared(tmp_path)


def succeed(folder: AttemptFolder) -> None:
    folder.end(ended(folder.order()))


def wait_long(folder: AttemptFolder) -> None:
    (folder.path / "runner").write_text(str(os.getpid()))
    time.sleep(600)


def runner_of(folder: AttemptFolder) -> int:
    eventually(lambda: (folder.path / "runner").exists() and (folder.path / "runner").read_text())
    return int((folder.path / "runner").read_text())


def running_a_kernel_with(stray: str):
    def run(folder: AttemptFolder) -> None:
        start_kernel(folder, stray)
        wait_long(folder)

    return run


def marks(folder: AttemptFolder) -> Marks:
    return Marks(folder.order().token, folder.marker)


# --- one start, one end -------------------------------------------------------------------------------------------


def test_the_runners_outcome_is_accepted_and_nothing_is_left(folder, monkeypatch):
    def run(folder: AttemptFolder) -> None:
        start_kernel(folder, STRAYS["own session"])
        eventually(lambda: kernel_is_ready(folder))
        succeed(folder)

    stand_in(monkeypatch, run)
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE
        assert outcome_of(folder)["state"] == "success"
        assert left_behind(folder) == []
        assert not folder.is_locked


def test_status_has_a_word_at_the_begin_and_one_at_the_end_then_its_end_of_file(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    with guarding(folder) as guard:
        assert os.read(guard.status, 9) == worker.BEGUN
        assert folder.is_locked
        kill(runner_of(folder))
        assert os.read(guard.status, 9) == worker.DONE
        assert folder.has_ended
        assert os.read(guard.status, 9) == b""
        assert guard.wait() == Exit.DONE


def test_the_guard_says_who_it_is(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    before = datetime.now(UTC)
    with guarding(folder) as guard:
        runner_of(folder)
        who = folder.begun()
        assert (who["pid"], who["world"]) == (guard.pid, this_world())
        assert before <= datetime.fromisoformat(who["at"]) <= datetime.now(UTC)


def test_a_second_guard_leaves_a_running_attempt_alone(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    with guarding(folder) as first, guarding(folder) as second:
        runner = runner_of(folder)
        held = [guard for guard in (first, second) if guard.pid != folder.begun()["pid"]]
        assert [guard.wait() for guard in held] == [Exit.HELD]
        assert runner_of(folder) == runner
        assert not folder.has_ended


def test_an_attempt_that_was_begun_never_starts_again(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    folder.begin()
    with guarding(folder) as guard:
        assert guard.wait() == Exit.BEGUN
    assert not (folder.path / "runner").exists()
    assert not folder.has_ended


def test_whoever_tests_the_lock_for_a_moment_keeps_no_guard_from_it(folder, monkeypatch):
    (told, tells), (hears, go_on) = os.pipe(), os.pipe()

    def pause(_: float) -> None:
        """Between two tries of the guard: as long as it takes until the lock is let go of."""
        os.write(tells, b"+")
        os.read(hears, 1)

    stand_in(monkeypatch, succeed)
    monkeypatch.setattr(worker, "time", SimpleNamespace(sleep=pause))
    held = folder.lock()
    with guarding(folder) as guard:
        assert os.read(told, 1) == b"+"
        fcntl.flock(held, fcntl.LOCK_UN)
        os.write(go_on, b"+")
        assert guard.wait() == Exit.DONE
    for descriptor in (held, told, tells, hears, go_on):
        os.close(descriptor)


def test_a_stop_that_came_first_keeps_the_runner_from_starting(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    folder.ask_to_stop(stop_order(folder.order()))
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["reason"] == "stopped before it started"
    assert not (folder.path / "runner").exists()


def test_a_runner_that_raises_leaves_a_lost_attempt_and_its_traceback(folder, monkeypatch):
    def run(folder: AttemptFolder) -> None:
        raise OSError("no space left")

    stand_in(monkeypatch, run)
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["reason"] == "its runner ended with exit code 1 and left no result"
    assert "OSError: no space left" in folder.log.read_text()


def test_an_outcome_that_cannot_be_written_is_said_by_the_exit_code(folder, monkeypatch):
    def seal(folder: AttemptFolder, reason: str) -> None:
        raise OSError("no space left")

    stand_in(monkeypatch, wait_long)
    monkeypatch.setattr(worker, "_seal", seal)
    with guarding(folder) as guard:
        kill(runner_of(folder))
        assert guard.wait() == Exit.UNSEALED
        assert left_behind(folder) == []


def test_signals_reach_the_runner_as_if_nobody_had_touched_them(folder, monkeypatch):
    def run(folder: AttemptFolder) -> None:
        os.kill(os.getpid(), signal.SIGINT)  # has no effect, and is not ignored either: a kernel must get it
        subprocess.run([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"], check=False)
        text = subprocess.run(["grep", "Sig", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
        (folder.path / "signals").write_text(text)
        succeed(folder)

    stand_in(monkeypatch, run)
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE
    masks = dict(line.split() for line in (folder.path / "signals").read_text().splitlines())
    watched = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGCHLD - 1)
    assert int(masks["SigBlk:"], 16) & watched == 0
    assert int(masks["SigIgn:"], 16) & watched == 0


# --- nothing is left ----------------------------------------------------------------------------------------------


def test_nobody_is_searched_where_the_runner_knows_of_nothing_and_the_guard_has_no_child(folder, monkeypatch):
    def run(folder: AttemptFolder) -> bool:
        succeed(folder)
        return True

    def search(*_: object, **__: object) -> bool:
        raise AssertionError("searched")

    stand_in(monkeypatch, run)
    monkeypatch.setattr(worker, "end_all", search)
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE


def test_nobody_waits_for_a_runner_that_has_said_its_last_word_but_the_guard(folder, monkeypatch):
    def stop_at_the_end(name: str) -> None:
        if name == "runner.parted":
            os.kill(os.getpid(), signal.SIGSTOP)

    def run(folder: AttemptFolder) -> bool:
        (folder.path / "runner").write_text(str(os.getpid()))
        succeed(folder)
        return True

    stand_in(monkeypatch, run)
    monkeypatch.setattr(worker, "failpoint", stop_at_the_end)
    with guarding(folder) as guard:
        assert os.read(guard.status, 9) == worker.BEGUN
        assert os.read(guard.status, 9) == worker.DONE
        runner = runner_of(folder)
        eventually(lambda: state_of(runner) == "T")
        eventually(lambda: state_of(guard.pid) == "S")  # its end would be a reason to replace it
        os.kill(runner, signal.SIGCONT)
        assert os.read(guard.status, 9) == b""
        assert guard.wait() == Exit.DONE


@pytest.mark.parametrize("stray", ["child", "daemon"])
def test_what_a_runner_does_not_know_of_is_ended_all_the_same(folder, monkeypatch, stray):
    def run(folder: AttemptFolder) -> bool:
        start_kernel(folder, STRAYS[stray])
        eventually(lambda: kernel_is_ready(folder))
        succeed(folder)
        return True

    stand_in(monkeypatch, run)
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE
        assert left_behind(folder) == []


@pytest.mark.parametrize("stray", STRAYS)
def test_a_killed_runner_takes_everything_along(folder, monkeypatch, stray):
    stand_in(monkeypatch, running_a_kernel_with(STRAYS[stray]))
    with guarding(folder) as guard:
        eventually(lambda: stray_is_there(folder))
        kill(runner_of(folder))
        assert guard.wait() == Exit.DONE
        assert left_behind(folder) == []
    assert outcome_of(folder)["state"] == "lost"
    assert outcome_of(folder)["reason"] == "its runner was killed by signal 9"


@pytest.mark.parametrize("stray", STRAYS)
def test_an_attempt_without_guard_and_runner_is_ended_by_the_next_to_look(folder, monkeypatch, stray):
    """The kernel and what it started are orphans of init then: only their marks tell whose they are."""
    stand_in(monkeypatch, running_a_kernel_with(STRAYS[stray]))
    with guarding(folder) as guard:
        eventually(lambda: stray_is_there(folder))
        os.killpg(guard.pid, signal.SIGKILL)
        assert guard.wait() == -signal.SIGKILL
        eventually(lambda: not folder.is_locked)
        assert left_behind(folder) != []
        assert close_in_child(folder) == Exit.DONE
        assert left_behind(folder) == []
    assert outcome_of(folder)["reason"] == "its guard and its runner were gone, and had left no result"


def close_in_child(folder: AttemptFolder) -> int:
    """`worker.close`, in a process of its own, because it ends by letting the system free its lock."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os._exit(worker.close(folder.path))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_runner_without_guard_that_cannot_start_another_ends_all_the_same(folder, monkeypatch):
    stand_in(monkeypatch, running_a_kernel_with(STRAYS["clean"]))
    monkeypatch.setattr(worker, "command", lambda folder, *options: ["/nowhere/python"])
    with guarding(folder) as guard:
        eventually(lambda: stray_is_there(folder))
        kill(guard.pid)
        assert guard.wait() == -signal.SIGKILL
        eventually(lambda: not left_behind(folder) and not folder.is_locked)
    assert not folder.has_ended


def test_a_closed_attempt_is_never_begun(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    assert close_in_child(folder) == Exit.DONE
    with guarding(folder) as guard:
        assert guard.wait() == Exit.BEGUN
    assert not (folder.path / "runner").exists()


def test_a_held_attempt_is_not_closed(folder, monkeypatch):
    stand_in(monkeypatch, wait_long)
    with guarding(folder):
        runner = runner_of(folder)
        assert close_in_child(folder) == Exit.HELD
        assert Path(f"/proc/{runner}").exists()
        assert not folder.has_ended


def test_the_end_of_the_lifeline_ends_everything_at_once(folder, monkeypatch):
    stand_in(monkeypatch, running_a_kernel_with(STRAYS["clean"]))
    with guarding(folder) as guard:
        eventually(lambda: kernel_is_ready(folder))
        os.dup2(os.open(os.devnull, os.O_RDONLY), guard.lifeline)
        assert guard.wait() == Exit.DONE
        assert left_behind(folder) == []
    assert outcome_of(folder)["reason"] == "the command that ran it is gone"


def test_the_marker_counts_only_for_those_who_may_write_it(folder):
    folder.marker.touch()
    reader = subprocess.Popen(["tail", "-f", folder.marker], stdout=subprocess.DEVNULL)
    with folder.marker.open("a") as marker:
        writer = subprocess.Popen(["sleep", "150"], stdout=marker, env={})
    try:
        eventually(lambda: members(marks(folder)))
        assert members(marks(folder)) == {writer.pid}
    finally:
        for process in (reader, writer):
            process.kill()
            process.wait()


def test_orphans_that_end_while_the_notebook_runs_leave_no_zombies(folder, monkeypatch):
    def run(folder: AttemptFolder) -> None:
        for _ in range(5):
            subprocess.run([sys.executable, "-S", "-c", "import os\nif os.fork() == 0: os.setsid()"], check=True)
        wait_long(folder)

    stand_in(monkeypatch, run)
    with guarding(folder) as guard:
        runner_of(folder)
        eventually(lambda: children_of(guard.pid) == [runner_of(folder)])


# --- stopping -----------------------------------------------------------------------------------------------------


def stoppable(folder: AttemptFolder) -> None:
    """A runner that heeds its stop order."""

    def stop(*_: object) -> None:
        folder.end(ended(folder.order(), AttemptState.CANCELLED, reason=f"by {folder.stop_order().by}"))
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    wait_long(folder)


def deaf(folder: AttemptFolder) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_long(folder)


def test_sigterm_is_passed_on_with_the_order(folder, monkeypatch):
    stand_in(monkeypatch, stoppable)
    with guarding(folder) as guard:
        runner_of(folder)
        folder.ask_to_stop(stop_order(folder.order()))
        os.kill(guard.pid, signal.SIGTERM)
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["reason"] == "by ana"


def test_a_runner_that_does_not_stop_in_time_is_killed(folder, monkeypatch):
    stand_in(monkeypatch, deaf)
    monkeypatch.setattr(watch, "MARGIN", 0.1)
    with guarding(folder) as guard:
        runner_of(folder)
        folder.ask_to_stop(stop_order(folder.order(), grace=0.1))
        os.kill(guard.pid, signal.SIGTERM)
        assert guard.wait() == Exit.DONE
        assert left_behind(folder) == []
    assert outcome_of(folder)["reason"] == "its runner did not stop in time"


def has_heard(pid: int) -> bool:
    """No signal is on its way to the process, and it waits for what comes next; or it is gone."""
    try:
        about = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return True
    is_told = int(about["SigPnd"], 16) | int(about["ShdPnd"], 16)
    return not is_told and about["State"].split()[0] in "SZ"


def test_a_later_stop_may_have_a_shorter_grace_but_never_a_longer_one(folder, monkeypatch):
    stand_in(monkeypatch, deaf)
    monkeypatch.setattr(watch, "MARGIN", 0.1)
    with guarding(folder) as guard:
        runner_of(folder)
        for grace in (600, 0.2, 600):
            folder.ask_to_stop(stop_order(folder.order(), grace=grace))
            os.kill(guard.pid, signal.SIGTERM)
            eventually(lambda: has_heard(guard.pid))
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["reason"] == "its runner did not stop in time"


def test_sigterm_without_an_order_ends_everything_soon(folder, monkeypatch):
    stand_in(monkeypatch, deaf)
    monkeypatch.setattr(watch, "MARGIN", 0.1)
    with guarding(folder) as guard:
        runner_of(folder)
        os.kill(guard.pid, signal.SIGTERM)
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["state"] == "lost"
    assert outcome_of(folder)["reason"] == "its runner did not stop in time"


def test_sigint_does_nothing(folder, monkeypatch):
    stand_in(monkeypatch, stoppable)
    with guarding(folder) as guard:
        runner_of(folder)
        os.killpg(guard.pid, signal.SIGINT)
        folder.ask_to_stop(stop_order(folder.order()))
        os.kill(guard.pid, signal.SIGTERM)
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["state"] == "cancelled"


# --- failpoints ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["guard.locked", "guard.begun", "guard.forked", "guard.runner_ended", "guard.swept"])
def test_the_guard_can_be_killed_at_every_point(folder, monkeypatch, point):
    stand_in(monkeypatch, succeed)
    monkeypatch.setenv(VARIABLE, f"{point}:group")
    with guarding(folder) as guard:
        assert guard.wait() == -signal.SIGKILL
        monkeypatch.delenv(VARIABLE)
        eventually(lambda: not folder.is_locked)
        assert close_in_child(folder) == Exit.DONE
        assert left_behind(folder) == []
    if point in {"guard.locked", "guard.begun"}:
        assert outcome_of(folder)["state"] == "lost"


def test_a_runner_killed_before_its_first_step_is_lost(folder, monkeypatch):
    stand_in(monkeypatch, succeed)
    monkeypatch.setenv(VARIABLE, "runner.started")
    with guarding(folder) as guard:
        assert guard.wait() == Exit.DONE
    assert outcome_of(folder)["reason"] == "its runner was killed by signal 9"


def test_a_long_grace_survives_json(folder):
    folder.ask_to_stop(stop_order(folder.order(), grace=600))
    assert folder.stop_order().grace == timedelta(minutes=10)
