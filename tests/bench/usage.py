"""What a measured piece of work costs: wall seconds, CPU, bytes written, memory, of every process that carries a mark.

The mark is an environment variable, which every process hands on, forked servers too: they are no children of the
command that uses them, and outlive it. What has ended and was waited for stands in the figures of whoever waited.
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

MARK = f"OMP_BENCH={uuid4().hex}"
"""An `OMP_` variable acts when an interpreter starts, so servers that carry it serve this benchmark alone."""

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory` is the most that all processes together had at one moment, shared pages counted once; 0: not looked."""

    wall: float
    cpu: float
    wrote: int
    memory: int = 0

    def per(self, count: int) -> Usage:
        return Usage(self.wall / count, self.cpu / count, self.wrote // count, self.memory)


class Meter:
    """Filled when the block of `measuring` ends."""

    usage: Usage


@contextlib.contextmanager
def measuring(look_every: float | None = None, *, with_servers: bool = True) -> Iterator[Meter]:
    """Measure the block; with `look_every` seconds, its memory as well, which costs a little time itself.

    Not `with_servers`: the memory of what was there before is not its own.
    """
    meter, looker = Meter(), _Looker(look_every, frozenset() if with_servers else frozenset(_marked()))
    before, began = _settled(), time.perf_counter()
    with looker:
        yield meter
    wall, after = time.perf_counter() - began, _settled()
    meter.usage = Usage(wall, after[0] - before[0], after[1] - before[1], looker.most)


def set_mark() -> None:
    name, _, value = MARK.partition("=")
    os.environ[name] = value


def end_servers() -> None:
    """Let the servers of this benchmark end."""
    for pid in _marked():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 15)


class _Looker:
    """Looks at the memory of all marked processes but some, in a thread."""

    def __init__(self, every: float | None, but: frozenset[int]) -> None:
        self._every, self._but, self._end, self.most = every, but, threading.Event(), 0
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        if self._every is not None:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._every is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(self._every):
            self.most = max(self.most, sum(_memory_of(pid) for pid in _marked() if pid not in self._but))


def _used() -> tuple[float, int]:
    """CPU seconds and bytes written so far, by living processes and by what they waited for."""
    gone = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = [(gone.ru_utime + gone.ru_stime, _wrote(os.getpid()))]
    for pid in _marked():
        with contextlib.suppress(OSError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            rows.append((sum(map(int, fields[11:15])) / TICKS, _wrote(pid)))
    return sum(row[0] for row in rows), sum(row[1] for row in rows)


def _settled() -> tuple[float, int]:
    """The same when it has come to rest: who is just ending has not been waited for, and stands nowhere meanwhile."""
    used = _used()
    for _ in range(40):
        time.sleep(0.05)
        before, used = used, _used()
        if used == before:
            break
    return used


def _wrote(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def _memory_of(pid: int) -> int:
    """Proportional: a page that two processes share counts half for each."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _marked() -> list[int]:
    """Processes with the mark, without this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if MARK.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found
