"""Text as notebooks print it, made safe and readable: for a terminal and for a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

COLOURS = re.compile(r"(\x1b\[[0-9;]*m)")
_SEQUENCES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x1b\x9b]\[?[0-?]*[ -/]*[@-~]|\x1b")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def text_of(value: Any) -> str:
    """nbformat also allows a list of lines; some kernels send other JSON, and half of a pair of surrogates."""
    text = "".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.encode("utf-8", "replace").decode()


def plain_text(output: Mapping[str, Any]) -> str:
    """An output of a cell, as nbformat has it; all but a stream ends with its line."""
    match output["output_type"]:
        case "stream":
            return text_of(output["text"])
        case "error":
            return "\n".join([*output["traceback"], ""])
        case _:
            return text_of(output["data"].get("text/plain") or "") + "\n"


def safe(text: str) -> str:
    """The text without control characters and terminal sequences, except colours, tabs and line ends."""
    parts = COLOURS.split(text)
    kept = (part if at % 2 else _CONTROL.sub("", _SEQUENCES.sub("", part)) for at, part in enumerate(parts))
    return "".join(kept)


def overwritten(text: str) -> str:
    """What a terminal would show where a carriage return goes back over a line."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
