"""What a command does to the values of a manifest, whatever its text looks like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from nbflow.errors import Conflict, InvalidInput, NotFound
from nbflow.manifest.edit.commands import (
    AddTask,
    Command,
    Connect,
    Disconnect,
    DuplicateTask,
    MoveTask,
    Position,
    RemoveTask,
    RenameTask,
    SetPipelineKey,
    SetTaskKey,
)
from nbflow.manifest.edit.templates import rename_task
from nbflow.manifest.keys import PIPELINE
from nbflow.manifest.references import TEMPLATED
from nbflow.scalars import describe
from nbflow.text import did_you_mean

Values = dict[str, Any]

SHORT = {"retries": "max_retries", "schedule": "cron", "keep": "runs"}
"""The key that a value alone stands for."""


def change(values: Values, command: Command) -> Values:
    """The manifest's values with the command carried out. Raises NotFound, Conflict or InvalidInput, with a reason.

    The values given may be changed, too.
    """
    match command:
        case AddTask(name, notebook, after, position):
            _add(values, name, _new_task(values, notebook, after, position))
        case RemoveTask(name):
            _remove(values, name)
        case RenameTask(old, new):
            _rename(values, old, new)
        case DuplicateTask(name, copy, position):
            place = {"position": _point(position)} if position else {}
            _add(values, copy, {**_task(values, name), **place})
        case SetTaskKey(task, key, value):
            _set(_task(values, task), key.split("."), value, f"tasks.{task}", ("notebook", "depends_on"))
        case SetPipelineKey(path, value):
            _set(values, path.split("."), value, "", tuple(PIPELINE))
        case Connect(up, down):
            _connect(values, up, down)
        case Disconnect(up, down):
            _task(values, up)
            _depend(values, down, [name for name in _upstreams(_task(values, down)) if name != up])
        case MoveTask(name, position):
            _task(values, name)["position"] = _point(position)
        case _:
            assert_never(command)
    return values


# --- tasks ---------------------------------------------------------------------------------------------------------


def _tasks(values: Values) -> Values:
    tasks = values.get("tasks")
    if tasks is None:
        return {}
    if not isinstance(tasks, dict):
        raise InvalidInput(f"tasks must be a mapping, not {describe(tasks)}", where="tasks")
    return tasks


def _task(values: Values, name: str) -> Values:
    tasks = _tasks(values)
    if name not in tasks:
        raise NotFound(f"there is no task '{name}'", where=f"tasks.{name}", hint=did_you_mean(name, tasks))
    if not isinstance(task := tasks[name], dict):
        raise InvalidInput(f"tasks.{name} must be a mapping, not {describe(task)}", where=f"tasks.{name}")
    return task


def _new_task(values: Values, notebook: str, after: Iterable[str], position: Position | None) -> Values:
    task: Values = {"notebook": notebook}
    if ups := list(dict.fromkeys(after)):
        for up in ups:
            _task(values, up)
        task["depends_on"] = _spelled(values, ups)
    return {**task, "position": _point(position)} if position else task


def _add(values: Values, name: str, task: Values) -> None:
    tasks = _tasks(values)
    if tasks.setdefault(name, task) != task:
        raise Conflict(f"there is already a task '{name}'", where=f"tasks.{name}", hint="Choose another name.")
    _put(values, "tasks", tasks, tuple(PIPELINE))


def _remove(values: Values, name: str) -> None:
    tasks = _tasks(values)
    tasks.pop(name, None)
    for other in tasks:
        if name in _upstreams(tasks[other]):
            _depend(values, other, [up for up in _upstreams(tasks[other]) if up != name])


def _rename(values: Values, old: str, new: str) -> None:
    tasks = _tasks(values)
    if old == new or (old not in tasks and new in tasks):
        return
    _task(values, old)
    if new in tasks:
        raise Conflict(f"there is already a task '{new}'", where=f"tasks.{new}", hint="Choose another name.")
    values["tasks"] = {new if name == old else name: task for name, task in tasks.items()}
    for task in values["tasks"].values():
        if old in (ups := _upstreams(task)):
            renamed = [new if up == old else up for up in ups]
            task["depends_on"] = renamed if isinstance(task["depends_on"], list) else new
    for part in (*values["tasks"].values(), values.get("defaults")):
        for key in TEMPLATED if isinstance(part, dict) else ():
            if key in part:
                part[key] = _renamed(part[key], old, new)


def _renamed(value: Any, old: str, new: str) -> Any:
    match value:
        case str():
            return rename_task(value, old, new)
        case dict():
            return {name: _renamed(each, old, new) for name, each in value.items()}
        case list():
            return [_renamed(each, old, new) for each in value]
        case _:
            return value


def _point(position: Position) -> list[float]:
    x, y = (_json(float(each), "position") for each in position)
    return [int(each) if each == int(each) else each for each in (x, y)]


# --- depends_on ----------------------------------------------------------------------------------------------------


def _upstreams(task: Any) -> list[Any]:
    found = task.get("depends_on") if isinstance(task, dict) else None
    return found if isinstance(found, list) else [] if found is None else [found]


def _connect(values: Values, up: str, down: str) -> None:
    _task(values, up)
    if up not in (ups := _upstreams(_task(values, down))):
        _depend(values, down, [*ups, up])


def _depend(values: Values, name: str, ups: Sequence[str]) -> None:
    """Let a task run after these alone."""
    task = _task(values, name)
    if list(ups) == _upstreams(task):
        return
    if not ups:
        task.pop("depends_on", None)
    elif isinstance(task.get("depends_on"), list):
        task["depends_on"] = list(ups)
    else:
        _put(task, "depends_on", _spelled(values, ups), ("notebook", "depends_on"))


def _spelled(values: Values, ups: Sequence[str]) -> str | list[str]:
    """One upstream without the brackets where the manifest has it so; a list for all others."""
    written = [task["depends_on"] for task in _tasks(values).values() if _upstreams(task)]
    is_bare = len(ups) == 1 and written and all(isinstance(each, str) for each in written)
    return ups[0] if is_bare else list(ups)


# --- keys ----------------------------------------------------------------------------------------------------------


def _set(values: Values, path: Sequence[str], value: Any, where: str, order: Sequence[str]) -> None:
    name, *rest = path
    where = f"{where}.{name}" if where else name
    if not rest and value is None:
        values.pop(name, None)
    elif not rest:
        _put(values, name, _json(value, where), order)
    elif value is not None or name in values:
        inner = _opened(name, values.get(name), where)
        _set(inner, rest, value, where, ())
        if inner or value is not None:
            _put(values, name, inner, order)
        else:
            values.pop(name)


def _opened(name: str, value: Any, where: str) -> Values:
    """The mapping under a key: a new one where there is none, and what a shorthand stands for."""
    if value is None:
        return {}
    if not isinstance(value, dict | list) and name in SHORT:
        return {SHORT[name]: value}
    if not isinstance(value, dict):
        raise InvalidInput(f"{where} is no mapping, but {describe(value)}", where=where)
    return value


def _put(values: Values, name: str, value: Any, order: Sequence[str]) -> None:
    """Set a key; a new one stands behind those that come before it in the order, last without a place in it."""
    before = order[: order.index(name)] if name in order else tuple(values)
    if name not in values:
        at = max((index for index, each in enumerate(values, 1) if each in before), default=0)
        behind = {each: values.pop(each) for each in list(values)[at:]}
        values.update({name: value, **behind})
    values[name] = value


def _json(value: Any, where: str) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(f"{where} must be a value of JSON, not {value!r:.60}", where=where) from None
