"""A run as it stands or ended, for people: its tasks, what failed and where, what that blocks, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbflow import graph, repair
from nbflow.api import RunView
from nbflow.cli.picture import draw, rows_to_show
from nbflow.cli.progress import Cells
from nbflow.cli.words import counts_text, local_time, state_text, style_of, utc_time, values_text
from nbflow.live import LiveRun
from nbflow.model import TaskKey, TaskName
from nbflow.run import Attempt, TaskRun
from nbflow.states import CAUSE_SENTENCES, Cause, RunState, TaskState
from nbflow.text import counted, join_names, one_line, took

if TYPE_CHECKING:
    from rich.console import Console

MOST_FAILURES = 10
"""Failed task runs that are told in full; the others are counted."""

Command = Callable[..., str]
"""Words of an nbflow command → the command to paste: `Session.command`."""


def print_status(
    console: Console,
    view: RunView,
    cells: Cells,
    usual: Mapping[TaskName, float],
    command: Command,
    ready: str = "",
) -> None:
    """The whole run: what it is, a row for each task, then `print_end`'s failures."""
    run = view.run
    console.print(f"{state_text(run.state)}  run {run.id} of {run.pipeline}", style=style_of(run.state))
    facts = {
        "for": f"{run.run_date} ({utc_time(run.logical_date)})",
        "kind": f"{run.kind}, by {run.created_by}" if run.created_by else str(run.kind),
        "params": values_text(run.params),
        "created": local_time(run.created_at),
        "started": local_time(run.started_at),
        "ended": local_time(run.ended_at),
        "expected": ready,
    }
    for name, value in facts.items():
        if value:
            console.print(f"  {name:<8} {value}")
    console.print()
    rows = rows_to_show(view.stored, graph.order(view.stored.pipeline.tasks), len(view.tasks))
    console.print(draw(view.stored, rows, cells, usual, datetime.now(UTC), header=False))
    _print_failures(console, view, command)


def print_end(console: Console, view: RunView, command: Command, began: datetime) -> None:
    """How a run ended that was carried on since `began`: one line, then each failure and the next commands."""
    run = view.run
    counts = Counter(each.state for each in view.tasks.values())
    text = f"{state_text(run.state)}  run {run.id}: {counts_text(counts)}, {took(began, run.ended_at)}"
    console.print(text.rstrip(", "), style=style_of(run.state), soft_wrap=True)
    _print_failures(console, view, command)


def _print_failures(console: Console, view: RunView, command: Command) -> None:
    failed = [each for each in view.tasks.values() if each.state is TaskState.FAILED]
    failed.sort(key=lambda each: _is_allowed(view, each))
    for task_run in failed[:MOST_FAILURES]:
        console.print()
        _print_failure(console, view, task_run)
    if len(failed) > MOST_FAILURES:
        more = counted(len(failed) - MOST_FAILURES, "more failed task")
        console.print(f"\n… and {more}: {command('status', view.run.id)}")
    _print_next(console, view, failed, command)


def _print_next(console: Console, view: RunView, failed: Sequence[TaskRun], command: Command) -> None:
    """The commands that go on from here, ready to paste."""
    if not view.run.state.is_terminal or view.run.state is RunState.SUCCESS:
        return
    console.print()
    if begun := next((each for each in failed if view.attempts.get(each.key)), None):
        console.print("Read the log, mend the notebook, and go on from there:", style="dim")
        console.print(f"  {command('logs', view.run.id, begun.key.address)}", soft_wrap=True)
    elif any(each.cause is Cause.INVALID for each in failed):
        console.print("A run keeps the manifest it began with: mend the manifest, and start a new run.", style="dim")
        return
    else:
        console.print("To go on:", style="dim")
    console.print(f"  {command('rerun', view.run.id)}", soft_wrap=True)


def _print_failure(console: Console, view: RunView, task_run: TaskRun) -> None:
    tried = view.attempts.get(task_run.key, ())
    last = tried[-1] if tried else None
    is_allowed = _is_allowed(view, task_run)
    text = f"{state_text(task_run.state)}  {task_run.key.address}{_where(task_run, last)}"
    console.print(f"{text}, as it may" if is_allowed else text, style="yellow" if is_allowed else "red")
    if because := one_line(task_run.reason or task_run.note or "") or _cause(task_run):
        console.print(f"  {because}", soft_wrap=True)
    if last:
        console.print(f"  notebook  {view.notebooks[last.id]}", soft_wrap=True)
    if blocked := _blocked(view, task_run.key):
        console.print(f"  blocks    {join_names(blocked)}", soft_wrap=True)


def _is_allowed(view: RunView, task_run: TaskRun) -> bool:
    """Its failure does not fail the run."""
    return view.stored.pipeline.tasks[task_run.key.task].allow_failure


def _where(task_run: TaskRun, last: Attempt | None) -> str:
    """` in cell 3, attempt 2 of 2`."""
    if task_run.set_by:
        return f", set by {task_run.set_by}"
    cell = f" in cell {last.failing_cell}" if last and last.failing_cell else ""
    cause = f" ({task_run.cause})" if task_run.cause and task_run.cause is not Cause.ERROR else ""
    return f"{cell}{cause}" + (f", after {task_run.attempts} attempts" if task_run.attempts > 1 else "")


def _cause(task_run: TaskRun) -> str:
    return CAUSE_SENTENCES[task_run.cause] if task_run.cause else ""


def _blocked(view: RunView, failed: TaskKey) -> list[str]:
    """The task runs that cannot run because this one failed, directly or through others."""
    live = LiveRun(view.run, view.stored.pipeline, view.tasks)
    return [key.address for key in repair.below(live, [failed]) if view.tasks[key].state is TaskState.UPSTREAM_FAILED]
