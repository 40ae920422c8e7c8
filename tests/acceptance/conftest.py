"""What the acceptance tests share: an empty project, by itself and with its schedulers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from making import Project
from schedulers import Watched, watched


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path / "project") as found:
        yield found
