"""What the unit tests share: a command line and a REST app with no project behind them, and a folder to work in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def nbflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    from cli_world import CommandLine

    return CommandLine(monkeypatch)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Making one takes long; each test gives it a world of its own."""
    from rest_world import World

    return World(tmp_path_factory.mktemp("app")).app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test runs."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
