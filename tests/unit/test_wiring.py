"""What must be there before a project can be opened."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbflow.errors import InvalidInput, Unavailable
from nbflow.wiring import LazyDriver, open_project


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


def test_what_keeps_a_run_from_going_on_is_one_sentence_after_the_other(tmp_path: Path) -> None:
    engine = SimpleNamespace(name="e", trouble=Unavailable("the disk is full", hint="Make room."))
    executor = SimpleNamespace(close=lambda: None)
    driver = LazyDriver(lambda: (engine, executor), "me")  # type: ignore[arg-type, return-value]
    assert driver.trouble == ""
    assert driver.engine
    assert driver.trouble == "the disk is full. Make room. It is tried again."
    driver.close()


def test_checking_manifests_makes_no_database(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    with open_project(tmp_path) as live:
        assert live.api.validate() == ()
    assert not (tmp_path / ".nbflow" / "nbflow.db").exists()
