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
from nbflow.manifest.edit.edit import apply
from nbflow.manifest.edit.history import History

__all__ = [
    "AddTask",
    "Command",
    "Connect",
    "Disconnect",
    "DuplicateTask",
    "History",
    "MoveTask",
    "RemoveTask",
    "RenameTask",
    "SetPipelineKey",
    "SetTaskKey",
    "apply",
]
