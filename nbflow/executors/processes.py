"""Find every process of an attempt, and end them all. Knows nothing of runs and results."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nbflow.executors.proctable import Marks, Process, Row, Table

TABLE: Table
if sys.platform == "linux":
    from nbflow.executors.procfs import Procfs, tag_this_process

    TABLE = Procfs()
else:
    from nbflow.executors.portable import Portable

    TABLE = Portable()

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER."""

_DOUBTS = 20
"""Looks in a row that may find nobody while some process or other comes and goes."""

_CHASES = 50
"""Numbers tried in such a look before all the others."""


def keep_in_sight(marks: Marks) -> None:
    """Mark this process and whatever will be started below it, and become the parent of each orphan among them.

    Only Linux can do either; elsewhere the token and the marker have to do.
    """
    mark(marks)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def mark(marks: Marks) -> None:
    """Mark this process and whatever will be started below it, where the system can do that."""
    if sys.platform == "linux":
        tag_this_process(marks)


def identify(pid: int) -> Process | None:
    """This process and no later one of that number; None if it is gone."""
    row = TABLE.row(pid)
    return None if row is None else Process(pid, row.since)


def this_world() -> str:
    """Where a process number means something: this start of the machine and, in a container, its own numbering."""
    if sys.platform != "linux":
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"


def is_this_start(world: str) -> bool:
    """Whether such a world is of this start of this machine, in whatever container; unknown outside Linux."""
    return this_world() != "" and world.partition("/")[0] == this_world().partition("/")[0]


def has_children() -> bool:
    """Whether a child of this process is left, alive or dead. A subreaper without one has no descendants at all."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def members(marks: Marks, below: int | None = None) -> frozenset[int]:
    """The processes of an attempt that live now, without the caller: marked ones, and all descendants of these.

    `below` adds the descendants of one more process, which need no mark.
    """
    return frozenset(process.pid for process, _ in _Hunt(marks, below).look())


def end_all(marks: Marks, below: int | None = None, within: float | None = None) -> bool:
    """Kill the attempt's processes until none is left; False if some still lived after `within` seconds.

    Processes of other users, which nobody here may signal, do not count.
    """
    deadline = None if within is None else time.monotonic() + within
    hunt, doubts, pause = _Hunt(marks, below), 0, 0.002
    while True:
        if hunt.stop_then_kill():
            doubts = 0
            time.sleep(pause)  # dying takes a moment, the longer the more memory is to be given back
            pause = min(2 * pause, 0.1)
        elif hunt.is_sure or doubts == _DOUBTS:
            return True
        else:
            doubts += 1
        if deadline is not None and time.monotonic() > deadline:
            return False


class _Hunt:
    """The repeated search for the processes of one attempt."""

    def __init__(self, marks: Marks, below: int | None) -> None:
        self._marks, self._below = marks, below
        self._empty: set[int] = set()
        self.is_sure = True
        """False after a look during which some process vanished: it may have left a child that was not listed yet."""

    def stop_then_kill(self) -> bool:
        """Stop all, then kill all; False if there was nobody who can be killed.

        What cannot run cannot start another one, and a stopped parent keeps its children in sight.
        """
        seen: dict[Process, Row] = {}
        reached = False
        while fresh := list(self._stop_new(seen)):
            reached = reached or any(fresh)
        for process, row in seen.items():
            _send(process, row, signal.SIGKILL)
        return reached

    def _stop_new(self, seen: dict[Process, Row]) -> Iterator[bool]:
        """Stop each process at the moment it is found, unless it was seen before; tell which could be reached."""
        for process, row in self.look():
            if process not in seen:
                seen[process] = row
                yield _send(process, row, signal.SIGSTOP)

    def look(self) -> Iterator[tuple[Process, Row]]:
        """Marked ones as soon as they are seen, for they may be about to go; then their descendants."""
        me, rows, empty = os.getpid(), dict[int, Row](), set[int]()
        found = set() if self._below is None else {self._below}
        for pid in self._numbers():
            row = TABLE.row(pid)
            if row is None:
                empty.add(pid)
                continue
            rows[pid] = row
            has_mark = pid != me and TABLE.has_mark(pid, self._marks)
            if has_mark is None:
                empty.add(pid)
            elif has_mark:
                found.add(pid)
                yield Process(pid, row.since), row
        for pid in _descendants(found, rows) - found - {me}:
            yield Process(pid, rows[pid].since), rows[pid]
        self.is_sure, self._empty = empty <= self._empty, empty

    def _numbers(self) -> Iterator[int]:
        """All process numbers. First, and in doubt again and again, the last one that the system gave away.

        A process that keeps forking and exiting is gone before its number is found in a list, but not before that.
        """
        for _ in range(1 if self.is_sure else _CHASES):
            yield TABLE.newest()
        yield from sorted(TABLE.pids(), reverse=True)


def _send(process: Process, row: Row, number: int) -> bool:
    """Signal a process, and its group at once, with those that are just being forked in it.

    All of that group is the attempt's, because the session was begun by a process of the attempt. The caller's own
    group is left alone.
    """
    reached = TABLE.send(process, number)
    if reached and row.group != os.getpgrp():
        with contextlib.suppress(OSError):
            os.killpg(row.group, number)
    return reached


def _descendants(roots: set[int], rows: dict[int, Row]) -> set[int]:
    found, size = set(roots), -1
    while len(found) != size:
        size = len(found)
        found |= {pid for pid, row in rows.items() if row.parent in found}
    return found
