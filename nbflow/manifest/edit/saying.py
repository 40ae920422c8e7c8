"""What a command does, as a sentence that is read out after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

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
from nbflow.text import counted, join_names


def say(commands: Sequence[Command]) -> str:
    """`clean now runs after extract`; several of one kind are counted."""
    if not commands:
        return "the text was edited"
    if len(commands) == 1:
        return _one(commands[0])
    if all(isinstance(each, MoveTask) for each in commands):
        return f"{counted(len(commands), 'task')} moved"
    if all(isinstance(each, SetTaskKey) and (each.key, each.value) == ("position", None) for each in commands):
        return f"{counted(len(commands), 'task')} stand where the layout puts them"
    return f"{_one(commands[0])}, and {counted(len(commands) - 1, 'more change')}"


def _one(command: Command) -> str:
    match command:
        case AddTask(name, _, after):
            return f"{name} was added" + (f" after {join_names(after)}" if after else "")
        case RemoveTask(name):
            return f"{name} was removed"
        case RenameTask(old, new):
            return f"{old} is now called {new}"
        case DuplicateTask(name, copy):
            return f"{copy} was added, a copy of {name}"
        case SetTaskKey(task, key, value):
            return f"{key} of {task} was {'taken out' if value is None else 'set'}"
        case SetPipelineKey(path, value):
            return f"{path} was {'taken out' if value is None else 'set'}"
        case Connect(up, down):
            return f"{down} now runs after {up}"
        case Disconnect(up, down):
            return f"{down} no longer runs after {up}"
        case MoveTask(name):
            return f"{name} moved"
        case _:
            assert_never(command)
