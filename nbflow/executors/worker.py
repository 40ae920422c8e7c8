"""The guard: starts the runner of one attempt, outlives it, and sees to it that no process of the attempt is left.

It knows the attempt folder and nothing else: no database, no caller. `python -m nbflow.executors.worker FOLDER` must be
started in a session of its own; a process that was forked for the purpose calls `main`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import NoReturn

from nbflow.executors.processes import end_all, has_children, identify, keep_in_sight, mark, this_world
from nbflow.executors.proctable import Marks
from nbflow.executors.watch import LEFT_NOTHING, SIGNALS, Signals, Watch
from nbflow.failpoints import failpoint
from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.forkserver import children


class Exit(IntEnum):
    """How a guard ends; anything else is a crash."""

    DONE = 0
    """The outcome is written, and no process is left that could still do anything."""
    HELD = 3
    """Another guard has the attempt; nothing was done."""
    BEGUN = 4
    """The attempt was started before; nothing was done."""
    UNSEALED = 5
    """No process is left, but the outcome could not be written."""


BEGUN, DONE = b"+", b"."
"""What a guard says on its status pipe: it has the attempt; and, as its last word, that it ends with `Exit.DONE`."""


def command(folder: Path, *options: str) -> list[str]:
    """The command line of a guard. `-P`: no module of the working folder may stand in for one of ours."""
    return [sys.executable, "-P", "-m", "nbflow.executors.worker", str(folder), *options]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What guard and runner share. `lock` is held, and `status` stays open, as long as one of them lives."""

    folder: AttemptFolder
    marks: Marks
    lock: int
    status: int | None


def main(
    path: Path,
    lifeline: int | None = None,
    status: int | None = None,
    spare: Callable[[Attempt, int], int | None] | None = None,
) -> Exit:
    """Run the attempt of this folder to its end; without effect if it was ever begun.

    `lifeline` is a pipe's reading end: at its end of file everything ends at once. `status` is a pipe's writing end: it
    gets `BEGUN` and `DONE`, and reaches its end of file when neither guard nor runner is left. `spare` starts a runner
    that was forked ahead: it gets the runner's end of the tie between the two, and returns the runner's number, or None
    where another one has to be forked.
    """
    signals = Signals()
    attempt = _take(path, status)
    if attempt is None:
        return Exit.HELD
    failpoint("guard.locked")
    if attempt.folder.has_ended or not _begin(attempt):
        return Exit.BEGUN
    failpoint("guard.begun")
    keep_in_sight(attempt.marks)
    if attempt.folder.stop_order() is not None:
        return _finish(attempt, "stopped before it started")
    ours, theirs = socket.socketpair()
    runner = None if spare is None else spare(attempt, theirs.fileno())
    if runner is None:
        kept = [] if lifeline is None else [lifeline]
        runner = _fork_runner(attempt, signals, theirs.fileno(), closing=[ours.fileno(), *kept])
    theirs.close()
    failpoint("guard.forked")
    watch = Watch(attempt.folder, runner, ours, signals, lifeline)
    reason = watch.until_end()
    failpoint("guard.runner_ended")
    code = _finish(attempt, reason, is_over=watch.left_nothing and children() <= {runner})
    with contextlib.suppress(ChildProcessError):
        os.waitpid(runner, 0)  # or it could take our end for a reason to replace us
    return code


def close(path: Path, lock: int | None = None) -> Exit:
    """End an attempt whose guard is gone: its processes, its log, its outcome. Keeps it from ever being begun.

    `lock` is the attempt's lock, where the caller hands it on. Who listens to a status pipe is told by our end alone.
    """
    Signals()
    attempt = _take(path, None, lock)
    if attempt is None:
        return Exit.HELD
    with contextlib.suppress(OSError):
        attempt.folder.begin()
    return _finish(attempt, "its guard and its runner were gone, and had left no result")


# --- parts of the guard ---------------------------------------------------------------------------------------------


def _take(path: Path, status: int | None, lock: int | None = None) -> Attempt | None:
    folder = AttemptFolder(path.resolve())
    token = folder.token()
    if token is None:
        raise FileNotFoundError(f"{folder.path} has no order")
    lock = _lock(folder) if lock is None else lock
    if lock is None:
        return None
    return Attempt(folder, Marks(token, folder.marker), lock, status)


def _lock(folder: AttemptFolder) -> int | None:
    """The lock of the attempt. Tried more than once, because whoever tests it holds it for a moment."""
    for _ in range(20):
        lock = folder.lock()
        if lock is not None:
            return lock
        time.sleep(0.02)
    return None


