"""`nbflow demo`: the shipped pipelines run, one fails on purpose, and the app shows it."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest
from app_up import Up
from bs4 import BeautifulSoup
from making import PATIENCE, Project, eventually

from nbflow.cli.demo import BEGIN_WITH, make
from nbflow.errors import InvalidInput


def test_the_demo_runs_its_history_and_says_where_to_look(tmp_path: Path) -> None:
    up = Up(tmp_path / "beside")
    process = up.project.spawn("demo", "../shop", "--port", str(up.port))
    try:
        link = str(eventually(up.link_told))
        shop = Project(tmp_path / "shop")

        def has_ended() -> bool:
            runs = shop.json("runs")["runs"]
            return len(runs) >= len(BEGIN_WITH) and all(run["ended_at"] for run in runs)

        eventually(has_ended, within=900)
        states = {(run["pipeline"], run["state"]) for run in shop.json("runs")["runs"]}
        assert states == {
            ("daily_orders_by_region", "success"),
            ("nightly_revenue", "success"),
            ("black_friday", "success"),
            ("black_friday", "failed"),
        }
        with httpx.Client(follow_redirects=True) as browser:
            shown = BeautifulSoup(browser.get(link).text, "html.parser")
        assert "black_friday / join" in shown.get_text()
        assert "black_friday will be red" in (up.project.folder / "nbflow.stderr").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def test_the_demo_goes_on_in_its_folder_and_in_no_other(tmp_path: Path) -> None:
    assert make(tmp_path / "shop") is True
    assert make(tmp_path / "shop") is False
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidInput, match="is not empty, and no demo"):
        make(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
