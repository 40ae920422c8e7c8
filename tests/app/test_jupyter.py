"""Notebooks open in JupyterLab where somebody said where that is."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_world import World
from nbflow_app.frame import Frame
from nbflow_app.jupyter import Jupyter

LAB = "https://jupyter.example.org/user/ada/lab/tree/shop"


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (("sales/a.ipynb",), f"{LAB}/sales/a.ipynb"),
        (("/project/sales", "a b#ü?.ipynb"), f"{LAB}/sales/a%20b%23%C3%BC%3F.ipynb"),
        (("sales", "../b.ipynb"), f"{LAB}/b.ipynb"),
        (("..b.ipynb",), f"{LAB}/..b.ipynb"),
        ((), LAB),
        (("../other/a.ipynb",), ""),
        (("/etc/a.ipynb",), ""),
    ],
)
def test_the_address_of_a_notebook(path: tuple[str, ...], address: str) -> None:
    assert Jupyter(Path("/project"), LAB).link(*path) == address
    assert Jupyter(Path("/project")).link(*path) == ""


def test_every_page_of_a_task_leads_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.pipeline()
    run = world.run()
    pages = (
        f"/pipelines/nightly/runs/{run.id}/tasks/clean",
        f"/pipelines/nightly/runs/{run.id}/tasks/clean/1",
        "/pipelines/nightly/edit/tasks/clean",
    )
    for address in pages:
        assert "JupyterLab" not in world.page(address).html
    world.frame = Frame(jupyter=Jupyter(tmp_path, LAB))
    for address in pages:
        assert world.page(address).links()["Open in JupyterLab"] == f"{LAB}/nightly/a.ipynb"
    editor = world.page("/pipelines/nightly/edit").soup.find(id="editor")
    assert editor["data-jupyter"] == LAB
