"""All that the editor's page shows of a draft, as JSON: the canvas, the problems, the text and the buttons read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from nbflow.api import DraftView
from nbflow.errors import InvalidInput, Problem
from nbflow.manifest.edit import values_of
from nbflow.manifest.keys import TASK
from nbflow_app.layout import Layout, laid_out
from nbflow_app.layout.settle import settle

Values = Mapping[str, Any]
Place = tuple[float, float]

_TASK = re.compile(r"tasks\.([a-z][a-z0-9_]*)")
_KEPT = [key for key, about in TASK.items() if not about.is_supported]


def sheet(view: DraftView) -> dict[str, Any]:
    """The sheet of a draft; where its text cannot be read, tasks and edges are those of the last text that could."""
    draft = view.draft
    values = shown_values(view)
    problems = [_problem(each) for each in view.definition.problems]
    tasks = tasks_of(values)
    ups = {name: upstreams(task, tasks) for name, task in tasks.items()}
    counts = Counter(each["task"] for each in problems)
    return {
        "version": draft.version,
        "text": draft.text,
        "changed": draft.is_changed,
        "can_undo": bool(draft.history.done),
        "can_redo": bool(draft.history.undone),
        "stale": view.is_stale,
        "said": draft.said,
        "unread": not values,
        "tasks": list(_boxes(tasks, values.get("defaults"), ups, counts)),
        "edges": [[up, name] for name, each in ups.items() for up in each],
        "problems": problems,
    }


def shown_values(view: DraftView) -> Values:
    """What the last text said that could be read; nothing where none could."""
    try:
        return values_of(view.draft.shown)
    except InvalidInput:  # the manifest could not be read from the start
        return {}


def tasks_of(values: Values) -> dict[str, Values]:
    """The tasks that are mappings, whatever else is wrong with them."""
    tasks = values.get("tasks")
    return {name: task for name, task in tasks.items() if isinstance(task, dict)} if isinstance(tasks, dict) else {}


def upstreams(task: Values, known: Iterable[str]) -> list[str]:
    """The tasks that it runs after and that there are."""
    given = task.get("depends_on")
    listed = given if isinstance(given, list) else [given]
    return [up for up in dict.fromkeys(each for each in listed if isinstance(each, str)) if up in known]


def _problem(problem: Problem) -> dict[str, Any]:
    found = _TASK.match(problem.where)
    return {
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
        "where": problem.where,
        "task": found[1] if found else "",
        "line": problem.line,
        "column": problem.column,
    }


def _boxes(
    tasks: Mapping[str, Values], defaults: Any, ups: Mapping[str, Iterable[str]], problems: Counter[str]
) -> Iterable[Values]:
    common = defaults if isinstance(defaults, dict) else {}
    placed = {name: point for name, task in tasks.items() if (point := _position(task.get("position")))}
    free = [name for name in tasks if name not in placed]
    points = {**placed, **_settled(free, ups, placed.values())}
    for name, task in tasks.items():
        x, y = points[name]
        notebook = task.get("notebook")
        yield {
            "name": name,
            "notebook": notebook if isinstance(notebook, str) else "",
            "x": x,
            "y": y,
            "placed": name in placed,
            "detail": _detail({**common, **task}),
            "problems": problems[name],
            "kept": [key for key in _KEPT if key in task],
        }


def _position(given: Any) -> Place | None:
    match given:
        case [int() | float() as x, int() | float() as y]:
            return x, y
        case _:
            return None


def _detail(task: Values) -> str:
    retries = task.get("retries")
    most = retries.get("max_retries") if isinstance(retries, dict) else retries
    tried = f"{most:,} {'retry' if most == 1 else 'retries'}" if isinstance(most, int) and most > 0 else ""
    timeout = task.get("timeout")
    return " · ".join(part for part in (tried, f"up to {timeout}" if isinstance(timeout, str) else "") if part)


def _settled(free: Sequence[str], ups: Mapping[str, Iterable[str]], taken: Iterable[Place]) -> Mapping[str, Place]:
    """Where tasks without a position stand: where the layout has them, as far as there is room."""
    if not free:  # a layout takes time
        return {}
    nodes = _places(ups).nodes
    return settle({name: nodes[name] for name in free}, taken)


def _places(ups: Mapping[str, Iterable[str]]) -> Layout:
    """Where all tasks would stand by themselves; a cycle that somebody wrote is cut open."""
    kept = {name: list(each) for name, each in ups.items()}
    while True:
        try:
            TopologicalSorter(kept).prepare()
        except CycleError as error:
            up, down = error.args[1][:2]
            kept[down].remove(up)
        else:
            return laid_out(tuple((name, tuple(each)) for name, each in kept.items()))
