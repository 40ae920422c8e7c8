"""`events.jsonl`: whole lines, numbered, on whatever was there before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nbflow.notebooks import jsontext
from nbflow.notebooks.events import EventLog, read_events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def numbers(path: Path) -> list[int]:
    return [event["n"] for event in read_events(path)[0]]


def test_events_are_numbered_and_timed(path: Path) -> None:
    log = EventLog(path)
    before = datetime.now(UTC)
    size = log.write([{"event": "started", "cells": 3}, {"event": "cell_start", "cell": 1}])
    log.write([{"event": "ended"}])
    log.close()
    events, whole = read_events(path)
    assert [event["n"] for event in events] == [1, 2, 3]
    assert events[0]["cells"] == 3
    assert before <= datetime.fromisoformat(events[0]["time"]) <= datetime.now(UTC)
    assert whole == path.stat().st_size > size > 0
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "torn", ['{"n": 3, "event": "cel', '{"n": 3, "event": "x"}', "rubbish\n", "[1]\n", '{"a": 1}\n']
)
def test_a_torn_line_is_cut_off(path: Path, torn: str) -> None:
    first = EventLog(path)
    first.write([{"event": "started"}, {"event": "cell_start"}])
    first.close()
    with path.open("a") as file:
        file.write(torn)
    second = EventLog(path)
    assert [event["event"] for event in second.known] == ["started", "cell_start"]
    second.write([{"event": "ended"}])
    second.close()
    assert numbers(path) == [1, 2, 3]
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_text_that_is_no_unicode_and_numbers_that_are_no_json(path: Path) -> None:
    log = EventLog(path)
    log.write([{"event": "output", "text": "ü \udc80 \x00", "values": [float("nan"), {"a": float("-inf")}, 1.5]}])
    log.close()
    event = json.loads(path.read_bytes().decode("utf-8"))
    assert event["text"] == "ü \udc80 \x00"
    assert event["values"] == [None, {"a": None}, 1.5]


def test_a_full_disk_leaves_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(path)
    log.write([{"event": "started"}])
    monkeypatch.setattr("nbflow.notebooks.events.os.write", _half_then_full(os.write))
    with pytest.raises(OSError, match="No space"):
        log.write([{"event": "output", "text": "x" * 100}])
    monkeypatch.undo()
    assert path.read_text().count("\n") == 1
    log.write([{"event": "ended"}])
    log.close()
    assert numbers(path) == [1, 2]


def _half_then_full(write: Callable[[int, memoryview], int]) -> Callable[[int, memoryview], int]:
    written = []

    def limited(file: int, data: memoryview) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(write(file, data[: len(data) // 2]))
        return written[0]

    return limited


def test_json_of_any_kernel() -> None:
    assert jsontext.dump({"a": "ü\udc80"}) == '{"a": "ü\\udc80"}'.encode()
    assert jsontext.finite({"a": (1.0, float("inf")), "b": "NaN"}) == {"a": [1.0, None], "b": "NaN"}
