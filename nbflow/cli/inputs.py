"""What a person types, as values: NAME=VALUE pairs, parameter files, dates and instants. Raises InvalidInput."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nbflow.errors import InvalidInput, InvalidManifest, Problem
from nbflow.scalars import read_day_or_instant, read_value
from nbflow.text import fault


def pairs(options: Iterable[str], option: str) -> dict[str, str]:
    """`["region=emea"]` → `{"region": "emea"}`; a value may itself contain `=`."""
    found: dict[str, str] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"{option} takes NAME=VALUE, not '{text}'")
        if name.strip() in found:
            raise InvalidInput(f"{option} names '{name.strip()}' twice")
        found[name.strip()] = value
    return found


def typed_pairs(options: Iterable[str], option: str) -> dict[str, Any]:
    """The same with values as YAML reads them: `rows=3` is a number, `files=["a", "b"]` a list."""
    typed: dict[str, Any] = {}
    for name, text in pairs(options, option).items():
        try:
            typed[name] = read_value(text)
        except ValueError as error:
            raise InvalidInput(f"{option} {name}: '{text}' is no JSON: {error}") from None
    return typed


def values_file(path: Path) -> Mapping[str, Any]:
    """The mapping in a YAML 1.2 or JSON file, read as manifests are: dates stay text, a name stands once."""
    from nbflow.manifest.document import Node, read

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {fault(error)}") from None
    problems: list[Problem] = []

    def complain(node: Node, message: str, hint: str) -> None:
        line, column = node.mark
        problems.append(Problem(file=str(path), line=line, column=column, message=message, hint=hint))

    document = read(text, complain)
    if problems:
        raise InvalidManifest(problems)
    values = document.plain() if document else None
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} must be a mapping of parameter names to values")
    return values


def day_or_instant(text: str, option: str) -> date | datetime:
    """`2026-04-01`, or an instant with its UTC offset: `2026-04-01T02:00-07:00`, `2026-04-01T09:00Z`."""
    try:
        return read_day_or_instant(text)
    except ValueError as error:
        raise InvalidInput(f"{option} {error}") from None


def instant_after(text: str, zone: str, option: str) -> datetime:
    """An instant as written; a date is its first moment in the zone."""
    when = day_or_instant(text, option)
    if isinstance(when, datetime):
        return when
    return datetime.combine(when, time(), ZoneInfo(zone)).astimezone(UTC)
