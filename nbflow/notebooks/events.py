"""`events.jsonl`: what happened in an attempt, a JSON object a line, written as it happens (semantics §8)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbflow.notebooks.jsontext import dump

Event = Mapping[str, Any]


class EventLog:
    """Appends events; each gets its number `n`, counted from 1, and its `time`.

    Opening a file that exists goes on behind its last whole line; a torn one is cut off.
    """

    def __init__(self, path: Path) -> None:
        known, size = read_events(path)
        self.known: tuple[Event, ...] = tuple(known)
        self._n = known[-1]["n"] if known else 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, size)
        self._size = os.lseek(self._file, size, os.SEEK_SET)

    def write(self, events: Iterable[Event]) -> int:
        """Append events; returns the bytes that took. After an OSError the file has none of them, or whole lines."""
        time = datetime.now(UTC).isoformat()
        numbered = [{"n": n, "time": time, **event} for n, event in enumerate(events, self._n + 1)]
        data = b"".join(dump(event) + b"\n" for event in numbered)
        try:
            written = memoryview(data)
            while written:
                written = written[os.write(self._file, written) :]
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._n += len(numbered)
        self._size += len(data)
        return len(data)

    def close(self) -> None:
        os.close(self._file)


def read_events(path: Path, after: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events behind the first `after` bytes up to the first line that is torn, and where these whole lines end."""
    events: list[dict[str, Any]] = []
    size = after
    try:
        with path.open("rb") as file:
            file.seek(after)
            for line in file:
                event = _parse(line)
                if event is None:
                    break
                events.append(event)
                size += len(line)
    except FileNotFoundError:
        pass
    return events, size


def _parse(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event and isinstance(event.get("n"), int) else None
