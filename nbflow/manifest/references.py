"""What the templates of a manifest refer to must exist: tasks upstream, parameters, names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from nbflow.errors import InvalidInput
from nbflow.manifest.reading import Reading
from nbflow.manifest.report import Report
from nbflow.model import Pipeline
from nbflow.params.names import NAMES, TASK_NAMES
from nbflow.params.templates import Path, is_template, references
from nbflow.text import did_you_mean

TEMPLATED = ("params", "when", "env", "for_each", "wait_for", "reads", "produces")
"""The keys of a task, and of the defaults, whose texts may be templates."""


def check_references(reading: Reading, report: Report, env: Collection[str] | None) -> None:
    """Add every template that is broken, or refers to something that can never be there."""
    upstreams = all_upstreams(reading.pipeline)
    for task in reading.pipeline.tasks:
        for key in TEMPLATED:
            for part in reading.parts(task, key):
                for node in part.texts():
                    for message, hint in _problems(node.value, reading, task, upstreams[task], env):
                        report.error(node, f"{node.where} {message}", hint)


def _problems(
    text: str, reading: Reading, task: str, upstream: Collection[str], env: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    if not is_template(text):
        return
    try:
        paths = references(text)
    except InvalidInput as error:
        yield f"is {error.message}", error.hint
        return
    for path in sorted(paths):
        yield from _problem(path, reading, task, upstream, env)


def _problem(
    path: Path, reading: Reading, task: str, upstream: Collection[str], env: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    match path:
        case ("tasks", name, *rest):
            yield from _task_problem(name, rest, reading, task, upstream)
        case ("tasks",):
            yield "refers to 'tasks' without naming one", "Write tasks.NAME.outputs.VALUE."
        case ("params", name, *_) if (
            name not in reading.root.find("params").entries or "params" not in reading.root.entries
        ):
            hint = did_you_mean(name, reading.pipeline.params) or "The pipeline declares none."
            yield f"refers to parameter '{name}', which the pipeline does not declare", hint
        case ("env", name, *_) if env is not None and name not in env:
            yield f"refers to environment variable '{name}', which nbflow.toml does not allow", did_you_mean(name, env)
        case ("item", *_) if reading.tasks[task].child("for_each") is None:
            yield "refers to 'item', which only a task with for_each has", ""
        case (name, *_) if name not in NAMES:
            yield f"refers to '{name}', which is not defined", did_you_mean(name, NAMES)
        case (space, name, *_) if (fixed := NAMES[space]) and name not in fixed:
            yield f"refers to '{space}.{name}', which is not defined", did_you_mean(name, fixed)


def _task_problem(
    name: str, rest: list[str], reading: Reading, task: str, upstream: Collection[str]
) -> Iterator[tuple[str, str]]:
    if name not in reading.tasks:
        yield (
            f"refers to task '{name}', which does not exist",
            did_you_mean(name, upstream or reading.tasks.keys() - {task}),
        )
    elif name == task:
        yield f"refers to task '{name}', which is the task itself", ""
    elif name not in upstream:
        hint = f"Add '{name}' to the depends_on of '{task}'."
        yield f"refers to task '{name}', which is not upstream of '{task}'", hint
    elif rest and rest[0] not in TASK_NAMES:
        yield f"refers to '{rest[0]}' of task '{name}', which is not defined", did_you_mean(rest[0], TASK_NAMES)


def all_upstreams(pipeline: Pipeline) -> Mapping[str, set[str]]:
    """All tasks that must come before each, however far; also where the graph has cycles."""
    tasks: Mapping[str, Collection[str]] = {name: task.depends_on for name, task in pipeline.tasks.items()}
    found: dict[str, set[str]] = {}
    for name in tasks:
        seen: set[str] = set()
        stack = list(tasks[name])
        while stack:
            up = stack.pop()
            if up not in seen:
                seen.add(up)
                stack.extend(tasks.get(up, ()))
        found[name] = seen
    return found
