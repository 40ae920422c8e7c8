"""The text of a notebook's file: nbformat's layout down to the cell, a line for each line of text. Pure.

nbformat's own writer copies the whole notebook first, and lays out the rest of it in Python: ten times the work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
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
        yield jsontext.encode(("," if at else "") + "\n  " + _cell(cell))
    end = ",\n".join(f" {_text(name)}: {_text(value)}" for name, value in about.items())
    yield jsontext.encode(("\n " if notebook["cells"] else "") + "],\n" + end + "\n}\n")


def _cell(cell: Json) -> str:
    lines = (f"   {_text(name)}: {_part(name, cell[name])}" for name in sorted(cell))
    return "{\n" + ",\n".join(lines) + "\n  }"


def _part(name: str, value: Any) -> str:
    match name:
        case "source" if isinstance(value, str):
            return _list(map(_text, value.splitlines(keepends=True)), "    ")
        case "outputs":
            return _list(map(_output, value), "    ")
        case "attachments":
            return _text({file: _bundle(data) for file, data in value.items()})
        case "metadata":
            return _text({key: each for key, each in value.items() if key != "trusted"})
        case _:
            return _text(value)


def _output(output: Json) -> str:
    lines = (f"     {_text(name)}: {_output_part(name, output[name])}" for name in sorted(output))
    return "{\n" + ",\n".join(lines) + "\n    }"


def _output_part(name: str, value: Any) -> str:
    match name:
        case "text" if isinstance(value, str):
            return _list(map(_text, value.splitlines(keepends=True)), "      ")
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


def _list(texts: Iterable[str], indent: str) -> str:
    inner = f",\n{indent}".join(texts)
    return f"[\n{indent}{inner}\n{indent[:-1]}]" if inner else "[]"


def _text(value: Any) -> str:
    try:
        return _encode(value)
    except ValueError:  # a kernel sent NaN as JSON
        return _encode(jsontext.finite(value))