def _begin(attempt: Attempt) -> bool:
    """Write down who runs the attempt, so that it can be signalled by others than its parent; then tell the caller."""
    about = {"pid": os.getpid(), "since": _own_start(), "world": this_world(), "at": datetime.now(UTC).isoformat()}
    if not attempt.folder.begin(**about):
        return False
    _say(attempt, BEGUN)
    return True


def _say(attempt: Attempt, word: bytes) -> None:
    if attempt.status is not None:
        with contextlib.suppress(OSError):  # the caller may be gone
            os.write(attempt.status, word)


def _own_start() -> float:
    me = identify(os.getpid())
    return 0.0 if me is None else me.since


def _finish(attempt: Attempt, reason: str, *, is_over: bool = False) -> Exit:
    """End every process of the attempt, make its log true, and say so. Our own end lets go of the lock after that.

    `is_over`: there is none, so nobody needs to search the whole machine.
    """
    folder = attempt.folder
    if not is_over:
        end_all(attempt.marks, below=os.getpid())
    failpoint("guard.swept")
    try:
        if not folder.has_ended:
            _seal(folder, reason)
        failpoint("guard.sealed")
        _remove_sockets(attempt.marks.token)
    except Exception:
        traceback.print_exc()
    if not folder.has_ended:
        return Exit.UNSEALED
    _say(attempt, DONE)
    failpoint("guard.done")
    return Exit.DONE


# --- the runner's side of the fork ----------------------------------------------------------------------------------


def _fork_runner(attempt: Attempt, signals: Signals, tie: int, closing: Sequence[int]) -> int:
    """Start the runner as a child that has everything imported already; returns its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid == 0:
        be_runner(partial(_part_from_guard, attempt, signals, tie, closing))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return pid


def _part_from_guard(attempt: Attempt, signals: Signals, tie: int, closing: Sequence[int]) -> tuple[Attempt, int]:
    for descriptor in closing:
        os.close(descriptor)
    signals.leave_to_runner()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return attempt, tie


def taken_over(path: Path, lock: int, status: int) -> Attempt:
    """What a runner that was forked ahead has got of its guard; marks this process as the attempt's."""
    attempt = _take(path, status, lock)
    assert attempt is not None
    mark(attempt.marks)
    return attempt


def be_runner(begin: Callable[[], tuple[Attempt, int]]) -> NoReturn:
    """Carry out an attempt in a process that was forked for it; `begin` parts it from what it was before.

    Besides the attempt it tells our end of the tie with the guard, which hears our last word there, and we of its end.
    """
    exit_code, last_word, tie = 1, b"", -1
    try:
        attempt, tie = begin()
        threading.Thread(target=_replace_guard, args=(attempt, tie), daemon=True).start()
        failpoint("runner.started")
        if _run(attempt.folder) and not has_children():
            last_word = LEFT_NOTHING
        exit_code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            if last_word:
                os.write(tie, last_word)
                failpoint("runner.parted")
        finally:  # nothing, not even a full disk, may let this process go on as a second guard
            os._exit(exit_code)


def _replace_guard(attempt: Attempt, tie: int) -> None:
    """Wait for the guard's end, which it should not live to see, and start another process to end the attempt.

    The other process and not this one, because the runner's main thread is still writing files and has to go too.
    """
    os.read(tie, 1)
    kept = {"--lock": attempt.lock, "--status": attempt.status}
    options = [text for name, fd in kept.items() if fd is not None for text in (name, str(fd))]
    try:
        subprocess.Popen(
            command(attempt.folder.path, "--close", *options),
            pass_fds=[fd for fd in kept.values() if fd is not None],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:  # no process to be had: the next one to look at the attempt writes the outcome
        end_all(attempt.marks, below=os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)


# --- what is imported only when it is needed ------------------------------------------------------------------------


def _run(folder: AttemptFolder) -> bool:
    from nbflow.notebooks.runner import run

    return run(folder)


def _seal(folder: AttemptFolder, reason: str) -> None:
    from nbflow.notebooks.seal import seal_lost

    seal_lost(folder, reason)


def _remove_sockets(token: str) -> None:
    from nbflow.notebooks.sockets import remove

    remove(token)


def _from_command_line() -> Exit:
    parser = argparse.ArgumentParser(prog="nbflow.executors.worker", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lifeline", type=int)
    parser.add_argument("--status", type=int)
    parser.add_argument("--close", action="store_true", help="end the attempt instead of running it")
    parser.add_argument("--lock", type=int, help="with --close: descriptor of the attempt's lock, held already")
    given = parser.parse_args()
    for descriptor in (given.lifeline, given.status, given.lock):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    if given.close:
        return close(given.folder, given.lock)
    return main(given.folder, given.lifeline, given.status)


if __name__ == "__main__":
    sys.exit(_from_command_line())
