"""The words of a message: its headline, its rows, its link. Plain text; whoever writes HTML escapes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, assert_never
from urllib.parse import quote
from zoneinfo import ZoneInfo

from nbflow.messages.facts import Facts, Failure
from nbflow.notice import Notice, NoticeKind
from nbflow.ports import FailedCell
from nbflow.states import CAUSE_SENTENCES
from nbflow.text import counted, join_names, one_line, with_offset

ICONS = {
    NoticeKind.FAILED: "✕",
    NoticeKind.RECOVERED: "✓",
    NoticeKind.MISSED: "◷",
    NoticeKind.SKIPPED: "⤼",
    NoticeKind.PAUSED: "‖",
    NoticeKind.LATE: "◷",
    NoticeKind.OVERRUN: "◷",
    NoticeKind.RESTARTED: "↻",
}

NAMES = 12
"""Task names in a row, before the rest is counted."""


class Row(NamedTuple):
    name: str
    value: str


def headline(facts: Facts) -> str:
    """One line that says what happened, where, and for which day: what a phone shows."""
    day = f" for {facts.run.run_date}" if facts.run else ""
    return f"{ICONS[facts.notice.kind]} {_what(facts.notice)}{day}"


def _what(notice: Notice) -> str:
    name, task = notice.pipeline or "", notice.key.address if notice.key else ""
    match notice.kind:
        case NoticeKind.FAILED:
            return f"{name} failed: {task}"
        case NoticeKind.RECOVERED:
            return f"{name} has recovered"
        case NoticeKind.MISSED:
            return f"{name} was not started in time"
        case NoticeKind.SKIPPED:
            return f"{name} was skipped"
        case NoticeKind.PAUSED:
            return f"{name}: a backfill was paused"
        case NoticeKind.LATE:
            return f"{name} is late"
        case NoticeKind.OVERRUN:
            return f"{name}: {task} takes unusually long"
        case NoticeKind.RESTARTED:
            return "The scheduler started again after a crash"
        case _:
            assert_never(notice.kind)


def sentence(facts: Facts) -> str:
    """What is wrong, in one line: the exception, the reason; empty where the headline says it all."""
    failure = facts.failure
    if failure is None:
        return one_line(facts.notice.text)
    said = one_line(failure.reason) or (CAUSE_SENTENCES[failure.cause] if failure.cause else "")
    return f"{said} — in cell {failure.failing_cell}" if failure.failing_cell is not None else said


def cell_title(cell: FailedCell) -> str:
    return "Parameters of this run" if cell.number is None else f"Cell {cell.number}"


def left_out(cell: FailedCell) -> str:
    """` (12 lines before)`."""
    return f" ({counted(cell.left_out, 'line')} before)" if cell.left_out else ""


def rows(facts: Facts) -> Iterator[Row]:
    """What to know, a name and a value each."""
    notice, run = facts.notice, facts.run
    if notice.pipeline:
        yield Row("pipeline", notice.pipeline)
    if notice.key:
        yield Row("task", notice.key.address)
    if facts.failure:
        yield from _of_failure(facts.failure)
    if notice.first:
        yield _instants(notice, notice.first, notice.last)
    if run:
        yield Row("logical date", local(run.logical_date, notice.timezone))
    if facts.ready:
        yield Row("ready at", f"{local(_minute(facts.ready), notice.timezone)}, as far as one can tell")
    if notice.pipeline and notice.kind is not NoticeKind.RECOVERED:
        yield Row("last good run", _last_good(facts))
    if run:
        yield Row("run", run.id)


def _of_failure(failure: Failure) -> Iterator[Row]:
    if failure.cause is not None:
        yield Row("cause", CAUSE_SENTENCES[failure.cause].rstrip("."))
    if failure.attempts:
        # What was lost by no fault of the notebook is tried again beyond what the manifest allows.
        yield Row("attempts", f"{failure.attempts} of {max(failure.attempts, failure.allowed)}")
    yield Row("blocked", join_names(failure.blocked, most=NAMES) or "nothing")
    if failure.also_failed:
        yield Row("also failed", join_names(failure.also_failed, most=NAMES))


def _instants(notice: Notice, first: datetime, last: datetime | None) -> Row:
    if notice.kind is NoticeKind.LATE:
        return Row("expected by", local(first, notice.timezone))
    if last is None or last == first:
        return Row("tick", local(first, notice.timezone))
    return Row("ticks", f"{local(first, notice.timezone)} to {local(last, notice.timezone)}")


def _last_good(facts: Facts) -> str:
    good = facts.last_good
    if good is None:
        return "none is known"
    ended = f", ended {local(_minute(good.ended_at), facts.notice.timezone)}" if good.ended_at else ""
    return f"for {good.run_date}{ended}"


def held_back(facts: Facts) -> str:
    """`11 messages before this one were held back: 9 failed, 2 recovered.`"""
    if not facts.held:
        return ""
    kinds = Counter(notice.kind for notice in facts.held)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    were = "was" if len(facts.held) == 1 else "were"
    return f"{counted(len(facts.held), 'message')} before this one {were} held back: {listed}."


def link(facts: Facts) -> str:
    """To the failing cell, the run, or the pipeline; empty where nbflow.toml has no server.url."""
    notice = facts.notice
    if facts.server_url is None:
        return ""
    parts = [facts.server_url]
    if notice.pipeline:
        parts += ["pipelines", quote(notice.pipeline)]
    if notice.run:
        parts += ["runs", quote(notice.run)]
    if notice.key and notice.attempt:
        parts += ["tasks", quote(notice.key.address), str(notice.attempt)]
    cell = facts.failure.failing_cell if facts.failure else None
    return "/".join(parts) + (f"#c{cell}" if cell is not None else "")


def command(facts: Facts) -> str:
    """What to type where there is no link, or no browser."""
    notice = facts.notice
    if notice.run is None:
        return ""
    return f"nbflow logs {notice.run} {notice.key.address}" if notice.key else f"nbflow status {notice.run}"


def local(at: datetime, zone: str) -> str:
    """`Wed 2026-04-01 02:00 -07:00 (America/Los_Angeles)`."""
    return f"{with_offset(at.astimezone(ZoneInfo(zone)))} ({zone})"


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
