"""Fork guards from a process that has papermill imported. Holds no database, thread or socket of nbflow's but its own.

Started by exec like any fork server (see `nbflow.notebooks.forkserver`); what it forks is the same guard that
`python -m nbflow.executors.worker` would be, with the attempt folder as its only contract, and outlives it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nbflow.notebooks.environment import IDLE, PRELOAD, SPARE, START
from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.forkserver import (
    REACTION,
    ForkServer,
    Request,
    await_request,
    copy_ahead,
    options,
    preload,
    send,
    start_afresh,
)
from nbflow.notebooks.rehearsal import rehearse

if TYPE_CHECKING:
    from nbflow.executors.worker import Attempt

SETTINGS = frozenset({START, PRELOAD, IDLE, SPARE})
STATUS, LIFELINE, RUNNER = 3, 4, 5
"""Where a guard finds its pipes, and a spare one the way to its runner."""
LOCK, TIE = 4, 5
"""Where a runner that was forked ahead finds what its guard gives it besides."""

START_UP = (
    "papermill",
    "nbflow.executors.worker",
    "nbflow.notebooks.seal",
    "nbflow.notebooks.warm",
)

REMOTE = ("azure", "boto3", "gcsfs", "github", "pyarrow")
"""What papermill reads remote notebooks with, where it is installed. A runner has a local one: 40 MB less to fork."""


REMEMBERED = 5.0
"""Seconds until a kernel's description is read again; one that has changed meanwhile starts its kernel cold."""


class AttemptServer(ForkServer):
    """Before it forks a guard it sees to it that the kernel's own fork server is there."""

    def __init__(self, listener: int, lock: int, idle: float, spare: int = 0) -> None:
        super().__init__(listener, lock, idle, spare)
        self._known: dict[tuple[object, ...], tuple[Path | None, float]] = {}

    def prepare(self, request: Request) -> None:
        with contextlib.suppress(Exception):  # the kernel then starts the ordinary way, and says what is wrong
            order = AttemptFolder(Path(request["folder"])).order()
            if order is not None:
                self._see_to_server(order.kernel, request["env"], order.env)

    def rehearse(self) -> None:
        rehearse()

    def get_ready(self, channel: socket.socket) -> Request:
        """Begin the session of an attempt, and fork its runner ahead too: that has more to copy than the guard."""
        os.setsid()
        ours, theirs = socket.socketpair()
        runner = os.fork()
        if runner == 0:
            ours.close()
            channel.close()
            copy_ahead(self.pages or [])
            become_runner({**await_request(theirs), "imported": self.imported})
        theirs.close()
        return {"runner": runner, "channel": ours.detach()}

    def _see_to_server(self, kernel: str, inherited: Mapping[str, str], own: Mapping[str, str]) -> None:
        """Remembers where it is. What this process does not touch need not be copied for whatever it has forked."""
        from nbflow.notebooks import servers, warm

        env = {**inherited, **{name: value for name, value in own.items() if servers.acts_at_start(name)}}
        acting = {name: env[name] for name in env if servers.acts_at_start(name) or name in SETTINGS}
        key = (kernel, *acting.items())
        at, until = self._known.get(key, (None, 0.0))
        if at is None or time.monotonic() > until or not warm.is_fresh(at):
            self._known = {key: (warm.start_server(kernel, env), time.monotonic() + REMEMBERED)}


def become_guard(request: Request) -> int:
    """Be a fresh guard; returns its exit code."""
    from nbflow.executors import worker

    log, status, *lifeline = request["descriptors"]
    pipes = {STATUS: status, **({LIFELINE: lifeline[0]} if lifeline else {})}
    runner = request.pop("runner", None)
    if runner is None:
        os.setsid()
    else:
        pipes[RUNNER] = request.pop("channel")
    _start_in_project(request, log, pipes)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    spare = None if runner is None else partial(_start_runner, runner, request)
    return worker.main(Path(request["folder"]), LIFELINE if lifeline else None, STATUS, spare)


def _start_runner(runner: int, request: Request, attempt: Attempt, tie: int) -> int | None:
    """Tell a runner that was forked ahead what for; its number, or None where it is gone."""
    assert attempt.status is not None
    with socket.socket(fileno=RUNNER) as channel, contextlib.suppress(OSError):
        channel.settimeout(REACTION)
        send(channel, request, [sys.stdout.fileno(), attempt.status, attempt.lock, tie])
        return runner
    return None


def become_runner(request: Request) -> NoReturn:
    """Be the runner that a guard would have forked."""
    from nbflow.executors import worker

    worker.be_runner(partial(_take_up, request))


def _take_up(request: Request) -> tuple[Attempt, int]:
    from nbflow.executors import worker

    log, status, lock, tie = request["descriptors"]
    _start_in_project(request, log, {STATUS: status, LOCK: lock, TIE: tie})
    signal.signal(signal.SIGINT, lambda *_: None)
    return worker.taken_over(Path(request["folder"]), LOCK, STATUS), TIE


def _start_in_project(request: Request, log: int, pipes: Mapping[int, int]) -> None:
    """What guard and runner have in common; nothing that they start gets the pipes."""
    start_afresh(request, {1: log, 2: log, **pipes})
    os.chdir(request["project"])
    for pipe in pipes:
        os.set_inheritable(pipe, False)


@contextlib.contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """Let nobody import these, as if they were not installed."""
    absent = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    yield
    for name in absent:
        del sys.modules[name]


def get_up() -> None:
    """Do once what every attempt needs: its imports, and what they do in the same way for all."""
    with _hidden(*REMOTE):
        preload(START_UP)
    rehearse()


def main() -> None:
    given = options(argparse.ArgumentParser(description=__doc__))
    for descriptor in (given.listen, given.lock):
        os.set_inheritable(descriptor, False)
    server = AttemptServer(given.listen, given.lock, given.idle, given.spare)
    get_up()
    request = server.serve()
    if request is not None:
        code = become_guard(request)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # nothing of a server's own is left to be undone


if __name__ == "__main__":
    main()
