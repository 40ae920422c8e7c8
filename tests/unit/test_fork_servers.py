"""The addresses of fork servers: what makes two of them, and that their files go with them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from making import eventually

from nbflow.notebooks import forkserver, kernelserver, servers, sockets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can fork kernels")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of servers, in place of the user's own."""
    short = tmp_path_factory.mktemp("s")
    monkeypatch.setattr(sockets, "_roots", lambda: (str(short),))
    return sockets.private_folder("servers")


@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_PRELOAD", "LC_ALL", "OMP_NUM_THREADS", "MPLBACKEND", "TZ"])
def test_a_variable_that_acts_at_the_start_makes_another_server(home: Path, name: str) -> None:
    one = servers.address("kernel", ["python"], {"HOME": "/a"})
    assert servers.address("kernel", ["python"], {"HOME": "/b", "RUN_DATE": "2026-04-01"}) == one
    assert servers.address("kernel", ["python"], {"HOME": "/a", name: "x"}) != one
    assert servers.address("kernel", ["python3"], {"HOME": "/a"}) != one


def test_other_processors_or_another_control_group_make_another_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = servers.address("kernel", ["python"], {})
    assert servers.address("kernel", ["python"], {}) == one
    processors, *_ = cores = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*cores} ^ {processors})
    assert servers.address("kernel", ["python"], {}) != one
    monkeypatch.undo()
    here = servers.surroundings()
    assert Path("/proc/self/cgroup").read_text() in here
    assert str(Path("/proc/self/ns/net").readlink()) in here[1]


def test_a_server_that_ends_leaves_no_file(home: Path) -> None:
    command = [sys.executable, kernelserver.__file__, "--idle", "0.1"]
    at = servers.address("kernel", command, {})
    with servers.reach(at, command, dict(os.environ)) as connection:
        connection.sendall(b'{"ping": true}\n')
        connection.settimeout(60)
        assert connection.recv(4096) == b'{"fresh": true}\n'
    eventually(lambda: list(home.iterdir()) == [])


def test_the_files_of_a_killed_server_are_removed_a_day_later(home: Path) -> None:
    old, fresh = home / "kernel-0123456789abcdef", home / "kernel-fedcba9876543210"
    for name in (old, fresh):
        for file in (name, name.with_suffix(".log"), name.with_suffix(".lock")):
            file.touch()
    os.utime(old.with_suffix(".lock"), (0, 0))
    held = servers._hold(home / "kernel-mine")
    servers._forget_the_killed(home / "kernel-mine")
    assert {path.stem for path in home.iterdir()} == {"kernel-fedcba9876543210", "kernel-mine"}
    assert held is not None
    os.close(held)


def test_a_lock_whose_file_was_removed_is_none(home: Path) -> None:
    at = home / "kernel-0"
    held = servers._hold(at)
    assert held is not None
    assert servers._hold(at) is None
    at.with_suffix(".lock").unlink()
    another = servers._hold(at)
    assert another is not None
    os.close(held)
    os.close(another)


def test_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        forkserver._refuse_strangers(one)
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        with pytest.raises(PermissionError):
            forkserver._refuse_strangers(one)


def test_files_that_somebody_may_be_editing_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "being_edited.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("being_edited")
    own = forkserver._own_files()
    assert str(tmp_path / "being_edited.py") in own
    assert not [path for path in own if "site-packages" in path or path == json.__file__]


REAPS = """
import ctypes, os, signal, socket, sys
from nbflow.notebooks.forkserver import ForkServer
from nbflow.notebooks.kernelserver import SUBREAPER
ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
server = ForkServer(socket.socket(socket.AF_UNIX).detach(), os.open(os.devnull, os.O_RDONLY), 1.0)
far, near = socket.socketpair()
gone, alive = os.pipe()
child = os.fork()
if child == 0:
    if sys.argv[1] == "leaves" and os.fork() == 0:
        os.close(alive)
        os.read(gone, 1)
    os._exit(7)
server.children[child] = near
while server.children:
    server._wait(1.0)
    server._reap()
print(far.recv(4096).decode())
"""


