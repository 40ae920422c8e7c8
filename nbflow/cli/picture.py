"""A run on its way as a picture on the terminal: a row for each task, drawn anew a few times a second."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from nbflow import graph
from nbflow.cli.progress import Cells, Snapshot, transition_text
from nbflow.cli.tables import cut
from nbflow.cli.words import because_text, counts_text, ready_text, state_text, style_of, values_text
from nbflow.estimates import Past
from nbflow.live import LiveRun
from nbflow.model import TaskName
from nbflow.ports import Progress
from nbflow.run import Run, TaskRun
from nbflow.states import TaskState
from nbflow.text import counted, one_line, seconds_text, took

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PICTURES_A_SECOND = 4

LONGEST_NAME = 40
"""Characters of a task's name that are shown where the screen is narrow."""

_RANK = {
    state: rank
    for rank, state in enumerate(
        (
            TaskState.RUNNING,
            TaskState.FAILED,
            TaskState.RETRY_WAIT,
            TaskState.CANCELLED,
            TaskState.QUEUED,
            TaskState.SUCCESS,
            TaskState.UPSTREAM_FAILED,
            TaskState.WAITING,
            TaskState.SKIPPED,
        )
    )
}
"""Which rows are shown first where not all fit."""


class Picture:
    """A table that is drawn anew at most four times a second; its last state stays on the screen."""

    def __init__(self, console: Console, cells: Cells, past: Past) -> None:
        from rich.live import Live

        self._console, self._cells, self._past = console, cells, past
        self._usual = past.usual_seconds
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)
        self._began, self._drawn_at = datetime.now(UTC), float("-inf")
        self._is_open = False
        self._order: Sequence[TaskName] | None = None
        self.notice = ""

    def __enter__(self) -> Picture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            self._live.stop()
            self._console.print()

    def __call__(self, snapshot: Snapshot) -> None:
        if not self._is_due(snapshot.run):
            return
        if self._order is None:
            self._order = graph.order(snapshot.pipeline.tasks)
        rows = rows_to_show(snapshot, self._order, self._console.size.height - 4)
        notice = "" if snapshot.run.state.is_terminal else self.notice
        now = datetime.now(UTC)
        ready = ready_text(self._past.finish(live_run(snapshot), now), now)
        picture = draw(snapshot, rows, self._cells, self._usual, now, began=self._began, ready=ready, notice=notice)
        self._live.update(picture, refresh=True)

    def _is_due(self, run: Run) -> bool:
        """The last picture always; the first only of a run that still goes on."""
        now = time.monotonic()
        if not self._is_open and not run.state.is_terminal:
            self._live.start()
            self._is_open = True
        is_due = self._is_open and (run.state.is_terminal or now - self._drawn_at >= 1 / PICTURES_A_SECOND)
        self._drawn_at = now if is_due else self._drawn_at
        return is_due


def live_run(snapshot: Snapshot) -> LiveRun:
    return snapshot if isinstance(snapshot, LiveRun) else LiveRun(snapshot.run, snapshot.pipeline, snapshot.tasks)


def rows_to_show(snapshot: Snapshot, order: Sequence[TaskName], most: int) -> list[TaskRun]:
    """All task runs in the order of the graph; the most interesting ones where not all fit."""
    position = {name: at for at, name in enumerate(order)}

    def place(task_run: TaskRun) -> tuple[int, int]:
        return position[task_run.key.task], task_run.key.item or 0

    def interest(task_run: TaskRun) -> tuple[int, float, tuple[int, int]]:
        ended = task_run.ended_at.timestamp() if task_run.ended_at else 0.0
        return _RANK[task_run.state], -ended, place(task_run)

    chosen: list[TaskRun] = list(snapshot.tasks.values())
    if len(chosen) > max(1, most):
        chosen = heapq.nsmallest(max(1, most), chosen, key=interest)
    return sorted(chosen, key=place)


