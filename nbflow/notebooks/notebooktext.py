"""The text of a notebook's file: nbformat's layout down to the cell, a line for each line of text. Pure.

nbformat's own writer copies the whole notebook first, and lays out the rest of it in Python: ten times the work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nbflow.notebooks import jsontext

Json = Mapping[str, Any]

NOT_FOR_FILES = frozenset({"orig_nbformat", "orig_nbformat_minor", "signature"})
"""Of a notebook's metadata."""

SPLIT = frozenset({"application/javascript", "image/svg+xml"})
"""Texts that are kept as lines, besides `text/…`."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ": ")).encode


def write(notebook: Json) -> Iterator[bytes]:
    """The file in pieces, a cell each. What JSON has no word for becomes null."""
    about = {
        "metadata": {name: value for name, value in notebook["metadata"].items() if name not in NOT_FOR_FILES},
        "nbformat": notebook["nbformat"],
        "nbformat_minor": notebook["nbformat_minor"],
    }
    yield b'{\n "cells": ['
    for at, cell in enumerate(notebook["cells"]):
        yield jsontext.encode(("," if at else "") + "\n  " + _object(cell, _part, "   "))
    end = ",\n".join(f" {_text(name)}: {_text(value)}" for name, value in about.items())
    yield jsontext.encode(("\n " if notebook["cells"] else "") + "],\n" + end + "\n}\n")


def _object(of: Json, part: Callable[[str, Any], str], indent: str) -> str:
    lines = (f"{indent}{_text(name)}: {part(name, of[name])}" for name in sorted(of))
    return "{\n" + ",\n".join(lines) + f"\n{indent[:-1]}}}"


def _part(name: str, value: Any) -> str:
    match name:
        case "source" if isinstance(value, str):
            return _lines(value, "    ")
        case "outputs":
            return _list((_object(output, _output_part, "     ") for output in value), "    ")
        case "attachments":
            return _text({file: _bundle(data) for file, data in value.items()})
        case "metadata":
            return _text({key: each for key, each in value.items() if key != "trusted"})
        case _:
            return _text(value)


def _output_part(name: str, value: Any) -> str:
    match name:
        case "text" if isinstance(value, str):
            return _lines(value, "      ")
        case "traceback":
            return _list(map(_text, value), "      ")
        case "data":
            return _text(_bundle(value))
        case _:
            return _text(value)


def _bundle(data: Json) -> Json:
    return {
        mime: value.splitlines(keepends=True)
        if isinstance(value, str) and (mime.startswith("text/") or mime in SPLIT)
        else value
        for mime, value in data.items()
    }


def _lines(text: str, indent: str) -> str:
    return _list(map(_text, text.splitlines(keepends=True)), indent)


def _list(texts: Iterable[str], indent: str) -> str:
    inner = f",\n{indent}".join(texts)
    return f"[\n{indent}{inner}\n{indent[:-1]}]" if inner else "[]"


def _text(value: Any) -> str:
    try:
        return _encode(value)
    except ValueError:  # a kernel sent NaN as JSON
        return _encode(jsontext.finite(value))
