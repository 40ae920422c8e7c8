"""What the unit tests share: a command line without a project behind it, and a project's folder to work in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def nbflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    from cli_world import CommandLine

    return CommandLine(monkeypatch)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test runs."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
