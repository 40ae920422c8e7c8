"""What is in a new file: the manifest of a pipeline made of notebooks, and a notebook that can be a task at once."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence

from nbflow import graph
from nbflow.manifest import dump
from nbflow.model import Param, Pipeline, PipelineName, Task, TaskName
from nbflow.ports import Signature, Wish
from nbflow.workspace.single import as_run_param, can_be_named, passed_on, task_name


def manifest_from(wish: Wish, folder: str, signatures: Mapping[str, Signature]) -> str:
    """The manifest of a wish that is to stand in the folder: every task after those that it runs after.

    What a notebook must be given becomes a parameter of the pipeline; notebooks that ask for the same name share it.
    """
    tasks: dict[TaskName, Task] = {}
    params: dict[str, Param] = {}
    for name, path in zip(task_names(wish.notebooks), wish.notebooks, strict=True):
        needed = _needed(signatures[path])
        params |= {param.name: param for param in needed if param.name not in params}
        tasks[name] = Task(
            name=name,
            notebook=posixpath.relpath(path, folder or "."),
            depends_on=tuple(up for up in task_names(wish.notebooks) if (up, name) in wish.edges and up != name),
            params=passed_on(needed),
        )
    return dump(Pipeline(name=PipelineName(wish.name), params=params, tasks=_in_order(tasks)))


def task_names(notebooks: Sequence[str]) -> list[TaskName]:
    """A name for the task of each notebook; those that would share one are numbered."""
    found: list[TaskName] = []
    for path in notebooks:
        plain = task_name(posixpath.basename(path).removesuffix(".ipynb"))
        numbered = (plain if number == 1 else f"{plain}_{number}" for number in range(1, len(notebooks) + 1))
        found.append(TaskName(next(name for name in numbered if name not in found)))
    return found


def _needed(signature: Signature) -> list[Param]:
    return [as_run_param(param) for param in signature.params or () if param.is_required and can_be_named(param)]


def _in_order(tasks: Mapping[TaskName, Task]) -> Mapping[TaskName, Task]:
    if graph.cycle_path({name: task.depends_on for name, task in tasks.items()}):
        return tasks  # the check says so
    return {name: tasks[name] for name in graph.order(tasks)}


# --- a notebook ----------------------------------------------------------------------------------------------------

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_CELLS = (
    (
        "about",
        "markdown",
        "# {title}\n\nWhat this notebook does, and what for.",
    ),
    (
        "parameters",
        "code",
        'run_date: str = "2026-01-01"  # The day to work on; a task gives "{{{{ run_date }}}}"',
    ),
    (
        "first-step",
        "code",
        'from nbflow import task\n\nrows = [run_date]\nprint(f"{{len(rows)}} rows for {{run_date}}")',
    ),
    (
        "report",
        "code",
        'task.output("rows", len(rows))  # tasks that run after it can use this in their parameters',
    ),
)


def notebook_text(name: str) -> str:
    """A notebook as Jupyter writes it: a title, the cell with the parameters, a first step, a reported value."""
    title = name.replace("_", " ").replace("-", " ").strip()
    cells = [_cell(key, kind, source.format(title=title[:1].upper() + title[1:])) for key, kind, source in _CELLS]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cell(key: str, kind: str, source: str) -> dict[str, object]:
    cell: dict[str, object] = {
        "cell_type": kind,
        "id": key,
        "metadata": {"tags": ["parameters"]} if key == "parameters" else {},
        "source": source.splitlines(keepends=True),
    }
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}
