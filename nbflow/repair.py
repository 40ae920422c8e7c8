"""Which task runs an operator's request touches, and when it is refused (semantics §6). Pure: it decides, nothing more.

The same answers serve the preview (`--dry-run`) and the action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbflow.errors import Conflict, InvalidInput
from nbflow.live import View
from nbflow.model import FrozenNotebook, TaskKey, TaskName
from nbflow.run import CancelRequested, MarkRequested, ResetRequested, RetryNowRequested, TaskRun
from nbflow.states import TaskState, in_words
from nbflow.text import join_names

KILL_HINT = "Wait for it, or stop it first (--kill)."
FROZEN_HINT = "Mend it, or run the notebooks as they were (--frozen)."


def to_reset(view: View, request: ResetRequested) -> tuple[TaskKey, ...]:
    """The task runs that go back to `waiting`, in the order of the pipeline. Raises Conflict, NotFound."""
    live = view.live
    for key in request.keys:
        live.get(key)
    redone = {TaskState.FAILED, TaskState.CANCELLED}
    chosen = set(request.keys) or {key for key in live.tasks if view.get(key).state in redone}
    if not chosen and any(not view.get(key).state.is_terminal for key in live.tasks):  # two people pressed at once
        raise Conflict(
            f"run {live.run.id} goes on already, and nothing in it failed or was cancelled",
            hint="Somebody may have run it again just now.",
        )
    if not chosen:
        raise Conflict(
            f"nothing in run {live.run.id} failed or was cancelled", hint="Name the tasks to run again (--task)."
        )
    blocked = {TaskState.UPSTREAM_FAILED, TaskState.SKIPPED}
    under = (key for key in below(view, chosen) if not request.only or view.get(key).state in blocked)
    touched = chosen | set(under)
    busy = [key.address for key in live.tasks if key in touched and view.get(key).live is not None]
    if busy and not request.kill:
        raise Conflict(f"still running: {join_names(busy)}", hint=KILL_HINT)
    return tuple(key for key in live.tasks if key in touched)


def to_mark(view: View, request: MarkRequested) -> TaskRun:
    """The task run to set. Raises Conflict while it runs, unless it may be killed."""
    if request.state not in {TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED}:
        raise InvalidInput(
            f"a task cannot be marked {request.state}", hint="The states to mark are success, failed and skipped."
        )
    view.live.get(request.key)
    task_run = view.get(request.key)
    if task_run.live is not None and not request.kill:
        raise Conflict(f"task '{request.key.address}' is running", hint=KILL_HINT)
    return task_run


def reopened(view: View, key: TaskKey) -> tuple[TaskKey, ...]:
    """What becomes `waiting` again below a task run that is set by hand: what its join rule had decided."""
    return tuple(down for down in below(view, [key]) if view.get(down).by_rule)


def to_cancel(view: View, request: CancelRequested) -> tuple[TaskKey, ...]:
    """The unfinished task runs to stop. Raises Conflict where there is none."""
    if request.key is not None:
        view.live.get(request.key)
        if view.get(request.key).state.is_terminal:
            raise Conflict(f"task '{request.key.address}' has ended already: {in_words(view.get(request.key).state)}")
        return (request.key,)
    unfinished = tuple(key for key in view.live.tasks if not view.get(key).state.is_terminal)
    if not unfinished:
        raise Conflict(f"run {view.live.run.id} has ended already: {view.live.run.state}")
    return unfinished


def to_retry_now(view: View, request: RetryNowRequested) -> TaskRun:
    """The task run whose wait ends now. Raises Conflict where it does not wait."""
    view.live.get(request.key)
    task_run = view.get(request.key)
    if task_run.state is not TaskState.RETRY_WAIT:
        raise Conflict(f"task '{request.key.address}' does not wait for a retry: it is {in_words(task_run.state)}")
    return task_run


def below(view: View, roots: Iterable[TaskKey]) -> tuple[TaskKey, ...]:
    """All descendants of `roots`, in the order of the pipeline."""
    downs = view.live.downs
    found: set[TaskKey] = set()
    stack = [down for root in roots for down in downs[root]]
    while stack:
        key = stack.pop()
        if key not in found:
            found.add(key)
            stack.extend(downs[key])
    return tuple(key for key in view.live.tasks if key in found)


def changed_notebooks(
    view: View, keys: Iterable[TaskKey], fresh: Mapping[TaskName, FrozenNotebook]
) -> tuple[TaskKey, ...]:
    """Those of `keys` whose notebook on disk is not the copy that they ran."""
    return tuple(key for key in keys if key.task in fresh and fresh[key.task].sha256 != view.get(key).notebook.sha256)
