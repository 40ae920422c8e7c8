"""The peak memory of a process, alive and dead."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nbflow.notebooks import memory
from nbflow.notebooks.memory import peak_of, peak_of_the_dead


def test_of_a_living_process() -> None:
    mine = peak_of(os.getpid())
    assert mine is not None
    assert mine > 10 << 20
    assert peak_of(os.getpid(), mine * 2) == mine * 2


def test_of_a_process_that_is_gone() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert peak_of(ended.pid, 7) == 7
    assert peak_of(ended.pid) is None
    assert peak_of(None, 7) == 7


@pytest.mark.parametrize(("own", "dead", "peak"), [(100, 300, 300 * 1024), (100, 90, 50), (100, 100, 50)])
def test_of_the_dead_only_what_this_process_cannot_have_lent(
    monkeypatch: pytest.MonkeyPatch, own: int, dead: int, peak: int
) -> None:
    usage = {resource.RUSAGE_SELF: own, resource.RUSAGE_CHILDREN: dead}
    monkeypatch.setattr(memory.resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=usage[who]))
    monkeypatch.setattr(memory, "_UNIT", 1024)
    assert peak_of_the_dead(50) == peak
