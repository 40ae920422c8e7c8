"""The files beside an executed notebook that take what its caps cut off: `outputs/<cell>.txt`, and large displays."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
import os
from pathlib import Path
from typing import Any

from nbflow.notebooks import jsontext

LARGEST = 1024**3
"""Bytes that one cell may leave beside the notebook, all files together."""

MOST_FILES = 100

FULL = "\n[nbflow] Cut here: one cell keeps at most 1 GiB.\n"


class Spill:
    """The files of one cell; none is made before it is needed. Texts come masked."""

    def __init__(self, folder: Path, cell: int | None) -> None:
        self._folder = folder
        self._stem = "parameters" if cell is None else str(cell)
        self._file: int | None = None
        self._room = LARGEST
        self._files = 0

    @property
    def name(self) -> str:
        """The text file as people find it from the notebook."""
        return f"{self._folder.name}/{self._stem}.txt"

    def text(self, text: str) -> None:
        if self._room <= 0:
            return
        raw = jsontext.encode(text)
        self._room -= len(raw)
        if self._room <= 0:
            raw = raw[: self._room or None] + FULL.encode()
        self._append(raw)

    def aside(self, mime: str, value: Any) -> str:
        """Keep one large representation in a file of its own; a line for people that says where it went."""
        raw = _content(mime, value)
        about = f"{mime}, {len(raw):,} bytes"
        if self._files == MOST_FILES or len(raw) > self._room:
            return f"[nbflow] {about}: left out, because this cell has shown too much"
        self._files += 1
        self._room -= len(raw)
        name = f"{self._stem}-{self._files}{_suffix(mime)}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        (self._folder / name).write_bytes(raw)
        return f"[nbflow] {about}: in {self._folder.name}/{name}"

    def close(self) -> None:
        """Let go of the file; more text opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, raw: bytes) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            path = self._folder / f"{self._stem}.txt"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        rest = memoryview(raw)
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _content(mime: str, value: Any) -> bytes:
    """What a front end would show: images and PDF come in base64, JSON as a value."""
    if not isinstance(value, str):
        return jsontext.encode(json.dumps(value, ensure_ascii=False))
    if mime.startswith("image/") or mime == "application/pdf":
        try:
            return base64.b64decode(value.replace("\n", ""), validate=True)
        except (binascii.Error, ValueError):
            pass  # SVG is text
    return jsontext.encode(value)


def _suffix(mime: str) -> str:
    return ".json" if mime.endswith("+json") else mimetypes.guess_extension(mime) or ".txt"
