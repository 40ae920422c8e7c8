"""Edit a manifest as text: an edit replaces what it must and leaves every other byte as it is. Pure."""

from __future__ import annotations

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
from nbflow.manifest.edit.draft import Draft, Refused
from nbflow.manifest.edit.edit import apply, sketch, values_of
from nbflow.manifest.edit.history import History, Step

__all__ = [
    "AddTask",
    "Command",
    "Connect",
    "Disconnect",
    "Draft",
    "DuplicateTask",
    "History",
    "MoveTask",
    "Refused",
    "RemoveTask",
    "RenameTask",
    "SetPipelineKey",
    "SetTaskKey",
    "Step",
    "apply",
    "sketch",
    "values_of",
]
