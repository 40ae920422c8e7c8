"""What a long-running process logs, and what it never shows."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from io import StringIO

import pytest

from nbflow import telemetry


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    root, quiet = logging.getLogger(), [logging.getLogger(name) for name in telemetry.QUIET]
    before = root.handlers, root.level, [each.level for each in quiet]
    yield
    root.handlers, root.level = before[0], before[1]
    for each, level in zip(quiet, before[2], strict=True):
        each.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.filterwarnings("always:old")
def test_a_line_of_json_for_each_message_of_whatever_library() -> None:
    stream = StringIO()
    assert telemetry.configure("scheduler", stream=stream)
    logging.getLogger("nbflow.housekeeping").info("removed %d runs", 3)
    logging.getLogger("some.library").warning("odd")
    logging.getLogger("apprise").info("Loaded URL json://user:pass@host")
    warnings.warn("old", stacklevel=1)
    first, second, third = lines(stream)
    assert first.pop("time").endswith("Z")
    assert first == {
        "event": "removed 3 runs",
        "level": "info",
        "logger": "nbflow.housekeeping",
        "process": "scheduler",
    }
    assert (second["event"], second["level"]) == ("odd", "warning")
    assert "old" in third["event"]


def test_secrets_are_masked_also_in_tracebacks_and_where_they_are_escaped() -> None:
    stream = StringIO()
    telemetry.configure("app", secrets=['hunter2"x', "slack://TokenA/TokenB"], stream=stream)
    try:
        raise ValueError('the password is hunter2"x')
    except ValueError:
        logging.getLogger("nbflow").exception("failed with slack://TokenA/TokenB")
    assert "hunter2" not in stream.getvalue()
    assert "Token" not in stream.getvalue()
    [line] = lines(stream)
    assert line["event"] == "failed with ***"
    assert "ValueError: the password is ***" in line["exception"]


def test_a_terminal_gets_readable_lines() -> None:
    stream = Terminal()
    assert not telemetry.configure("scheduler", stream=stream)
    logging.getLogger("nbflow").error("no route")
    assert stream.getvalue().endswith("Z error nbflow: no route process=scheduler\n")
