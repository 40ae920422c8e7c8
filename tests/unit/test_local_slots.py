"""How many attempts the local executor runs at once, if nobody says so."""

from __future__ import annotations

import os
from pathlib import Path

from nbflow.executors.cores import cores
from nbflow.executors.local import LocalExecutor


def executor(tmp_path: Path, slots: int | None = None) -> LocalExecutor:
    return LocalExecutor(outputs=tmp_path, frozen=tmp_path, project=tmp_path, slots=slots)


def test_as_many_as_this_process_may_use_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 7}, raising=False)
    assert cores() == 3
    assert executor(tmp_path).free_slots() == 3
    assert executor(tmp_path, slots=5).free_slots() == 5


def test_all_cores_where_no_choice_of_them_can_be_made(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1
