"""Commands as JSON: how a browser sends them, and how a draft keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from math import isfinite
from typing import Any

from nbflow.errors import InvalidInput
from nbflow.manifest.edit.commands import (
    AddTask,
    Command,
    Connect,
    Disconnect,
    DuplicateTask,
    MoveTask,
    RemoveTask,
    RenameTask,
    SetPipelineKey,
    SetTaskKey,
)
from nbflow.scalars import describe
from nbflow.text import did_you_mean

COMMANDS: Mapping[str, Callable[..., Command]] = {
    "add_task": AddTask,
    "remove_task": RemoveTask,
    "rename_task": RenameTask,
    "duplicate_task": DuplicateTask,
    "set_task_key": SetTaskKey,
    "set_pipeline_key": SetPipelineKey,
    "connect": Connect,
    "disconnect": Disconnect,
    "move_task": MoveTask,
}
_VERBS = {made: verb for verb, made in COMMANDS.items()}


def parse(given: Any) -> Command:
    """`{"do": "connect", "up": "extract", "down": "clean"}` as a command. Raises InvalidInput."""
    if not isinstance(given, dict):
        raise InvalidInput(f"a command must be a mapping, not {describe(given)}")
    verb = given.get("do")
    if not isinstance(verb, str):
        raise InvalidInput("a command needs a 'do' that names it", where="do")
    if verb not in COMMANDS:
        raise InvalidInput(f"there is no command '{verb}'", where="do", hint=did_you_mean(verb, COMMANDS))
    made = COMMANDS[verb]
    known = {field.name: field for field in fields(made)}  # type: ignore[arg-type]
    if odd := next((name for name in given if name not in known and name != "do"), None):
        raise InvalidInput(f"{verb} knows no '{odd}'", where=odd, hint=did_you_mean(odd, known))
    missing = [name for name, field in known.items() if name not in given and field.default is MISSING]
    if missing:
        raise InvalidInput(f"{verb} needs '{missing[0]}'", where=missing[0])
    values = {name: _read(name, value) for name, value in given.items() if name != "do"}
    if values.get("position", ()) is None and known["position"].default is MISSING:
        raise InvalidInput(f"{verb} needs 'position'", where="position")
    return made(**values)


def dump(command: Command) -> dict[str, Any]:
    """What `parse` makes the command of, once it went through JSON."""
    return {"do": _VERBS[type(command)], **{field.name: getattr(command, field.name) for field in fields(command)}}


def _read(name: str, value: Any) -> Any:
    match name, value:
        case "value", _:
            return value
        case "position", None:
            return None
        case "position", [int() | float() as x, int() | float() as y] if _are_numbers(x, y):
            return (x, y)
        case "position", _:
            raise InvalidInput(f"position must be two numbers, not {describe(value)}", where=name)
        case "after", list() if all(isinstance(each, str) for each in value):
            return tuple(value)
        case "after", _:
            raise InvalidInput(f"after must be a list of names, not {describe(value)}", where=name)
        case _, str():
            return value
        case _:
            raise InvalidInput(f"{name} must be text, not {describe(value)}", where=name)


def _are_numbers(*values: float) -> bool:
    return all(not isinstance(each, bool) and isfinite(each) for each in values)
