"""The order of an attempt is there before its guard is asked for, and outlasts a loss of power when it is kept."""

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


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The inodes of what was made to outlast a loss of power."""
    done: list[object] = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.fstat(handle).st_ino))
    return done


def test_an_order_of_which_only_the_name_outlasted_is_written_anew(tmp_path: Path, order: StartAttempt) -> None:
    folder, source = AttemptFolder(tmp_path / "attempt"), tmp_path / "extract.ipynb"
    assert folder.prepare(order, source)
    assert not folder.prepare(order, source)
    (folder.path / ORDER).write_text("")
    assert folder.prepare(order, source)
    assert folder.order() == order


def test_nothing_waits_for_the_disk_between_a_decision_and_the_guard(
    tmp_path: Path, order: StartAttempt, synced: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guarded, "start", lambda it: synced.append(it.folder.order()))
    executor = LocalExecutor(outputs=tmp_path, frozen=tmp_path, project=tmp_path)
    executor.start(order)
    executor.wait(0)
    assert synced == [order]


def test_an_order_is_kept_with_its_name(tmp_path: Path, order: StartAttempt, synced: list[object]) -> None:
    folder = AttemptFolder(tmp_path / "attempt")
    folder.prepare(order, tmp_path / "extract.ipynb")
    assert synced == []
    folder.keep_order()
    assert synced == [(folder.path / ORDER).stat().st_ino, folder.path.stat().st_ino]
