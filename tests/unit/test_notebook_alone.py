"""A notebook without a manifest is a pipeline of one task."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import write_notebook
from workspaces import one, workspace

from nbflow.errors import NotFound
from nbflow.model import Param, TaskName
from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace
from nbflow.workspace.single import task_name


def test_a_notebook_alone_is_a_pipeline_of_one_task(project: Path) -> None:
    cell = """
        region: str = "all"  # Which region
        limit: int = None
        frame: pd.DataFrame = 3
        count: int
        day = date(2026, 4, 1)
    """
    path = write_notebook(project / "analysis" / "Sales Report.ipynb", "print(region)", parameters=cell)
    definition = workspace(project).load("analysis/Sales Report.ipynb")
    pipeline = definition.pipeline
    assert pipeline
    assert (definition.path, definition.problems, pipeline.name) == (path, (), "sales_report")
    assert pipeline.params == {
        "region": Param(name="region", type="str", default="all", description="Which region"),
        "limit": Param(name="limit"),
        "frame": Param(name="frame", default=3),
        "count": Param(name="count", type="int", is_required=True),
    }
    (task,) = pipeline.tasks.values()
    assert (task.name, task.notebook) == ("sales_report", "Sales Report.ipynb")
    assert task.params == {name: f"{{{{ params.{name} }}}}" for name in ("region", "limit", "frame", "count")}


def test_a_notebook_alone_may_be_given_what_it_would_work_out(project: Path) -> None:
    write_notebook(project / "x.ipynb", "print(day)", parameters="day: date = date.today()\nto = f'{day}'\nrows = 3")
    space = workspace(project)
    alone, given = (space.load("x.ipynb", given=names).pipeline for names in ((), {"day", "rows", "other"}))
    assert alone is not None
    assert given is not None
    assert list(alone.params.values()) == [Param(name="rows", default=3)]
    assert list(given.params.values()) == [
        Param(name="day", type="date", is_required=True),
        Param(name="rows", default=3),
    ]
    assert given.tasks[TaskName("x")].params == {"day": "{{ params.day }}", "rows": "{{ params.rows }}"}


def test_a_notebook_alone_without_parameters_has_none(project: Path) -> None:
    write_notebook(project / "plain.ipynb", "print(1)")
    pipeline = workspace(project).load("plain.ipynb").pipeline
    assert pipeline
    assert not pipeline.params
    assert not pipeline.tasks[TaskName("plain")].params


def test_a_notebook_alone_whose_name_no_pipeline_may_have_gets_another(project: Path) -> None:
    write_notebook(project / "new.ipynb", "print(1)")
    pipeline = workspace(project).load("new.ipynb").pipeline
    assert pipeline
    assert (pipeline.name, list(pipeline.tasks)) == ("new_notebook", ["new"])


def test_what_is_wrong_with_a_notebook_alone(project: Path) -> None:
    (project / "broken.ipynb").write_text("{")
    definition = workspace(project).load("broken.ipynb")
    assert definition.pipeline is None
    assert len(definition.problems) == 1
    assert str(definition.problems[0]).startswith("broken.ipynb:1:1: notebook 'broken.ipynb' cannot be read: ")


def test_who_comes_over_the_web_knows_names_and_no_paths(project: Path, tmp_path: Path) -> None:
    one(tmp_path / "outside", "away")
    one(project / "inside", "here")
    web = FolderWorkspace(project, Settings(), kernels={"python3"}, takes_paths=False)
    assert web.load("here").pipeline
    for path in ("../outside", str(tmp_path / "outside"), "inside", "inside/pipeline.yaml", "inside/a.ipynb"):
        with pytest.raises(NotFound):
            web.load(path)


def test_a_notebook_alone_outside_the_project(project: Path, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "away" / "a.ipynb", "pass")
    definition = workspace(project).load(str(path))
    assert definition.pipeline
    frozen = workspace(project).freeze(definition)
    assert frozen.notebooks[TaskName("a")].folder == str(tmp_path / "away")


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("extract_orders", "extract_orders"),
        ("Sales Report", "sales_report"),
        ("01 Überblick (final)", "n01_uberblick_final"),
        ("a--b..c", "a_b_c"),
        ("_private_", "private"),
        ("2026-04-01", "n2026_04_01"),
        ("分析", "notebook"),
        ("x" * 120, "x" * 100),
    ],
)
def test_a_task_is_named_after_its_notebook(stem: str, name: str) -> None:
    assert task_name(stem) == name
