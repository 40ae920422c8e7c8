"""Settings as they are written: nbflow.toml and variables in; values, and problems with their places, out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbflow.errors import Problem
from nbflow.scalars import Unfit, describe
from nbflow.settings.table import SETTINGS, Setting
from nbflow.text import did_you_mean, fault
from nbflow.tomltext import read_toml

FILE = "nbflow.toml"
_PREFIX = "NBFLOW_"

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that somebody made."""

    setting: Setting
    name: str
    """What stands for NAME; empty for a key without one."""
    value: Any


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is written. `where` is what people call it: its dotted key, or its variable."""

    file: str
    where: str = ""
    line: int = 1
    column: int = 1

    def problem(self, message: str, hint: str = "") -> Problem:
        return Problem(file=self.file, where=self.where, line=self.line, column=self.column, message=message, hint=hint)


def from_file(path: Path) -> Iterator[Given | Problem]:
    """What the project file sets, in its order; nothing where there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except (UnicodeDecodeError, OSError) as error:
        yield _Place(FILE).problem(f"this cannot be read: {fault(error)}")
        return
    try:
        document = read_toml(text)
    except ValueError as error:
        yield _syntax(str(error), text)
        return
    positions = _positions(text)
    for keys, value in _leaves(document):
        yield _read_keys(keys, value, _place(keys, positions))


def from_environment(environ: Mapping[str, str]) -> Iterator[Given | Problem]:
    """What variables set. Empty ones count as not set.

    A name that begins like one of ours and is none is a problem; other NBFLOW_… names are not for settings.
    """
    sections = tuple(f"{_PREFIX}{setting.path[0].upper()}_" for setting in SETTINGS)
    for variable, text in sorted(environ.items()):
        if not variable.startswith(_PREFIX) or not text.strip():
            continue
        place = _Place("environment", variable)
        for setting in SETTINGS:
            if name := re.fullmatch(setting.variable.replace("<NAME>", "(.+)"), variable):
                yield _read(setting, "".join(name.groups()).lower(), setting.kind.parse(text), place)
                break
        else:
            if variable.startswith(sections):
                known = [setting.variable for setting in SETTINGS]
                yield place.problem(f"there is no setting {variable}", did_you_mean(variable, known))


def _read(setting: Setting, name: str, value: Any, place: _Place) -> Given | Problem:
    if name and not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return place.problem(f"'{name}' cannot be a name in {setting.path[0]}", "It must match [a-z][a-z0-9_]*.")
    try:
        return Given(setting, name, setting.kind.check(value))
    except Unfit as error:
        return place.problem(f"{place.where} {error.message}", error.hint)


# --- the file -----------------------------------------------------------------------------------------------------


def _leaves(table: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """What the file sets, down to where a setting stands, or none can."""
    for name, value in table.items():
        keys = (*above, name)
        if isinstance(value, dict) and any(_leads_to(setting, keys) for setting in SETTINGS):
            yield from _leaves(value, keys)
        else:
            yield keys, value


def _read_keys(keys: Keys, value: Any, place: _Place) -> Given | Problem:
    for setting in SETTINGS:
        if _fits(setting.path, keys):
            return _read(setting, keys[setting.path.index("NAME")] if "NAME" in setting.path else "", value, place)
        if _leads_to(setting, keys):
            return place.problem(f"{place.where} must be a table, not {describe(value)}", f"Write [{place.where}].")
    *above, name = keys
    known = {each.path[len(above)] for each in SETTINGS if _leads_to(each, tuple(above))}
    where = f" in {'.'.join(above)}" if above else ""
    return place.problem(f"unknown key '{name}'{where}", did_you_mean(name, known))


def _fits(path: Keys, keys: Keys) -> bool:
    return len(path) == len(keys) and all(part in {"NAME", key} for part, key in zip(path, keys, strict=True))


def _leads_to(setting: Setting, keys: Keys) -> bool:
    return len(keys) < len(setting.path) and _fits(setting.path[: len(keys)], keys)


def _syntax(message: str, text: str) -> Problem:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    line, column = (found[1] or len(text.splitlines()), found[2] or 1) if found else (1, 1)
    reason = message[: found.start()] if found else message
    return _Place(FILE, "", int(line), int(column)).problem(f"this is no TOML: {reason}")


# --- positions: tomllib gives none --------------------------------------------------------------------------------

_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_LINE = re.compile(rf"[ \t]*(?:\[[ \t]*(?P<table>{_DOTTED})[ \t]*\]|(?P<key>{_DOTTED})[ \t]*=)", re.ASCII)


def _positions(text: str) -> Mapping[Keys, tuple[int, int]]:
    """The first line and column of every table and of every key that begins a line."""
    found: dict[Keys, tuple[int, int]] = {}
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if matched := _LINE.match(line):
            group = matched.lastgroup or ""
            keys = tuple(part.strip("\"'") for part in re.findall(_PART, matched[group]))
            table, keys = (keys, keys) if group == "table" else (table, (*table, *keys))
            for end in range(1, len(keys) + 1):
                found.setdefault(keys[:end], (number, matched.start(group) + 1))
    return found


def _place(keys: Keys, positions: Mapping[Keys, tuple[int, int]]) -> _Place:
    """Where a key stands, or else, as for one of an inline table, the nearest key around it."""
    around = (keys[:end] for end in range(len(keys), 0, -1))
    line, column = next((positions[each] for each in around if each in positions), (1, 1))
    return _Place(FILE, ".".join(keys), line, column)
