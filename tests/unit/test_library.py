"""The notebooks of a project, what suggests itself between them, and the files that somebody begins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from making import write_manifest, write_notebook

from nbflow.errors import Conflict, InvalidInput, NotFound, Unavailable
from nbflow.manifest.touching import Gap
from nbflow.model import Param
from nbflow.notebooks.inspect import inspect, read
from nbflow.ports import NotebookFile, Wish
from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace
from nbflow.workspace.fresh import task_names
from nbflow.workspace.library import FolderLibrary

THREE = ("sales/extract.ipynb", "sales/clean.ipynb", "sales/join.ipynb")


def library(project: Path, *pipelines: str) -> FolderLibrary:
    return FolderLibrary(project, Settings(pipelines=pipelines or (".",)), kernels={"python3"})


def sales(project: Path) -> FolderLibrary:
    """Three notebooks, of which each reads what the one before writes."""
    write_notebook(project / THREE[0], 'df.to_csv("data/raw.csv")', parameters="day: str\nrows = 3")
    write_notebook(project / THREE[1], 'pd.read_csv("data/raw.csv"); df.to_parquet("data/clean.parquet")')
    write_notebook(project / THREE[2], 'pd.read_parquet("data/clean.parquet")', parameters="day: str")
    return library(project)


# --- what there is ------------------------------------------------------------------------------------------------


def test_every_notebook_is_there_with_its_heading_and_its_parameters(tmp_path: Path) -> None:
    found = sales(tmp_path)
    (tmp_path / "broken.ipynb").write_text("{}")
    for hidden in (".ipynb_checkpoints/x.ipynb", ".nbflow/runs/x.ipynb", "venv/x.ipynb", ".x.ipynb"):
        write_notebook(tmp_path / hidden, "1")
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    broken, clean, extract, join = found.notebooks()
    assert (broken.path, broken.params) == ("broken.ipynb", None)
    assert broken.problem.startswith("notebook 'broken.ipynb' cannot be read: ")
    assert clean == NotebookFile(path=THREE[1], task="clean", heading="clean", params=None)
    days = Param(name="day", type="str", is_required=True)
    rows = Param(name="rows", default=3)
    assert extract == NotebookFile(path=THREE[0], task="extract", heading="extract", params=(days, rows))
    assert join.path == THREE[2]


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("text\n\n## *Clean* the `orders` ##\n# Other", "Clean* the `orders"),
        ("```\n# no heading\n```\n#hash\n### Third", "Third"),
        ("~~~\n# never closed", ""),
        ("", ""),
        ("# \n#  **Bold**  ", "Bold"),
    ],
)
def test_the_first_heading_is_found_as_it_is_read(text: str, heading: str) -> None:
    cells = [
        {"cell_type": "code", "source": "# a comment", "metadata": {}},
        {"cell_type": "markdown", "source": text, "metadata": {}},
    ]
    assert inspect({"cells": cells, "metadata": {}}).heading == heading


def test_edges_suggest_themselves_with_their_reason(tmp_path: Path) -> None:
    found = sales(tmp_path)
    text = "name: p\ntasks:\n  a: {notebook: extract.ipynb, params: {day: x}}\n  b: {notebook: clean.ipynb}\n"
    write_manifest(tmp_path / "sales", text)
    space = FolderWorkspace(tmp_path, Settings(), kernels={"python3"})
    assert found.gaps(space.load("p")) == (Gap("a", "b", "data/raw.csv"),)
    assert found.gaps(space.suppose(space.load("p"), text.replace("clean.ipynb", "clean.ipynb, depends_on: a"))) == ()
    assert found.gaps(space.suppose(space.load("p"), text.replace("clean.ipynb", "gone.ipynb"))) == ()
    assert found.gaps(space.suppose(space.load("p"), text.replace("day: x", "odd: x"))) == (
        Gap("a", "b", "data/raw.csv"),
    )
    assert found.gaps(space.suppose(space.load("p"), text + "  c: {}\n")) == ()


# --- a new pipeline -----------------------------------------------------------------------------------------------


def test_a_new_pipeline_runs_its_notebooks_in_their_order(tmp_path: Path) -> None:
    found = sales(tmp_path)
    bare = found.draw_up(Wish(name="nightly", notebooks=THREE[::-1]))
    edges = frozenset((gap.up, gap.down) for gap in found.gaps(bare))
    assert edges == {("extract", "clean"), ("clean", "join")}
    definition = found.draw_up(Wish(name="nightly", notebooks=THREE[::-1], edges=edges | {("no", "join")}))
    assert not definition.path.exists()
    assert definition.problems == ()
    found.create(definition)
    assert (tmp_path / "sales" / "pipeline.yaml").read_text() == (
        "name: nightly\n"
        "params:\n"
        "  day: {type: str}\n"
        "tasks:\n"
        "  extract:\n"
        "    notebook: extract.ipynb\n"
        "    params:\n"
        '      day: "{{ params.day }}"\n'
        "  clean:\n"
        "    notebook: clean.ipynb\n"
        "    depends_on: [extract]\n"
        "  join:\n"
        "    notebook: join.ipynb\n"
        "    depends_on: [clean]\n"
        "    params:\n"
        '      day: "{{ params.day }}"\n'
    )
    assert found.gaps(definition) == ()
    assert FolderWorkspace(tmp_path, Settings(), kernels={"python3"}).load("nightly").pipeline == definition.pipeline


@pytest.mark.parametrize(
    ("folder", "notebooks", "path"),
    [
        ("", THREE, "sales/pipeline.yaml"),
        ("", (*THREE, "top.ipynb"), "nightly/pipeline.yaml"),
        ("", ("top.ipynb",), "nightly/pipeline.yaml"),
        ("sales/new", THREE, "sales/new/pipeline.yaml"),
        ("taken/../other", THREE, "other/pipeline.yaml"),
        (".", THREE, "pipeline.yaml"),
    ],
)
def test_where_a_new_pipeline_stands(tmp_path: Path, folder: str, notebooks: tuple[str, ...], path: str) -> None:
    found = sales(tmp_path)
    write_notebook(tmp_path / "top.ipynb", "1")
    wish = Wish(name="nightly", notebooks=notebooks, folder=folder)
    definition = found.draw_up(wish)
    assert definition.file == path
    assert definition.pipeline is not None
    back = {os.path.normpath(definition.path.parent / task.notebook) for task in definition.pipeline.tasks.values()}
    assert back == {str(tmp_path / each) for each in notebooks}


def test_a_folder_that_has_a_pipeline_gets_another_below_it(tmp_path: Path) -> None:
    found = sales(tmp_path)
    write_manifest(tmp_path / "sales", "name: old\ntasks:\n  a: {notebook: clean.ipynb}\n")
    assert found.draw_up(Wish(name="nightly", notebooks=THREE)).file == "sales/nightly/pipeline.yaml"


def test_notebooks_outside_of_what_is_searched_get_a_folder_inside(tmp_path: Path) -> None:
    sales(tmp_path)
    wish = Wish(name="nightly", notebooks=THREE)
    assert library(tmp_path, "pipes", "more").draw_up(wish).file == "pipes/nightly/pipeline.yaml"


WRONG = {
    "a name that is none": (Wish(name="Nightly", notebooks=THREE), "'Nightly' cannot be the name of a pipeline"),
    "a name that is taken": (
        Wish(name="old", notebooks=THREE),
        "there is a pipeline 'old' already, in taken/pipeline.yaml",
    ),
    "a folder that is taken": (
        Wish(name="fresh", notebooks=THREE, folder="taken"),
        "there is a pipeline in taken already",
    ),
    "nothing": (Wish(name="fresh", notebooks=()), "a pipeline needs at least one notebook"),
    "twice": (Wish(name="fresh", notebooks=THREE[:1] * 2), "a notebook is named twice"),
    "no notebook": (Wish(name="fresh", notebooks=("sales/extrct.ipynb",)), "Did you mean 'sales/extract.ipynb'?"),
    "outside": (Wish(name="fresh", notebooks=THREE, folder="/tmp"), "lies outside the project"),
    "above": (Wish(name="fresh", notebooks=THREE, folder="a/../.."), "lies outside the project"),
    "hidden": (Wish(name="fresh", notebooks=THREE, folder="a/.b"), "cannot be a path here"),
    "in a link": (Wish(name="fresh", notebooks=THREE, folder="link/x"), "lies outside the project"),
    "not searched": (Wish(name="fresh", notebooks=THREE, folder="node_modules"), "no pipeline is looked for"),
    "too many": (Wish(name="fresh", notebooks=tuple(map(str, range(201)))), "201 notebooks are too many at once"),
}


@pytest.mark.parametrize(("wish", "said"), WRONG.values(), ids=WRONG)
def test_a_wish_that_leads_nowhere(tmp_path: Path, wish: Wish, said: str) -> None:
    project = tmp_path / "project"
    found = sales(project)
    write_manifest(project / "taken", "name: old\ntasks:\n  a: {notebook: ../sales/clean.ipynb}\n")
    (project / "link").symlink_to(tmp_path)
    with pytest.raises((InvalidInput, Conflict)) as raised:
        found.draw_up(wish)
    assert said in str(raised.value)


def test_edges_that_lead_in_a_circle_are_a_problem(tmp_path: Path) -> None:
    edges = frozenset({("extract", "clean"), ("clean", "extract")})
    definition = sales(tmp_path).draw_up(Wish(name="fresh", notebooks=THREE, edges=edges))
    assert definition.pipeline is None
    assert "cycle: extract → clean → extract" in [problem.message for problem in definition.problems]


def test_a_manifest_that_came_in_between_stays(tmp_path: Path) -> None:
    found = sales(tmp_path)
    definition = found.draw_up(Wish(name="fresh", notebooks=THREE))
    write_manifest(tmp_path / "sales", "name: other\n")
    with pytest.raises(Conflict, match=r"sales/pipeline\.yaml is there already"):
        found.create(definition)
    assert definition.path.read_text() == "name: other\n"
    assert sorted(each.name for each in definition.path.parent.iterdir()) == [
        "clean.ipynb",
        "extract.ipynb",
        "join.ipynb",
        "pipeline.yaml",
    ]


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sales(tmp_path)
    definition = found.draw_up(Wish(name="fresh", notebooks=THREE))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match=r"sales/pipeline\.yaml cannot be written: No space left on device"):
        found.create(definition)
    assert len(list((tmp_path / "sales").iterdir())) == 3


def test_tasks_that_would_share_a_name_are_numbered() -> None:
    paths = ["a/load.ipynb", "b/load.ipynb", "load 2.ipynb", "c/Load.ipynb"]
    assert task_names(paths) == ["load", "load_2", "load_2_2", "load_3"]


# --- a new notebook -----------------------------------------------------------------------------------------------


def test_a_new_notebook_can_be_a_task_at_once(tmp_path: Path) -> None:
    found = library(tmp_path)
    made = found.begin_notebook("sales/clean_orders.ipynb")
    (param,) = made.params or ()
    assert (made.path, made.heading, param.name, param.type) == (
        "sales/clean_orders.ipynb",
        "Clean orders",
        "run_date",
        "str",
    )
    assert (tmp_path / made.path).stat().st_mode & 0o777 == 0o666 & ~umask()
    code = "\n".join(each["source"] for each in read(tmp_path / made.path)["cells"] if each["cell_type"] == "code")
    exec(compile(code, "notebook", "exec"), {})
    definition = found.draw_up(Wish(name="fresh", notebooks=(made.path,)))
    assert definition.problems == ()


def umask() -> int:
    before = os.umask(0o022)
    os.umask(before)
    return before


def test_a_notebook_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "clean.ipynb", "1")
    before = path.read_bytes()
    with pytest.raises(Conflict, match=r"clean\.ipynb is there already"):
        library(tmp_path).begin_notebook("clean.ipynb")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "path",
    [
        "x.txt",
        ".ipynb",
        "../x.ipynb",
        "/tmp/x.ipynb",
        "a/.b/x.ipynb",
        "a\nb.ipynb",
        "x .ipynb/ y.ipynb",
        "",
        "venv/x.ipynb",
    ],
)
def test_a_name_that_no_notebook_should_have(tmp_path: Path, path: str) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    with pytest.raises(InvalidInput):
        library(tmp_path).begin_notebook(path)
    assert [each.name for each in tmp_path.iterdir()] == ["venv"]


def test_a_notebook_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no notebook 'x\.ipynb' in the project"):
        library(tmp_path).draw_up(Wish(name="fresh", notebooks=("x.ipynb",)))
