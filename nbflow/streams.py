"""Standard output and standard error as a command needs them: open, and never a reason for the work to fail.

Standard output has the result: that it cannot be written is an error, that its reader has left is none. Standard error
has messages: those that cannot be written are dropped.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from nbflow.errors import NbflowError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputLost(NbflowError):
    """The result of a command cannot be written where it shall go."""


def open_streams() -> None:
    """Give this process its standard streams. A daemon may start us without some of them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # the next file to be opened would be taken for it
            _open_nothing(number)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = _text(_Result(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Messages(2, "w", closefd=False), sys.stderr)


def reader_has_left(stream: TextIO) -> bool:
    """Nothing that is written to it from now on is read by anybody."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return isinstance(raw, _Result) and raw.reader_has_left


class _Result(io.FileIO):
    """Says once that it lost something; what is written then goes nowhere."""

    reader_has_left = False
    _is_lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        if self._is_lost:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._is_lost = self.reader_has_left = True
            return memoryview(data).nbytes
        except OSError as error:
            self._is_lost = True
            raise OutputLost(f"standard output cannot be written: {error.strerror}") from None


class _Messages(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _text(raw: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    """Line by line on a terminal and for messages, as Python has it; a terminal may lack the icons."""
    encoding = before.encoding if before is not None else None
    by_line = raw.fileno() == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="replace", line_buffering=by_line)


def _open_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)
    os.set_inheritable(number, True)
