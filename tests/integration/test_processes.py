"""Both ways to read the table of processes, on real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from making import eventually

from nbflow.executors import processes
from nbflow.executors.portable import Portable
from nbflow.executors.processes import end_all, identify, members, this_world
from nbflow.executors.proctable import TOKEN_VARIABLE, Marks, Process, Table

TABLES: list[Callable[[], Table]] = [Portable]
if sys.platform == "linux":
    from nbflow.executors.procfs import Procfs, has_tag, tag_this_process

    TABLES.append(Procfs)

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
WITH_CHILD = [sys.executable, "-c", f"import subprocess; subprocess.Popen({SLEEP!r}, env={{}}).wait()"]

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True, params=TABLES, ids=lambda table: table.__name__)
def table(request, monkeypatch) -> Table:
    made: Table = request.param()
    monkeypatch.setattr(processes, "TABLE", made)
    return made


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(uuid4().hex, tmp_path.resolve() / "marker")


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def spawn(words: list[str] = SLEEP, **options) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(words, start_new_session=True, **options))
        return started[-1]

    yield spawn
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def with_token(marks: Marks) -> dict[str, str]:
    return {**os.environ, TOKEN_VARIABLE: marks.token}


def test_the_token_in_the_environment_marks_a_process(marks, start):
    marked, _ = start(env=with_token(marks)), start(env={TOKEN_VARIABLE: f"{marks.token}0"})
    eventually(lambda: members(marks) == {marked.pid})


def test_the_marker_held_open_marks_a_process(marks, start):
    with marks.marker.open("a") as marker:
        marked = start(pass_fds=[marker.fileno()], env={})
    eventually(lambda: members(marks) == {marked.pid})


def test_children_of_a_marked_process_belong_to_it(marks, start):
    parent = start(WITH_CHILD, env=with_token(marks))
    eventually(lambda: len(members(marks)) == 2)
    assert end_all(marks)
    assert parent.wait() == -signal.SIGKILL
    assert members(marks) == frozenset()


def test_descendants_are_found_without_a_mark(marks, start):
    child = start(env={})
    eventually(lambda: child.pid in members(marks, below=os.getpid()))
    assert members(marks) == frozenset()


def test_the_callers_group_is_spared_when_one_of_it_is_ended(marks):
    bystander = subprocess.Popen(SLEEP)
    victim = subprocess.Popen(SLEEP, env=with_token(marks))
    eventually(lambda: members(marks) == {victim.pid})
    assert end_all(marks)
    assert victim.wait() == -signal.SIGKILL
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_zombie_is_nobody(marks, start):
    child = start(env=with_token(marks))
    eventually(lambda: members(marks))
    child.kill()
    eventually(lambda: not members(marks))
    assert end_all(marks)
    assert identify(child.pid) is None


def test_only_the_very_process_is_signalled(table, start):
    child = start()
    known = identify(child.pid)
    assert known is not None
    assert not table.send(Process(known.pid, known.since - 1), signal.SIGKILL)
    assert child.poll() is None
    assert table.send(known, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not table.send(known, signal.SIGKILL)


def test_this_world_is_the_same_in_every_process():
    code = "from nbflow.executors.processes import this_world; print(this_world())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert said == this_world()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="there are no handles on processes here")
def test_without_handles_on_processes_they_are_signalled_by_number(marks, start, monkeypatch):
    def refuse(pid: int) -> int:
        raise PermissionError("a strict sandbox")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    child = start(env=with_token(marks))
    eventually(lambda: members(marks))
    assert end_all(marks)
    assert child.wait() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a limit without effect")
def test_the_tag_outlives_everything_that_a_process_can_shed(marks):
    """Environment, descriptors, session, parent: all gone; also through an exec."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        tag_this_process(marks)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writing, str(os.getpid()).encode())
                os.closerange(0, 64)
                os.execve(SLEEP[0], SLEEP, {})
        os._exit(0)
    os.waitpid(pid, 0)
    daemon = int(os.read(reading, 20))
    for descriptor in (reading, writing):
        os.close(descriptor)
    try:
        assert has_tag(daemon, marks)
        assert not has_tag(os.getpid(), marks)
    finally:
        os.kill(daemon, signal.SIGKILL)
