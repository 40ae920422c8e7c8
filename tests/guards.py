"""Guards for tests of the process side: orders, stand-ins for a runner, and a view of processes from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from making import eventually, kill, write_notebook
from proc import environment_of, limits_of, pids, state_of, words_of

from nbflow.executors import worker
from nbflow.model import AttemptId, FrozenNotebook, PipelineName, RunId, TaskKey
from nbflow.notebooks import sockets
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, StartAttempt, StopAttempt
from nbflow.states import AttemptState, Cause

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
PIPELINE = PipelineName("nightly")


def start_order(
    notebook: Path, *, folder: Path | None = None, task: str = "extract", number: int = 1, **changes: Any
) -> StartAttempt:
    """An order to run this notebook in `folder`, else beside it; its frozen copy is to be found by the file's stem."""
    key = TaskKey.parse(task)
    values: dict[str, Any] = {
        "attempt": AttemptId(f"r1/{key.address}/{number}"),
        "token": uuid4().hex,
        "run": RunId("r1"),
        "pipeline": PIPELINE,
        "key": key,
        "number": number,
        "notebook": FrozenNotebook(
            path=notebook.name, folder=str(folder or notebook.parent), sha256=notebook.stem, kernel="python3"
        ),
        "params": {},
        "kernel": "python3",
        "env": {},
        "secrets": {},
        "logical_date": NOW,
        "run_date": NOW.date(),
        **changes,
    }
    return StartAttempt(**values)


def stop_order(order: StartAttempt, grace: float = 10.0) -> StopAttempt:
    return StopAttempt(attempt=order.attempt, token=order.token, by="ana", grace=timedelta(seconds=grace))


def ended(order: StartAttempt, state: AttemptState = AttemptState.SUCCESS, **about: Any) -> AttemptEnded:
    return AttemptEnded(attempt=order.attempt, token=order.token, at=NOW, state=state, **about)


def prepared(tmp_path: Path, **changes: Any) -> AttemptFolder:
    """An attempt folder as an executor leaves it before it starts a guard."""
    order = start_order(write_notebook(tmp_path / "frozen.ipynb", "1 + 1"), **changes)
    folder = AttemptFolder((tmp_path / "attempt").resolve())
    assert folder.prepare(order, tmp_path / "frozen.ipynb")
    return folder


# --- what a cell may start ----------------------------------------------------------------------------------------

STRAYS = {
    "child": "subprocess.Popen(ME)",
    "own session": "subprocess.Popen(ME, start_new_session=True)",
    "clean": "subprocess.Popen(ME, env={}, close_fds=True, start_new_session=True)",
    "daemon": """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(3, 256)
                os.execve(sys.executable, ME, {})
            os._exit(0)
        os.wait()
    """,
    "deaf": """
        deaf = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 13, 15)];"
        subprocess.Popen([*ME[:-1], deaf + ME[-1]], start_new_session=True)
    """,
    "holding the GIL": "subprocess.Popen([*ME[:-1], ME[-1].replace('time.sleep', 'ctypes.PyDLL(None).sleep')])",
    "hopping": """
        hop = "import os, time; deadline = time.monotonic() + 150\\nwhile time.monotonic() < deadline:\\n"
        hop += " if os.fork(): os._exit(0)\\n os.setsid()"
        subprocess.Popen([*ME[:-1], hop, MARK], env={})
    """,
    "multiplying": """
        more = "import os, time\\nfor _ in range(6):\\n os.fork() or os.setsid()\\n time.sleep(0.02)\\ntime.sleep(150)"
        subprocess.Popen([*ME[:-1], more, MARK], env={})
    """,
    "stopped": "os.kill(subprocess.Popen(ME, start_new_session=True).pid, 19)",
}
"""Ways to start a process that would like to stay. `ME` is its command line; each lives 150 s at the very most."""

PRELUDE = """
import os, subprocess, sys, time
SLEEP = "import ctypes, time; time.sleep(150)"
ME = [sys.executable, "-S", "-c", SLEEP.replace("import", f"MARK = '{MARK}'; import", 1)]
"""
"""What the strays need, after a line that sets `MARK` to the attempt's token."""

_KERNEL = """
PIDS, MARK = __import__("sys").argv[1:]
{prelude}
{stray}
open(PIDS, "a").write("ready\\n")
time.sleep(600)
"""


