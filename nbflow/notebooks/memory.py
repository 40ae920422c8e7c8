"""How much memory a process had at most. Looks; never limits."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import psutil

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of one unit of `ru_maxrss`."""


def peak_of(pid: int | None, before: int | None = None) -> int | None:
    """Bytes of the living process, or what was seen `before` where that is more or nothing can be seen now.

    Exact on Linux; elsewhere the most that any look saw.
    """
    if pid is None:
        return before
    try:
        now = _from_proc(pid) if sys.platform == "linux" else psutil.Process(pid).memory_info().rss
    except (OSError, psutil.Error):
        now = None
    return max((seen for seen in (before, now) if seen is not None), default=None)


def peak_of_the_dead(before: int | None) -> int | None:
    """The same for a child that is gone, and may have grown since the last look.

    The system keeps the most that any dead child had, but counts what it inherited from this process before it became
    another program: so the figure says something only above what this process itself has.
    """
    dead = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if dead <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        return before
    return max(dead * _UNIT, before or 0)


def _from_proc(pid: int) -> int | None:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else None
