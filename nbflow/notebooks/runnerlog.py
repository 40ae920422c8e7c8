"""`runner.log`: what the runner says, and what the kernel's process writes past its front end; masked and bounded."""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
from pathlib import Path

from nbflow.notebooks import jsontext
from nbflow.notebooks.mask import Mask

LARGEST = 16 * 1024 * 1024
"""Bytes that one runner adds to the log."""

TAIL = 2000
"""Characters of the kernel's last raw output that are kept for an error's sake."""


class RunnerLog(logging.Handler):
    """Appends. What cannot be written is dropped: no notebook fails because its runner could not chat."""

    def __init__(self, path: Path, mask: Mask) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._mask = mask
        self._raw, self._decoder = mask.stream(), codecs.getincrementaldecoder("utf-8")("replace")
        self._room = LARGEST
        self._tail = ""

    @property
    def last_line(self) -> str:
        """Of the kernel's raw output: of a traceback the line that says what it was about."""
        lines = self._tail.split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def emit(self, record: logging.LogRecord) -> None:
        self._write(f"{self._mask.text(self.format(record))}\n")

    def raw(self, data: bytes) -> None:
        """Output of the kernel's process, in any pieces; none at all stands for its end."""
        text = self._raw.feed(self._decoder.decode(data, final=not data))
        text += "" if data else self._raw.flush()
        self._tail = (self._tail + text)[-TAIL:]
        self._write(text)

    def close(self) -> None:
        os.close(self._file)
        super().close()

    def _write(self, text: str) -> None:
        raw = jsontext.encode(text)
        if not raw or self._room < 0:
            return
        self._room -= len(raw)
        if self._room < 0:
            raw = b"\n... more than 16 MiB; the rest is not kept ...\n"
        with contextlib.suppress(OSError):
            os.write(self._file, raw)
