"""What must be there before a project can be opened."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from nbflow.errors import InvalidInput
from nbflow.wiring import open_project


def test_a_user_without_a_name_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr(getpass, "getuser", nameless)
    with open_project(tmp_path) as live:
        assert live.api.caller.name == f"uid {os.getuid()}"


def test_a_user_without_a_home_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(InvalidInput, match=r"there is no home folder. Set HOME to a folder that you may write in.$"):
        open_project(tmp_path)


def test_checking_manifests_makes_no_database(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    with open_project(tmp_path) as live:
        assert live.api.validate() == ()
    assert not (tmp_path / ".nbflow" / "nbflow.db").exists()
