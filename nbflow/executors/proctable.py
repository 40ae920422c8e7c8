"""What an attempt's end needs of the system's table of processes. Looks and signals; decides nothing."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

TOKEN_VARIABLE = "NBFLOW_ATTEMPT_TOKEN"


class Process(NamedTuple):
    """One process and no later one of the same number: `since` is its start, in the unit of the table it came from."""

    pid: int
    since: float


class Row(NamedTuple):
    """What the table says about a living process."""

    parent: int
    group: int
    since: float


@dataclass(frozen=True, slots=True)
class Marks:
    """What every process of one attempt carries, unless it took care to get rid of it.

    The token stands in the environment; the marker is a file that is held open for writing; the tag is a limit without
    effect (Linux only), which outlives a cleaned environment, closed descriptors and a session of one's own.
    """

    token: str
    marker: Path

    @property
    def tag(self) -> int:
        return int.from_bytes(hashlib.sha256(self.token.encode()).digest()[:7], "big")


class Table(Protocol):
    """The processes of this machine. Those that may not be looked at are passed over."""

    def pids(self) -> list[int]: ...

    def newest(self) -> int:
        """The number that was given away last, as far as can be known."""
        ...

    def row(self, pid: int) -> Row | None:
        """None if no living process has this number."""
        ...

    def has_mark(self, pid: int, marks: Marks) -> bool | None:
        """Whether a process of this number carries any of the marks; None if it went before that could be seen."""
        ...

    def send(self, process: Process, number: int) -> bool:
        """Signal this very process; False if it is gone or belongs to somebody else."""
        ...


def send_by_number(table: Table, process: Process, number: int) -> bool:
    """Signal without a handle on the process: it was seen alive an instant ago, which is all that can be said."""
    row = table.row(process.pid)
    if row is None or row.since != process.since:
        return False
    try:
        os.kill(process.pid, number)
    except OSError:
        return False
    return True
