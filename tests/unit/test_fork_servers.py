"""The addresses of fork servers: what makes two of them, and that their files go with them."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from making import eventually

from nbflow.notebooks import kernelserver, servers, sockets

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
        kernelserver._refuse_strangers(one)
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        with pytest.raises(PermissionError):
            kernelserver._refuse_strangers(one)


def test_files_that_somebody_may_be_editing_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "being_edited.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("being_edited")
    own = kernelserver._own_files()
    assert str(tmp_path / "being_edited.py") in own
    assert not [path for path in own if "site-packages" in path or path == json_file()]


def json_file() -> str:
    import json

    return json.__file__
