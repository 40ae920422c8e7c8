"""What notebooks tell nbflow through the MIME type `application/vnd.nbflow+json` (semantics §7). Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MIME = "application/vnd.nbflow+json"
SKIPPED = "Skipped"
"""The exception by which `task.skip` ends a Python cell."""

LARGEST = 64 * 1024
"""Bytes of JSON that one value may have."""

LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Output:
    """The notebook reports a named value."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Skip:
    """The notebook says that there is nothing to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The message cannot be used; `why` says so to the notebook's author."""

    why: str


Message = Output | Skip | Refused


def parse(data: Any) -> Message:
    """What a message says. Kernels send JSON as a value or as its text. Never raises."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            return Refused("it is no JSON")
    match data:
        case {"type": "output", "name": str(name), "value": value}:
            return _output(name, value)
        case {"type": "output"}:
            return Refused("an output needs a name, which is text, and a value")
        case {"type": "skip"}:
            reason = data.get("reason")
            return Skip(str(reason or "")[:LONGEST_REASON])
        case {"type": kind}:
            return Refused(f"this version of nbflow knows the types output and skip, not {kind!r}"[:200])
        case _:
            return Refused('it is no object with a "type"')


def _output(name: str, value: Any) -> Message:
    if not name.isidentifier() or len(name) > 100:
        return Refused(f"the output's name {name[:100]!r} is no identifier of at most 100 characters")
    try:
        size = len(json.dumps(value, allow_nan=False).encode())
    except (ValueError, RecursionError):
        return Refused(f"the value of '{name}' has a number that JSON does not know (NaN or infinite)")
    if size > LARGEST:
        return Refused(f"the value of '{name}' has {size:,} bytes of JSON; at most {LARGEST:,} are kept")
    return Output(name, value)
