"""Keys of a manifest as fields of a form: what stands there as text, and the text that was typed as a value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbflow.errors import InvalidInput
from nbflow.manifest.edit.changes import SHORT
from nbflow.scalars import read_scalar
from nbflow_app.forms.fields import text_of
from nbflow_app.visit import Visit

Values = Mapping[str, Any]
WAS = "was"
"""The field that carries what the others said when the form was opened: only what was changed since is sent on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: its path in the task or the pipeline is also the name of its field."""

    path: str
    label: str
    kind: str = "text"
    """`text`, `number`, `date`, `check`, `select`, `long`, `names` with commas,
    `pairs`, one a line, or `when`: true, false or a template."""
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    """Values with their words."""
    options: str = ""
    """The list of proposals that it is typed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A key as it stands in the form."""

    key: Key
    text: str
    default: str = ""
    """What holds where nothing is typed."""
    is_wrong: bool = False


def stored(key: Key, values: Values) -> str:
    """What the manifest says there, as a person would type it."""
    value: Any = values
    for step in key.path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
        value = {SHORT[step]: value} if step in SHORT and isinstance(value, str | int) else value
    return _text(key.kind, value)


def typed(visit: Visit, keys: Iterable[Key], values: Values) -> dict[str, str]:
    """The texts of all fields: as they were sent, else as they stand."""
    if WAS not in visit.fields:
        return {key.path: stored(key, values) for key in keys}
    return {key.path: visit.field(key.path).replace("\r\n", "\n") for key in keys}


def was(visit: Visit, texts: Mapping[str, str]) -> dict[str, str]:
    """What the fields said when the form was opened."""
    if WAS not in visit.fields:
        return dict(texts)
    try:
        before = json.loads(visit.field(WAS))
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise InvalidInput("this form has lost what it was opened with", hint="Open it again.")
    return {str(name): str(text) for name, text in before.items()}


def changed(keys: Iterable[Key], texts: Mapping[str, str], before: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Path and new value of every field that was changed; None takes the key out. Raises InvalidInput."""
    differing = (key for key in keys if texts[key.path] != before.get(key.path, ""))
    return [(key.path, value(key, texts[key.path])) for key in differing]


def value(key: Key, text: str) -> Any:
    """What the manifest is to say. Raises InvalidInput."""
    if not text:
        return None
    match key.kind:
        case "number":
            number = read_scalar(text)
            if not isinstance(number, int | float) or isinstance(number, bool):
                raise InvalidInput(f"{key.label} must be a number, not '{text}'", where=key.path)
            return number
        case "check":
            return True
        case "when" if text in {"true", "false"}:
            return text == "true"
        case "names":
            return names(text)
        case "pairs":
            return pairs(text, key)
        case _:
            return text


def names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def pairs(text: str, key: Key) -> dict[str, str]:
    """`NAME=VALUE`, one a line. Raises InvalidInput."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, is_pair, given = line.partition("=")
        if line.strip() and not is_pair:
            raise InvalidInput(f"line {number} of {key.label} is not NAME=VALUE", where=key.path)
        if line.strip():
            found[name.strip()] = given.strip()
    return found


def shown(keys: Sequence[Key], texts: Mapping[str, str], defaults: Mapping[str, str], wrong: str = "") -> list[Shown]:
    """The fields; `wrong` is the path of the one that was refused."""
    return [
        Shown(
            key=key,
            text=texts[key.path],
            default=defaults.get(key.path, ""),
            is_wrong=wrong == key.path or wrong.startswith(f"{key.path}."),
        )
        for key in keys
    ]


def _text(kind: str, value: Any) -> str:
    match kind, value:
        case _, None:
            return ""
        case "check", bool():
            return "1" if value else ""
        case "names", list():
            return ", ".join(text_of(each) for each in value)
        case "pairs", dict():
            return "\n".join(f"{name}={text_of(each)}" for name, each in value.items())
        case _:
            return text_of(value)
