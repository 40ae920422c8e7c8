"""Processes seen from outside, as Linux shows them in `/proc`. Of one that is gone, nothing is told."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from making import eventually


def pids() -> list[int]:
    """Of all processes."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def words_of(pid: int) -> bytes:
    """Its command line."""
    return _read(pid, "cmdline")


def environment_of(pid: int) -> bytes:
    """What it was started with."""
    return _read(pid, "environ")


def limits_of(pid: int) -> str:
    return _read(pid, "limits").decode()


def children_of(pid: int) -> list[int]:
    """Those of its main thread, also the dead that nobody has waited for."""
    return [int(child) for child in _read(pid, f"task/{pid}/children").split()]


def parent_of(pid: int) -> int | None:
    fields = _fields_of(pid)
    return int(fields[1]) if fields else None


def state_of(pid: int) -> str:
    """One letter, or none: `T`: it is stopped, `S`: it waits, `Z`: it is dead and nobody has waited for it."""
    return "".join(_fields_of(pid)[:1])


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def originals(program: str, mark: bytes) -> list[int]:
    """Processes with this in their command line and that in their environment, without those that one of them forked.

    Who is whose child is read with the rest: what a server forks for a moment may be gone at the next look.
    """
    parents = {
        pid: parent
        for pid in pids()
        if program.encode() in words_of(pid) and mark in environment_of(pid) and (parent := parent_of(pid)) is not None
    }
    return [pid for pid, parent in parents.items() if parent not in parents]


def freeze(pid: int) -> None:
    """Stop a process; a signal takes a moment to get there."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state_of(pid) == "T")


def _fields_of(pid: int) -> list[str]:
    """Its state, parent, group and so on."""
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
