"""What must be there before a project can be opened."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from making import write_manifest, write_notebook

from nbflow.errors import InvalidInput, NotFound, Unavailable
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


def test_looking_for_runs_where_nothing_ran_writes_nothing(tmp_path: Path) -> None:
    with open_project(tmp_path) as live:
        assert live.api.close_abandoned() == ()
        assert list(live.api.runs("daily")) == []
        with pytest.raises(NotFound, match=r"there is no run yet. Start one: nbflow run PIPELINE\."):
            live.api.status("latest")
        with pytest.raises(NotFound, match=r"there is no run '2026'\. There is no run yet"):
            live.api.why("2026", "load")
        assert {each.name: each.message for each in live.api.doctor()}["database"].startswith("none yet")
    assert list(tmp_path.iterdir()) == []


def test_looking_at_definitions_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "nbflow.toml").write_text("")
    folder = tmp_path / "notebooks" / "daily"
    write_notebook(folder / "a.ipynb", "1")
    write_manifest(folder, "name: daily\nschedule: '@daily'\ntasks:\n  a: {notebook: a.ipynb}\n")
    before = sorted(tmp_path.rglob("*"))
    with open_project(tmp_path) as live:
        (definition,) = live.api.validate()
        assert definition.problems == ()
        assert live.api.definition("daily") == definition
        (listed,), shown = live.api.pipelines(), live.api.pipeline("daily")
    assert [(view.definition, view.last_runs, view.standing) for view in (listed, shown)] == [
        (definition, (), None)
    ] * 2
    assert sorted(tmp_path.rglob("*")) == before
