"""`runner.log`: masked and bounded, and never a reason to fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbflow.notebooks import runnerlog
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.runnerlog import RunnerLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "runner.log"
    path.write_text("the guard was here first\n")
    return path


@pytest.fixture
def log(path: Path) -> Iterator[RunnerLog]:
    log = RunnerLog(path, Mask(["s3cret"]))
    yield log
    log.close()


def test_it_is_appended_to_and_masked(path: Path, log: RunnerLog) -> None:
    logger = logging.Logger("nbflow.test")
    logger.addHandler(log)
    logger.warning("with %s", "a s3cret")
    try:
        raise ValueError("s3cret")
    except ValueError:
        logger.exception("failed")
    text = path.read_text()
    assert text.startswith("the guard was here first\n")
    assert " WARNING nbflow.test: with a ***\n" in text
    assert text.endswith("ValueError: ***\n")


def test_raw_output_in_pieces(path: Path, log: RunnerLog) -> None:
    for piece in (b"it is s3", b"cret \xc3", b"\xbc \xff\n", b"Error: no module\n\n", b""):
        log.raw(piece)
    assert path.read_text().endswith("it is *** ü \ufffd\nError: no module\n\n")
    assert log.last_line == "Error: no module"


def test_there_is_an_end_to_it(path: Path, log: RunnerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runnerlog, "LARGEST", 10)
    bounded = RunnerLog(path, Mask())
    for _ in range(5):
        bounded.raw(b"123456789")
    bounded.close()
    assert path.read_text().endswith("first\n123456789\n... more than 16 MiB; the rest is not kept ...\n")
    assert bounded.last_line.endswith("123456789")


def test_a_full_disk_does_no_harm(log: RunnerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nbflow.notebooks.runnerlog.os.write", full)
    log.raw(b"last words\n")
    assert log.last_line == "last words"


def test_nothing_was_said(log: RunnerLog) -> None:
    assert log.last_line == ""
