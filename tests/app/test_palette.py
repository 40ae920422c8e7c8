"""The editor's palette without a browser: what there is to add, what suggests itself, and new notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from app_server import Running, served
from app_world import World
from making import write_manifest, write_notebook
from nbflow_app.format import param_text

from nbflow.api import Role
from nbflow.errors import NotAllowed
from nbflow.model import Param

EDIT = "/pipelines/nightly/edit"
SALES = "name: nightly\ntasks:\n  clean: {notebook: clean.ipynb}\n  join: {notebook: join.ipynb}\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    world = World(tmp_path_factory.mktemp("project"))
    sales = world.folder / "sales"
    write_notebook(sales / "clean.ipynb", 'df.to_csv("a.csv"); df.to_json("b.json")', parameters="day: str\nrows = 3")
    write_notebook(sales / "join.ipynb", 'pd.read_csv("a.csv"); pd.read_json("b.json")')
    write_notebook(world.folder / "alone" / "1. First.ipynb", "1")
    write_manifest(sales, SALES)
    with served(world) as running:
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with running.client() as client:
        page = client.get(EDIT)
        client.headers["X-Xsrftoken"] = page.text.split('data-xsrf="')[1].split('"')[0]
        yield client


def test_the_palette_has_every_notebook_as_a_task_would_name_it(client: httpx.Client) -> None:
    told = client.get(f"{EDIT}/palette").json()
    assert told["folder"] == "sales"
    assert told["notebooks"] == [
        {
            "path": "sales/clean.ipynb",
            "notebook": "clean.ipynb",
            "task": "clean",
            "heading": "clean",
            "params": ["day: str", "rows = 3"],
            "problem": "",
        },
        {
            "path": "sales/join.ipynb",
            "notebook": "join.ipynb",
            "task": "join",
            "heading": "join",
            "params": [],
            "problem": "",
        },
        {
            "path": "alone/1. First.ipynb",
            "notebook": "../alone/1. First.ipynb",
            "task": "n1_first",
            "heading": "1. First",
            "params": [],
            "problem": "",
        },
    ]


def test_what_suggests_itself_is_told_of_the_draft_until_it_is_taken(client: httpx.Client) -> None:
    reason = "join reads a.csv, b.json, which clean writes"
    assert client.get(f"{EDIT}/suggestions").json() == {
        "suggestions": [{"up": "clean", "down": "join", "reason": reason}]
    }
    taken = {"id": "take", "commands": [{"do": "connect", "up": "clean", "down": "join"}]}
    assert client.post(f"{EDIT}/commands", json=taken).status_code == 200
    assert client.get(f"{EDIT}/suggestions").json() == {"suggestions": []}
    client.post(f"{EDIT}/undo", json={"id": "back"})


def test_a_draft_with_errors_suggests_nothing(client: httpx.Client) -> None:
    version = client.get(f"{EDIT}/sheet").json()["version"]
    client.post(f"{EDIT}/text", json={"id": "wrong", "text": SALES + "  x: {}\n", "version": version})
    assert client.get(f"{EDIT}/suggestions").json() == {"suggestions": []}
    client.post(f"{EDIT}/undo", json={"id": "right"})


def test_a_new_notebook_is_an_entry_at_once(running: Running, client: httpx.Client) -> None:
    made = client.post(f"{EDIT}/notebooks", json={"path": "sales/new/report.ipynb"})
    assert (made.status_code, made.json()["notebook"]) == (200, "new/report.ipynb")
    assert made.json()["params"] == ['run_date = "2026-01-01"']
    again = client.post(f"{EDIT}/notebooks", json={"path": "sales/new/report.ipynb"})
    assert again.status_code == 409
    assert again.json() == {
        "error": "sales/new/report.ipynb is there already",
        "where": "",
        "hint": "Nothing was written. Choose another name.",
    }
    for body in ({"path": 3}, {}, {"path": "/tmp/x.ipynb"}):
        assert client.post(f"{EDIT}/notebooks", json=body).status_code == 400
    (running.world.folder / "sales/new/report.ipynb").unlink()


def test_nothing_is_written_without_the_token(client: httpx.Client) -> None:
    client.headers["X-Xsrftoken"] = "forged"
    assert client.post(f"{EDIT}/notebooks", json={"path": "sales/x.ipynb"}).status_code == 403


@pytest.mark.parametrize("question", ["palette", "suggestions"])
def test_a_pipeline_that_is_not_there_has_no_palette(client: httpx.Client, question: str) -> None:
    assert client.get(f"/pipelines/other/edit/{question}").status_code == 404


def test_it_is_for_editors(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.pipeline()
    api = world.api(Role.OPERATOR)
    for ask in (api.notebooks, lambda: api.suggestions("nightly"), lambda: api.create_notebook("x.ipynb")):
        with pytest.raises(NotAllowed):
            ask()
    with served(world, role=Role.OPERATOR) as running, running.client() as client:
        for question in ("palette", "suggestions"):
            assert client.get(f"{EDIT}/{question}").status_code == 403


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (Param(name="a", is_required=True), "a"),
        (Param(name="a", type="int", is_required=True), "a: int"),
        (Param(name="a", default=None), "a = null"),
        (Param(name="a", default="é"), 'a = "é"'),
        (Param(name="a", default_text="date.today(\n)"), "a = date.today( )"),
        (Param(name="a", default="x" * 50), f'a = "{"x" * 38}…'),
    ],
)
def test_a_parameter_is_said_as_it_is_written(param: Param, text: str) -> None:
    assert param_text(param) == text
