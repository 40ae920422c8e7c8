"""The order of an attempt is there before its guard is asked for, and outlasts a loss of power soon after."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from guards import start_order

from nbflow.executors.guarded import Guarded
from nbflow.executors.local import LocalExecutor
from nbflow.notebooks.folder import ORDER, AttemptFolder
from nbflow.run import StartAttempt


@pytest.fixture
def order(tmp_path: Path) -> StartAttempt:
    source = tmp_path / "extract.ipynb"
    source.write_text("{}")
    return start_order(source)


def test_an_order_of_which_only_the_name_outlasted_is_written_anew(tmp_path: Path, order: StartAttempt) -> None:
    folder, source = AttemptFolder(tmp_path / "attempt"), tmp_path / "extract.ipynb"
    assert folder.prepare(order, source)
    assert not folder.prepare(order, source)
    (folder.path / ORDER).write_text("")
    assert folder.prepare(order, source)
    assert folder.order() == order


def test_nothing_waits_for_the_disk_between_a_decision_and_the_guard(
    tmp_path: Path, order: StartAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(Guarded, "start", lambda it: done.append(it.folder.order()))
    executor = LocalExecutor(outputs=tmp_path, frozen=tmp_path, project=tmp_path)
    executor.start(order)
    assert done == [order]
    executor.wait(0)
    folder = tmp_path / order.pipeline / order.attempt
    assert done[1:] == [(folder / ORDER).stat().st_ino, folder.stat().st_ino]
    executor.wait(0)
    assert len(done) == 3