@pytest.mark.parametrize(("kind", "orphans"), [("leaves", True), ("leaves nothing", False)])
def test_a_server_tells_whether_a_forked_process_has_left_any(kind: str, orphans: bool) -> None:
    done = subprocess.run([sys.executable, "-c", REAPS, kind], capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    assert (answer["exit"], answer["orphans"]) == (7, orphans)


def test_where_the_system_does_not_tell_who_is_a_child_there_may_be_some(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        assert child.pid in forkserver.children()
        assert min(forkserver.children()) > 0
        monkeypatch.setattr(os, "getpid", lambda: -1)
        assert min(forkserver.children()) <= 0


def test_a_request_that_was_taken_and_the_channel_closed_at_once_is_passed_on() -> None:
    mine, other = socket.socketpair()

    class Quick(socket.socket):
        def sendmsg(self, *message: Any) -> int:
            sent = super().sendmsg(*message)
            assert other.recv(4096) == b'{"env": {}}\n'
            other.close()
            return sent

    with Quick(fileno=mine.detach()) as channel, Path(os.devnull).open() as nothing:
        forkserver.send(channel, {"env": {}}, [nothing.fileno()])
        with pytest.raises(OSError, match="Broken pipe"):
            forkserver.send(channel, {"env": {}}, [nothing.fileno()])


def test_a_process_that_is_forked_copies_ahead_what_a_rehearsal_has_written_to() -> None:
    done = subprocess.run([sys.executable, "-c", COPIES], capture_output=True, text=True, timeout=60, check=True)
    known, failed, faults_of_each_page, faults_of_copied_ones = json.loads(done.stdout)
    assert known
    assert failed == []
    assert faults_of_each_page >= 100 > faults_of_copied_ones


COPIES = """
import json, mmap, os, resource
from nbflow.notebooks.forkserver import PAGE, copy_ahead, pages_of
memory = mmap.mmap(-1, 400 * PAGE, flags=mmap.MAP_PRIVATE)

def write(first):
    for page in range(first, first + 100):
        memory[page * PAGE] += 1

def faults(pages):
    reading, writing = os.pipe()
    if os.fork() == 0:
        copy_ahead(pages)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        write(200)
        os.write(writing, b"%d" % (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
        os._exit(0)
    os.wait()
    return int(os.read(reading, 99))

def fail():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise ValueError

for first in range(0, 400, 100):
    write(first)
pages = pages_of(lambda: write(200))
known = any(len(each) >= 100 for each in pages)
print(json.dumps([known, pages_of(fail), faults([]), faults(pages)]))
"""


ENDS = """
import atexit, ctypes, sys
from nbflow.notebooks.kernelserver import End
end = End()
end.common.update(sys.modules)
import helper
if "extension" in sys.argv:
    import _zoneinfo
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
c.fputs(b"c", ctypes.c_void_p(c.fopen(b"c.txt", b"w")))
atexit.register(print, "handler")
print("end", flush=False)
end.is_orderly = "disorderly" not in sys.argv
sys.exit(0 if end.is_orderly else 7)
"""

HELPER = """
class Noisy:
    def __del__(self, open=open): open("ended.txt", "a").write("ended ")
held = Noisy()
held.me = held
left = open("left.txt", "w")
left.write("left")
"""


@pytest.mark.parametrize(("kind", "code"), [("plain", 0), ("extension", 0), ("disorderly", 7)])
def test_a_kernel_that_ends_takes_apart_what_it_made_and_no_more(tmp_path: Path, kind: str, code: int) -> None:
    (tmp_path / "helper.py").write_text(HELPER)
    program = [sys.executable, "-W", "ignore::ResourceWarning", "-c", ENDS, kind]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "end\nhandler\n", "")
    assert [(tmp_path / name).read_text() for name in ("ended.txt", "left.txt", "c.txt")] == ["ended ", "left", "c"]
