"""What a message is made of: the notice, and what was read about it just before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nbflow.notice import Notice
from nbflow.ports import FailedCell
from nbflow.run import Run
from nbflow.states import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is known of a failure, beside where it was."""

    reason: str
    cause: Cause | None = None
    attempts: int = 0
    allowed: int = 1
    """Attempts that its retries allow."""
    failing_cell: int | None = None
    cell: FailedCell | None = None
    blocked: tuple[str, ...] = ()
    also_failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a message says. What is not known any more is None, and left out."""

    message: str
    """The message's id."""
    notice: Notice
    held: tuple[Notice, ...] = ()
    """Notices that were held back before this one."""
    run: Run | None = None
    failure: Failure | None = None
    last_good: Run | None = None
    ready: datetime | None = None
    """When an unfinished run will probably have ended."""
    server_url: str | None = None
