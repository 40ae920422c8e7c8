"""`nbflow up` as a service: it keeps a scheduler alive, and ends as it is told to."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request

from making import PATIENCE, eventually, free_port, kill
from proc import children_of, words_of
from schedulers import WAITING, WAITS, Watched


def up(world: Watched) -> subprocess.Popen[str]:
    process = world.project.spawn("up", "--port", str(free_port()))
    world.processes.append(process)
    return process


def leader_pid(world: Watched) -> int | None:
    """Of the scheduler that leads and lives."""
    leader = world.store.leader()
    if leader is None or not world.doors.owners.is_alive(leader, world.doors.clock.now()):
        return None
    return int(leader.engine.split(".")[-2])


def test_a_scheduler_that_dies_is_started_again_and_its_notebook_goes_on(world: Watched) -> None:
    folder = world.project.pipeline("slow", WAITING, only=(WAITS,))
    parent = up(world)
    first = eventually(lambda: leader_pid(world))
    run, _ = world.trigger_waiting("slow", folder)
    kill(first)
    second = eventually(lambda: (found := leader_pid(world)) != first and found)
    assert second != first
    (folder / "go").touch()
    eventually(lambda: world.state(run) == "success")
    assert len((folder / "kernel.pids").read_text().split()) == 1
    said = (world.project.folder / "nbflow.stderr").read_text()
    (line,) = [line for line in said.splitlines() if "scheduler was killed by signal 9; it is started again" in line]
    assert json.loads(line)["level"] == "warning"
    assert world.end(parent) == 0
    assert world.store.leader() is None


def test_ctrl_c_waits_for_what_runs(world: Watched) -> None:
    folder = world.project.pipeline("slow", WAITING, only=(WAITS,))
    parent = up(world)
    eventually(lambda: leader_pid(world))
    run, _ = world.trigger_waiting("slow", folder)
    parent.send_signal(signal.SIGINT)
    said = world.project.folder / "nbflow.stderr"
    eventually(lambda: "waiting for 1 notebook to end: slow.only" in said.read_text())
    (folder / "go").touch()
    assert parent.wait(PATIENCE) == 0
    assert world.state(run) == "success"


def test_a_scheduler_whose_supervisor_was_killed_ends_and_leaves_what_runs(world: Watched) -> None:
    folder = world.project.pipeline("slow", WAITING, only=(WAITS,))
    parent = up(world)
    eventually(lambda: leader_pid(world))
    run, _ = world.trigger_waiting("slow", folder)
    world.kill(parent)
    eventually(lambda: world.store.leader() is None)
    assert world.state(run) == "running"
    up(world)
    eventually(lambda: leader_pid(world))
    (folder / "go").touch()
    eventually(lambda: world.state(run) == "success")


def test_the_app_is_served_beside_the_scheduler_and_started_again(world: Watched) -> None:
    port = free_port()
    process = world.project.spawn("up", "--port", str(port))
    world.processes.append(process)
    url = f"http://127.0.0.1:{port}/"
    eventually(lambda: status_of(url))
    app = next(pid for pid in children_of(process.pid) if b"\0app\0" in words_of(pid))
    kill(app)
    eventually(lambda: app not in children_of(process.pid))
    eventually(lambda: status_of(url))
    assert world.end(process) == 0
    assert status_of(url) is None


def status_of(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def test_settings_that_are_wrong_are_told_once_and_end_it(world: Watched) -> None:
    (world.project.folder / "nbflow.toml").write_text("[executor]\nslots = 0\n")
    done = world.project.nbflow("up")
    assert done.returncode == 2
    assert "nbflow.toml:2" in done.stderr
