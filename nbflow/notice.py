"""What people are told of, as frozen values. A notice says that something happened; what else to say is read later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nbflow.model import PipelineName, RunId, TaskKey


class NoticeKind(StrEnum):
    FAILED = "failed"
    RECOVERED = "recovered"
    MISSED = "missed"
    SKIPPED = "skipped"
    PAUSED = "paused"
    LATE = "late"
    OVERRUN = "overrun"
    RESTARTED = "restarted"


NOTICE_SENTENCES: dict[NoticeKind, str] = {
    NoticeKind.FAILED: "A task failed, and no retry is left or none would help.",
    NoticeKind.RECOVERED: "A run ended well, the first one after a failure that was told.",
    NoticeKind.MISSED: "No scheduler was running when ticks were due.",
    NoticeKind.SKIPPED: "A tick started no run, because runs before it were not finished, or it could not be created.",
    NoticeKind.PAUSED: "A backfill was paused, because a run of it cannot be created.",
    NoticeKind.LATE: "A run was not finished at the time that the manifest names.",
    NoticeKind.OVERRUN: "A task runs far beyond its usual time.",
    NoticeKind.RESTARTED: "The scheduler started again; the one before it had not ended in order.",
}

INCIDENT = frozenset({NoticeKind.FAILED, NoticeKind.RECOVERED})
"""A recovery is told only where the pipeline's last notice of these was a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened, for the people behind `channels` (names in nbflow.toml)."""

    id: str
    """The same for the same event, however often it is decided on: a store keeps it once."""
    kind: NoticeKind
    channels: tuple[str, ...]
    at: datetime
    pipeline: PipelineName | None = None
    """None where it is about the scheduler."""
    timezone: str = "UTC"
    """The schedule's zone, in which the message gives times."""
    run: RunId | None = None
    key: TaskKey | None = None
    attempt: int | None = None
    first: datetime | None = None
    """Of ticks: the first one; of a late run: when it should have been finished."""
    last: datetime | None = None
    text: str = ""
    """What the run itself does not say."""
