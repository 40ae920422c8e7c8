"""How a notebook can end, and the sentences for it. Pure: what was seen goes in, an ending comes out."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import datetime, timedelta

from nbflow.run import ErrorInfo
from nbflow.states import AttemptState, Cause
from nbflow.text import seconds_text

LONGEST_MESSAGE = 2000
"""Characters of an exception's message that are kept outside the notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of one attempt. `cell` is the one that was running, by its number in the source."""

    state: AttemptState
    cause: Cause | None = None
    reason: str = ""
    cell: int | None = None
    error: ErrorInfo | None = None
    signal: int | None = None
    exit_code: int | None = None
    is_early: bool = False
    """The notebook itself ended before its last cell, and well."""

    @property
    def failing_cell(self) -> int | None:
        return self.cell if self.cause is not None else None

    def banner(self, at: datetime) -> str | None:
        """A sentence in Markdown with cause, cell and time; None for a notebook that simply ran to its end."""
        if self.state is AttemptState.SUCCESS and not self.is_early:
            return None
        word = "Ended early" if self.is_early and self.state is AttemptState.SUCCESS else self.state.capitalize()
        where = "" if self.cell is None else f" in [cell {self.cell}](#c{self.cell})"
        return f"**{word}**{where} on {at:%Y-%m-%d at %H:%M:%S} UTC: {_as_code(self.reason)}"


def succeeded() -> Ending:
    return Ending(state=AttemptState.SUCCESS)


def left_early(cell: int | None) -> Ending:
    """`sys.exit(0)`, `exit()`, `quit()`."""
    reason = "the notebook ended itself; the cells below did not run"
    return Ending(state=AttemptState.SUCCESS, reason=reason, cell=cell, is_early=True)


def skipped(cell: int | None, why: str) -> Ending:
    return Ending(state=AttemptState.SKIPPED, reason=why or "the notebook said so", cell=cell, is_early=True)


def raised(cell: int | None, error: ErrorInfo) -> Ending:
    message = error.message[:LONGEST_MESSAGE]
    short = ErrorInfo(name=error.name, message=message, bases=error.bases)
    reason = ": ".join(filter(None, (error.name, message)))
    return Ending(state=AttemptState.FAILED, cause=Cause.ERROR, reason=reason, cell=cell, error=short)


def kernel_died(cell: int | None, returncode: int | None, peak_memory: int | None) -> Ending:
    """`returncode` as of subprocess: negative for a signal; None where nobody was left to see it."""
    by_signal = -returncode if returncode is not None and returncode < 0 else None
    used = "" if peak_memory is None else f"; it had used up to {_bytes_text(peak_memory)} of memory"
    hint = ". Perhaps the machine ran out of memory" if by_signal == signal.SIGKILL else ""
    return Ending(
        state=AttemptState.FAILED,
        cause=Cause.KERNEL_DIED,
        reason=f"the kernel {how_it_ended(returncode)}{used}{hint}",
        cell=cell,
        signal=by_signal,
        exit_code=None if by_signal else returncode,
    )


def kernel_did_not_start(why: str) -> Ending:
    return Ending(state=AttemptState.FAILED, cause=Cause.KERNEL_START, reason=why)


def refused(why: str) -> Ending:
    """Parameters or notebook cannot be run."""
    return Ending(state=AttemptState.FAILED, cause=Cause.INVALID, reason=why)


def not_stored(cell: int | None, why: str) -> Ending:
    reason = f"the attempt's files could not be written: {why}"
    return Ending(state=AttemptState.FAILED, cause=Cause.STORAGE, reason=reason, cell=cell)


def timed_out(cell: int | None, limit: timedelta, of: str) -> Ending:
    """`of` is what took too long: the cell or the notebook."""
    reason = f"the {of} ran longer than {seconds_text(limit.total_seconds())}"
    return Ending(state=AttemptState.FAILED, cause=Cause.TIMEOUT, reason=reason, cell=cell)


def cancelled(cell: int | None, by: str) -> Ending:
    return Ending(state=AttemptState.CANCELLED, cause=Cause.CANCELLED, reason=f"cancelled by {by}", cell=cell)


def lost(cell: int | None, why: str) -> Ending:
    return Ending(state=AttemptState.LOST, cause=Cause.LOST, reason=why, cell=cell)


def how_it_ended(returncode: int | None) -> str:
    """`was killed by signal 9 (SIGKILL)` or `ended with exit code 3`."""
    if returncode is None:
        return "ended, nobody saw how"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        name = f" ({signal.Signals(-returncode).name})"
    except ValueError:
        name = ""
    return f"was killed by signal {-returncode}{name}"


def _bytes_text(size: int) -> str:
    mib = size / 1024**2
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"


def _as_code(text: str, longest: int = 300) -> str:
    """On one line of Markdown, as it is: what an exception says is no markup."""
    line = " ".join(text.split())
    line = line if len(line) <= longest else f"{line[:longest]} …"
    fence = "`"
    while fence in line:
        fence += "`"
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"
