"""What is told of an attempt, and when; its guard is a stand-in."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from guards import ended, prepared, stop_order

from nbflow.executors import guarded
from nbflow.executors.guarded import START_ALONE, Guarded
from nbflow.executors.launch import ForkedGuard, Launch
from nbflow.executors.processes import identify, this_world
from nbflow.executors.worker import BEGUN, DONE, Exit
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, AttemptStarted

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


class Acted:
    """A forked guard, as far as its caller can see, on a clock of ours."""

    def __init__(self, folder: AttemptFolder) -> None:
        self.folder, self.time = folder, 1000.0
        self.server, self.ours = socket.socketpair()
        self.ours.setblocking(False)

    def started(self, launch: Launch) -> ForkedGuard:
        self.status = os.dup(launch.status)
        return ForkedGuard(self.ours)

    def begin(self) -> None:
        self.folder.begin(pid=1, since=0.0, world="", at=NOW.isoformat())
        os.write(self.status, BEGUN)

    def end(self) -> None:
        self.folder.end(ended(self.folder.order()))
        os.close(self.status)
        self.server.sendall(b'{"exit": %d}\n' % Exit.DONE)


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Guarded, Acted]]:
    folder = prepared(tmp_path)
    order, acted = folder.order(), Acted(folder)
    monkeypatch.setattr(guarded, "time", SimpleNamespace(monotonic=lambda: acted.time))
    monkeypatch.setattr(Guarded, "_started", lambda _, launch: acted.started(launch))
    begun = Guarded(id=order.attempt, token=order.token, folder=folder, project=tmp_path)
    begun.start()
    with acted.server, acted.ours:
        yield begun, acted
        begun.let_go()


def kinds(found: Guarded) -> list[type]:
    return [type(fact) for fact in found.look()]


def test_start_and_end_of_a_quick_attempt_are_told_at_once(attempt: tuple[Guarded, Acted]) -> None:
    it, acted = attempt
    acted.begin()
    assert kinds(it) == []
    acted.end()
    assert kinds(it) == [AttemptStarted, AttemptEnded]


def test_a_forked_guards_last_word_is_the_end_while_it_still_holds_pipe_and_lock(
    attempt: tuple[Guarded, Acted],
) -> None:
    it, acted = attempt
    acted.begin()
    acted.folder.end(ended(acted.folder.order()))
    lock = acted.folder.lock()
    assert kinds(it) == []
    os.write(acted.status, DONE)
    assert kinds(it) == [AttemptStarted, AttemptEnded]
    assert (it.event, acted.server.recv(1)) == (None, b"")
    for held in (lock, acted.status):
        os.close(held)


def test_a_start_is_told_by_itself_after_a_moment_and_once(attempt: tuple[Guarded, Acted]) -> None:
    it, acted = attempt
    acted.begin()
    assert it.start_is_told_in == pytest.approx(START_ALONE)
    acted.time += START_ALONE
    assert it.start_is_told_in <= 0
    assert kinds(it) == [AttemptStarted]
    assert kinds(it) == []
    acted.end()
    assert kinds(it) == [AttemptEnded]


def test_a_stop_reaches_who_has_begun_the_attempt_and_no_guard_that_came_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that was killed had handed the attempt over, and its successor does so again."""
    folder = prepared(tmp_path)
    order = folder.order()
    with ended_after(sleeper()) as first, ended_after(sleeper()) as second:
        folder.begin(pid=first.pid, since=identify(first.pid).since, world=this_world(), at=NOW.isoformat())
        monkeypatch.setattr(Guarded, "_started", lambda *_: second)
        again = Guarded(id=order.attempt, token=order.token, folder=folder, project=tmp_path)
        again.start()
        again.stop(stop_order(order))
        assert first.wait(60) == -signal.SIGTERM
        assert second.poll() is None
        again.let_go()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"])


@contextlib.contextmanager
def ended_after(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_an_order_is_kept_when_its_start_is_told_by_itself(
    attempt: tuple[Guarded, Acted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody writes down that the attempt runs; one that is over by then keeps what it has come to."""
    kept: list[AttemptFolder] = []
    monkeypatch.setattr(AttemptFolder, "keep_order", lambda folder: kept.append(folder))
    it, acted = attempt
    acted.begin()
    acted.time += START_ALONE
    facts = it.look()
    assert isinstance(next(facts), AttemptStarted)
    assert kept == [acted.folder]


def test_the_order_of_a_quick_attempt_is_never_waited_for(
    attempt: tuple[Guarded, Acted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptFolder, "keep_order", None)
    it, acted = attempt
    acted.begin()
    acted.end()
    assert kinds(it) == [AttemptStarted, AttemptEnded]


def test_a_forked_guard_is_waited_for_until_its_server_tells() -> None:
    server, ours = socket.socketpair()
    with server, ours:
        ours.setblocking(False)
        with pytest.raises(subprocess.TimeoutExpired):
            ForkedGuard(ours).wait(0.01)
        server.sendall(b'{"exit": 7}\n')
        assert ForkedGuard(ours).wait(60) == 7
