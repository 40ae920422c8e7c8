"""Why nbflow is not ready: each thing that it stands on, away and back again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rest_world import World

from nbflow import readiness
from nbflow.api import Caller, Role
from nbflow.doctor import LOW_DISK
from nbflow.errors import Unavailable


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, app=SimpleNamespace(state=SimpleNamespace()))


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "nbflow.db"


@pytest.fixture
def probes(world: World, outputs: Path, database: Path) -> Mapping[str, Callable[[], str]]:
    database.touch()
    return readiness.probes(world.api(Caller(name="health", role=Role.VIEWER)), outputs, database)


def said(probes: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    return {name: reason for name, probe in probes.items() if (reason := probe())}


def test_all_is_well(world: World, probes: Any, outputs: Path) -> None:
    world.lead()
    assert said(probes) == {}
    assert list(outputs.iterdir()) == []


def test_a_scheduler_that_beats_no_more(world: World, probes: Any) -> None:
    assert said(probes) == {"scheduler": "none runs"}
    world.lead()
    world.clock.advance(timedelta(seconds=14))
    assert said(probes) == {}
    world.clock.advance(timedelta(seconds=6))
    assert said(probes)["scheduler"].startswith("its last sign of life is 20 s old")
    world.lead()
    assert said(probes) == {}


def test_a_database_that_is_away(world: World, probes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lead()

    def away() -> None:
        raise Unavailable("database postgresql://ada@db.internal/nbflow does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "leader", away)
        assert said(probes) == {"database": "it does not answer"}
    assert said(probes) == {}


def test_a_database_whose_file_is_gone(world: World, probes: Any, database: Path) -> None:
    world.lead()
    database.unlink()
    assert said(probes) == {"database": "its file is gone"}
    database.touch()
    assert said(probes) == {}


def test_a_database_that_is_a_server_has_no_file(world: World, outputs: Path) -> None:
    world.lead()
    assert said(readiness.probes(world.api(Caller(name="health", role=Role.VIEWER)), outputs, None)) == {}


def test_an_output_store_that_takes_nothing(
    world: World, probes: Any, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.lead()
    outputs.rmdir()
    assert said(probes) == {}
    outputs.write_text("a file stands where the folder was")
    assert said(probes) == {"outputs": "no file can be written: Not a directory"}
    outputs.unlink()
    outputs.mkdir()
    assert said(probes) == {}


def test_a_disk_that_is_nearly_full(world: World, probes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lead()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=LOW_DISK // 2))
        assert said(probes) == {"disk": "low: 0.5 GiB free"}
    assert said(probes) == {}
