"""Parameters as fields of a form: a kind of input for each type, and the texts that came back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbflow.model import Param
from nbflow_app.visit import Visit

PREFIX = "p."

_INPUTS = {"int": "number", "float": "number", "date": "date", "str": "text"}
"""What browsers have a field for; any other type is typed as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter to fill in."""

    name: str
    param: str
    kind: str
    """`select`, `textarea`, or the type of an input."""
    type: str
    text: str
    choices: Sequence[str] = ()
    is_required: bool = False
    about: str = ""


def param_fields(params: Mapping[str, Param], values: Mapping[str, Any]) -> list[Field]:
    """A field each, filled with the values, else with the defaults."""
    return [_field(param, values.get(name, param.default)) for name, param in params.items()]


def texts_of(visit: Visit, params: Mapping[str, Param], values: Mapping[str, Any]) -> dict[str, str]:
    """What was filled in and differs from the values; an empty field stands for the value."""
    given = {name: visit.field(f"{PREFIX}{name}") for name in params}
    before = {name: text_of(values.get(name, param.default)) for name, param in params.items()}
    return {name: text for name, text in given.items() if text and text != before[name]}


def text_of(value: Any) -> str:
    """As a person would type it; empty for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def choices_of(param: Param) -> Sequence[str]:
    """Its values as a person would type them, where they are few; else none."""
    given = [text_of(choice) for choice in param.choices]
    return given or (["true", "false"] if param.type == "bool" else [])


def _field(param: Param, value: Any) -> Field:
    choices = choices_of(param)
    is_long = param.type.startswith(("list", "dict", "tuple"))
    return Field(
        name=f"{PREFIX}{param.name}",
        param=param.name,
        kind="select" if choices else "textarea" if is_long else _INPUTS.get(param.type, "text"),
        type=param.type,
        text=text_of(value),
        choices=choices,
        is_required=param.is_required,
        about=param.description,
    )
