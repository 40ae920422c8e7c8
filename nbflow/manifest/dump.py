"""A pipeline as the text of a manifest: canonical, without comments, defaults left out. Reading it gives it back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from nbflow.model import Param, Pipeline, Schedule, Task
from nbflow.scalars import read_scalar, write_duration


def dump(pipeline: Pipeline) -> str:
    """The manifest of a pipeline."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None  # lists and mappings of scalars in one line, everything above them in block style
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares the type of its None
    yaml.width = 2**20  # a text in several lines would come back with other spaces
    text = StringIO()
    yaml.dump(_plain(pipeline), text)
    return text.getvalue()


_PLAIN = re.compile(r"[\w/](?:[\w ./()+-]*[\w.)])?", re.ASCII)


def is_harmless(text: str) -> bool:
    """True where the text means itself without quotes, in brackets too."""
    return _PLAIN.fullmatch(text) is not None and read_scalar(text) == text


class _Representer(SafeRepresenter):
    """Quotes every text that is not harmless: ruamel itself writes some, such as `:0`, that it cannot read."""


def _text(representer: SafeRepresenter, text: str) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_harmless(text) else '"')


_Representer.add_representer(str, _text)


def _plain(value: Any) -> Any:
    match value:
        case Task():
            return _without(_fields(value), "name")
        case Param():
            default = {} if value.is_required else {"default": value.default}
            return {**_without(_fields(value), "name", "is_required", "default"), **default}
        case Schedule(missed=int(last)):
            return {**_fields(value), "missed": {"last": last}}
        case timedelta():
            return write_duration(value)
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case StrEnum():
            return str(value)
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return _fields(value)
        case _:
            return value


def _fields(value: Any) -> dict[str, Any]:
    """The fields that are not as they would be without being written."""
    written = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: _plain(each) for field, each in written if each != _default(field)}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _without(mapping: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}
