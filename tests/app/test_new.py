"""A new pipeline of notebooks that are there, without a browser: what is shown, what is written, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_server import served, xsrf_of
from app_world import World
from making import write_manifest, write_notebook

from nbflow.api import Role
from nbflow.errors import NotAllowed

NEW = "/pipelines/new"
BOTH = ["sales/join.ipynb", "sales/clean.ipynb"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    write_notebook(tmp_path / BOTH[0], 'pd.read_csv("data/clean.csv")', parameters="day: str\nrows = 3")
    write_notebook(tmp_path / BOTH[1], 'df.to_csv("data/clean.csv")')
    return World(tmp_path)


def test_every_notebook_can_be_chosen(world: World) -> None:
    (world.folder / "broken.ipynb").write_text("{}")
    page = world.page(NEW)
    boxes = page.soup.find_all("input", attrs={"name": "notebook"})
    assert [(box["value"], box.has_attr("disabled")) for box in boxes] == [
        ("broken.ipynb", True),
        (BOTH[1], False),
        (BOTH[0], False),
    ]
    assert "day: str, rows = 3" in page.text
    assert "cannot be read" in page.text


def test_what_would_be_written_is_shown_with_each_edge_and_its_reason(world: World) -> None:
    write_notebook(world.folder / "a.ipynb", "1")
    page = world.page(NEW, name="nightly", notebook=BOTH)
    assert page.soup.find("input", attrs={"name": "notebook"}).has_attr("checked")
    assert "clean reads" not in page.text
    assert "join reads data/clean.csv, which clean writes" in page.text
    (edge,) = page.soup.find_all("input", attrs={"name": "edge"})
    assert (edge["value"], edge.has_attr("checked")) == ("clean>join", True)
    assert "sales/pipeline.yaml" in page.text
    assert "depends_on: [clean]" in page.soup.pre.text
    left = world.page(NEW, name="nightly", notebook=BOTH, seen="clean>join")
    assert "depends_on" not in left.soup.pre.text
    assert not left.soup.find("input", attrs={"name": "edge"}).has_attr("checked")
    taken = world.page(NEW, name="nightly", notebook=BOTH, seen="clean>join", edge="clean>join")
    assert taken.soup.pre.text == page.soup.pre.text


def test_it_is_written_and_opens_in_the_editor(world: World) -> None:
    assert world.again(NEW, name="nightly", notebook=BOTH, preview="1").soup.pre is not None
    assert not list(world.folder.rglob("pipeline.yaml"))
    done = world.act(NEW, name="nightly", notebook=BOTH, folder="made")
    assert (done.to, done.note) == ("/pipelines/nightly/edit", "Wrote made/pipeline.yaml")
    assert "depends_on: [clean]" in (world.folder / "made" / "pipeline.yaml").read_text()
    assert world.page(done.to).soup.find(id="sheet") is not None


WRONG = {
    "a name that is none": ({"name": "Nightly"}, "'Nightly' cannot be the name of a pipeline"),
    "the name of this page": ({"name": "new"}, "'new' cannot be the name of a pipeline"),
    "a name that is taken": ({"name": "old"}, "there is a pipeline 'old' already"),
    "a folder outside": ({"folder": "/tmp"}, "lies outside the project"),
    "no notebook": ({"notebook": []}, "a pipeline needs at least one notebook"),
    "a notebook that is gone": ({"notebook": ["x.ipynb"]}, "there is no notebook 'x.ipynb'"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_what_is_refused_is_said_beside_what_was_filled_in(
    world: World, given: dict[str, str | list[str]], said: str
) -> None:
    write_manifest(world.folder / "old", "name: old\ntasks: {a: {notebook: ../sales/clean.ipynb}}\n")
    fields = {"name": "nightly", "notebook": BOTH, "folder": "", **given}
    page = world.again(NEW, **fields)
    assert said in page.soup.find(attrs={"role": "alert"}).text
    assert page.soup.find(id="name")["value"] == fields["name"]
    assert len(list(world.folder.rglob("pipeline.yaml"))) == 1


def test_a_circle_is_shown_as_a_problem_and_not_written(world: World) -> None:
    write_notebook(world.folder / BOTH[1], 'pd.read_csv("data/join.csv").to_csv("data/clean.csv")')
    write_notebook(world.folder / BOTH[0], 'pd.read_csv("data/clean.csv").to_csv("data/join.csv")')
    page = world.again(NEW, name="nightly", notebook=BOTH)
    assert "cycle: join → clean → join" in page.text
    assert not list(world.folder.rglob("pipeline.yaml"))


def test_a_notebook_is_begun_and_chosen(world: World) -> None:
    done = world.act(f"{NEW}/notebook", name="nightly", notebook=BOTH[:1], path="sales/report.ipynb")
    assert done.to == f"{NEW}?name=nightly&folder=&notebook=sales%2Fjoin.ipynb&notebook=sales%2Freport.ipynb"
    assert (world.folder / "sales/report.ipynb").exists()
    again = world.again(f"{NEW}/notebook", path="sales/report.ipynb")
    assert "sales/report.ipynb is there already" in again.text
    assert again.soup.find(id="path")["value"] == "sales/report.ipynb"


def test_an_empty_project_teaches(tmp_path: Path) -> None:
    world = World(tmp_path)
    for address in ("/", "/pipelines"):
        assert world.page(address).links()["Make one of notebooks"] == NEW
        assert NEW not in world.page(address, Role.OPERATOR).html
    assert "No notebooks yet." in world.page(NEW).text


@pytest.mark.parametrize("address", [NEW, f"{NEW}/notebook"])
def test_it_is_for_editors(world: World, address: str) -> None:
    with pytest.raises(NotAllowed):
        world.page(address, Role.OPERATOR)
    for fields in ({"name": "nightly", "notebook": BOTH}, {"path": "x.ipynb"}):
        with pytest.raises(NotAllowed, match="needs editor"):
            world.act(address, Role.OPERATOR, **fields)
    assert not (world.folder / "x.ipynb").exists()


def test_over_the_wire(world: World) -> None:
    with served(world) as running, running.client() as client:
        page = client.get(NEW, params={"name": "nightly"})
        sent = {"_xsrf": xsrf_of(page.text), "name": "nightly", "notebook": BOTH}
        assert client.post(NEW, data={**sent, "_xsrf": "forged"}).status_code == 403
        refused = client.post(NEW, data={**sent, "name": "Nightly"})
        assert (refused.status_code, "cannot be the name" in refused.text) == (200, True)
        done = client.post(NEW, data=sent)
        assert (done.status_code, done.headers["location"]) == (303, "/pipelines/nightly/edit")
        assert "Wrote sales/pipeline.yaml" in client.get("/pipelines/nightly/edit").text
    with served(world, role=Role.OPERATOR) as running, running.client() as client:
        assert client.get(NEW).status_code == 403
        assert client.get("/pipelines/nightly").status_code == 200