def draw(
    snapshot: Snapshot,
    rows: Sequence[TaskRun],
    cells: Cells,
    usual: Mapping[TaskName, float],
    now: datetime,
    *,
    began: datetime | None = None,
    header: bool = True,
    ready: str = "",
    notice: str = "",
) -> RenderableType:
    """The run as it stands: a line above (`header`), a row for each of `rows`, a line of counts below.

    The time is counted from `began`: a run that is repaired may have started days ago.
    """
    from rich.console import Group
    from rich.text import Text

    run = snapshot.run
    counts = Counter(each.state for each in snapshot.tasks.values())
    ended = sum(count for state, count in counts.items() if state.is_terminal)
    hidden = f"{len(rows):,} shown · " if len(rows) < len(snapshot.tasks) else ""
    elapsed = took(began or run.started_at, run.ended_at, now)
    top = Text.assemble((run.pipeline, "bold"), f"  {run.run_date}  ", (f"run {run.id}", "dim"), overflow="ellipsis")
    bottom = Text(
        f"{ended:,} of {counted(len(snapshot.tasks), 'task')} ended · {hidden}{counts_text(counts)}"
        + (f" · {elapsed}" if elapsed else "")
        + (f" · {ready}" if ready else ""),
        style="dim",
        overflow="ellipsis",
        no_wrap=True,
    )
    table = _table(snapshot, rows, cells, usual, now)
    return Group(*([top] if header else []), table, bottom, *([Text(notice, style="yellow")] if notice else []))


def _table(
    snapshot: Snapshot, rows: Sequence[TaskRun], cells: Cells, usual: Mapping[TaskName, float], now: datetime
) -> Table:
    from rich.table import Table

    # Only the last column gives way where the screen is narrow: Rich shrinks those first that may wrap.
    widest = max((len(each.key.address) for each in rows), default=0)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("state", no_wrap=True, min_width=max((len(state_text(each.state)) for each in rows), default=0))
    table.add_column("task", no_wrap=True, overflow="ellipsis", min_width=min(widest, LONGEST_NAME))
    table.add_column("took", no_wrap=True, justify="right", min_width=6)
    if usual:
        table.add_column("usual", no_wrap=True, justify="right", style="dim", min_width=5)
    table.add_column("")
    for task_run in rows:
        known = usual.get(task_run.key.task)
        table.add_row(
            cut(state_text(task_run.state), style_of(task_run.state)),
            task_run.key.address,
            _elapsed(task_run, now),
            *([seconds_text(known) if known is not None else ""] if usual else []),
            cut(_detail(snapshot.run, task_run, cells), style_of(task_run.state)),
        )
    return table


def _elapsed(task_run: TaskRun, now: datetime) -> str:
    if task_run.live:
        return took(task_run.live.started_at, None, now)
    if task_run.set_by:
        return ""
    return took(task_run.started_at, task_run.ended_at)


def _detail(run: Run, task_run: TaskRun, cells: Cells) -> str:
    match task_run.state:
        case TaskState.RUNNING if task_run.live:
            return _running(task_run, cells(run, task_run.live))
        case TaskState.SUCCESS:
            return ", ".join(filter(None, (_by_hand(task_run), _tries(task_run), values_text(task_run.outputs))))
        case TaskState.RETRY_WAIT:
            return transition_text(task_run)
        case _:
            return ", ".join(filter(None, (_by_hand(task_run), because_text(task_run.reason))))


def _running(task_run: TaskRun, progress: Progress | None) -> str:
    attempt = f"attempt {task_run.attempts}, " if task_run.attempts > 1 else ""
    if progress is None or progress.cell is None:
        return f"{attempt}starting"
    return f"{attempt}cell {progress.cell} of {progress.cells}"


def _by_hand(task_run: TaskRun) -> str:
    note = f" ({one_line(task_run.note)})" if task_run.note else ""
    return f"set by {task_run.set_by}{note}" if task_run.set_by else ""


def _tries(task_run: TaskRun) -> str:
    return f"attempt {task_run.attempts}" if task_run.attempts > 1 else ""
