"""The reader of the change log, while what it reads from is away."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest
from nbflow_app import hub
from nbflow_app.hub import Hub

from nbflow.errors import Unavailable
from nbflow.run import Change

AWAY, WRONG = Unavailable("the database does not answer"), ValueError("no such row")


class Flaky:
    """A change log that raises what it has, one a look, and is well then."""

    looks_when_well = 0

    def __init__(self, *errors: Exception) -> None:
        self._errors, self.well = list(errors), threading.Event()

    def latest_change(self) -> int:
        return 0

    def changes(self, after: int = 0) -> Sequence[Change]:
        if self._errors:
            raise self._errors.pop(0)
        if self.looks_when_well:
            self.well.set()
        self.looks_when_well += 1
        return ()


async def _read(source: Flaky) -> None:
    """Until it has been well twice: what was said of the first time stands then."""
    reading = asyncio.create_task(Hub(source).run())
    await asyncio.to_thread(source.well.wait)
    reading.cancel()


def test_a_change_log_that_is_away_is_told_once_and_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub, "QUIET", 0)
    with caplog.at_level(logging.INFO, "nbflow.app"):
        asyncio.run(_read(Flaky(AWAY, AWAY, AWAY, WRONG, WRONG)))
    assert [each.message for each in caplog.records] == [
        "the database does not answer. It is tried again.",
        "the change log could not be read",
        "the change log can be read again",
    ]
    assert [bool(each.exc_info) for each in caplog.records] == [False, True, False]
