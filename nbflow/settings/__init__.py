"""What a project has chosen: nbflow.toml, and NBFLOW_… variables over it. Only reads; opens nothing that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbflow.errors import InvalidManifest, Problem
from nbflow.settings.reading import FILE, Given, from_environment, from_file
from nbflow.settings.table import SETTINGS, Setting, Settings
from nbflow.text import did_you_mean

__all__ = ["FILE", "SETTINGS", "STATE", "Setting", "Settings", "find_project", "load"]

STATE = ".nbflow"
"""Folder of the project in which nbflow keeps its own files."""


def find_project(start: Path) -> Path:
    """The nearest folder upward with an nbflow.toml or a .nbflow folder, else `start` itself; absolute."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file() or (folder / STATE).is_dir():
            return folder
    return start


def load(project: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a project. Raises InvalidManifest with every problem of the file and of the variables."""
    found = [*from_file(project / FILE), *from_environment(environ)]
    if problems := [each for each in found if isinstance(each, Problem)]:
        raise InvalidManifest(problems)
    values: dict[str, Any] = {}
    for given in (each for each in found if isinstance(each, Given)):
        field = given.setting.field
        values[field] = {**values.get(field, {}), given.name: given.value} if given.name else given.value
    settings = Settings(**values)
    if problems := [_unknown_channel(each, settings) for each in settings.on_restart if each not in settings.channels]:
        raise InvalidManifest(problems)
    return settings


def _unknown_channel(name: str, settings: Settings) -> Problem:
    hint = did_you_mean(name, settings.channels) or f'Write [channels.{name}] with urls = ["mailto://…"].'
    return Problem(
        file=FILE,
        where="alerts.on_restart",
        message=f"alerts.on_restart names the channel '{name}', which is not there",
        hint=hint,
    )