def start_kernel(folder: AttemptFolder, stray: str = "pass") -> int:
    """A stand-in for a kernel, started as a runner does it, with something strange in its first cell."""
    order = folder.order()
    assert order is not None
    code = _KERNEL.format(prelude=PRELUDE, stray=textwrap.dedent(stray))
    with folder.marker.open("a") as marker:
        return subprocess.Popen(
            [sys.executable, "-c", code, folder.path / "pids", order.token],
            env={**os.environ, "NBFLOW_ATTEMPT_TOKEN": order.token},
            pass_fds=[marker.fileno()],
            start_new_session=True,
        ).pid


def kernel_is_ready(folder: AttemptFolder) -> bool:
    pids = folder.path / "pids"
    return pids.exists() and pids.read_text().endswith("ready\n")


def stray_is_there(folder: AttemptFolder) -> bool:
    """Guard, runner and kernel live, and one more."""
    return kernel_is_ready(folder) and len(left_behind(folder)) > 3


def left_behind(folder: AttemptFolder) -> list[str]:
    """Living processes of the attempt, found without nbflow: by command line, environment and the tag's limit."""
    order = folder.order()
    assert order is not None
    tag = str(worker.Marks(order.token, folder.marker).tag)
    return [line for pid in pids() if (line := _sign_of_life(pid, order.token, tag))]


def end_by_force(folder: AttemptFolder) -> None:
    """Leave nothing of a test's attempt; fails if there was something although the attempt had ended."""
    order = folder.order()
    if order is None:
        return
    assert not (folder.has_ended and not folder.is_locked and left_behind(folder))

    def is_empty() -> bool:
        left = left_behind(folder)
        for line in left:
            kill(int(line.split(":")[0]))
        return not left

    eventually(is_empty)
    sockets.remove(order.token)


def _sign_of_life(pid: int, token: str, tag: str) -> str:
    words = words_of(pid).replace(b"\0", b" ").decode(errors="replace")
    signs = words + environment_of(pid).decode(errors="replace")
    is_ours = token in signs or f" {tag} " in limits_of(pid)
    is_alive = state_of(pid) not in ("", "Z", "X")
    return f"{pid}: {words[:200]}" if is_alive and is_ours and pid != os.getpid() else ""


# --- a guard with a stand-in for its runner -----------------------------------------------------------------------


@dataclass
class Guard:
    """A guard that was forked from this process, in a session of its own, as a fork server would do it."""

    pid: int
    status: int
    lifeline: int
    folder: AttemptFolder
    exit_code: int | None = field(default=None, init=False)

    def wait(self) -> int:
        """Its exit code; negative if a signal ended it."""

        def is_over() -> bool:
            if self.exit_code is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.exit_code = os.waitstatus_to_exitcode(status) if pid else None
            return self.exit_code is not None

        eventually(is_over)
        assert self.exit_code is not None
        return self.exit_code


@contextlib.contextmanager
def guarding(folder: AttemptFolder) -> Iterator[Guard]:
    """Fork a guard for this folder; what is left of the attempt at the end is killed."""
    alive, lifeline = os.pipe()
    reading, status = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_guard(folder, alive, status, closing=[lifeline, reading])
    os.close(alive)
    os.close(status)
    guard = Guard(pid, reading, lifeline, folder)
    try:
        yield guard
    finally:
        if guard.exit_code is None:
            kill(guard.pid)
            guard.wait()
        end_by_force(folder)
        os.close(reading)
        os.close(lifeline)


def _be_guard(folder: AttemptFolder, lifeline: int, status: int, closing: list[int]) -> NoReturn:
    exit_code = 99
    try:
        os.setsid()
        for descriptor in closing:
            os.close(descriptor)
        with folder.log.open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - pytest has its own ones
        exit_code = worker.main(folder.path, lifeline, status)
    finally:
        sys.stderr.flush()
        os._exit(exit_code)


Run = Callable[[AttemptFolder], bool | None]


def stand_in(monkeypatch: Any, run: Run) -> None:
    """Let guards that are forked from here run this instead of a notebook, and seal with a bare outcome."""

    def seal(folder: AttemptFolder, reason: str) -> None:
        order = folder.order()
        assert order is not None
        folder.end(ended(order, AttemptState.LOST, cause=Cause.LOST, reason=reason))

    monkeypatch.setattr(worker, "_run", run)
    monkeypatch.setattr(worker, "_seal", seal)


def outcome_of(folder: AttemptFolder) -> Any:
    return json.loads((folder.path / "outcome.json").read_text())
