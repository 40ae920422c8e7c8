"""Finding, checking and freezing what is in a project folder."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import write_manifest, write_notebook

from nbflow.errors import InvalidInput, InvalidManifest, NotFound, Unavailable
from nbflow.model import Param, TaskName
from nbflow.ports import Definition
from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace, reading
from nbflow.workspace.kernels import InstalledKernels
from nbflow.workspace.single import task_name

ONE = "name: {name}\ntasks:\n  a: {{notebook: a.ipynb}}\n"
CHAIN = """\
name: chain
tasks:
  a: {notebook: a.ipynb}
  b: {notebook: b.ipynb, depends_on: a}
  c: {notebook: c.ipynb, depends_on: b, kernel: other}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def workspace(project: Path, **settings: Any) -> FolderWorkspace:
    return FolderWorkspace(project, Settings(**settings), kernels={"python3", "other"})


def one(folder: Path, name: str) -> Path:
    """A pipeline of one task."""
    write_notebook(folder / "a.ipynb", "print(1)")
    return write_manifest(folder, ONE.format(name=name))


def chain(folder: Path) -> Path:
    for name in "abc":
        write_notebook(folder / f"{name}.ipynb", f"print('{name}')", parameters="day = 'today'" if name == "a" else "")
    return write_manifest(folder, CHAIN)


def found(space: FolderWorkspace) -> list[str]:
    return [each.pipeline.name if each.pipeline else "?" for each in space.definitions()]


def problems(definition: Definition) -> list[str]:
    return [str(problem) for problem in definition.problems]


# --- which manifests there are ------------------------------------------------------------------------------------


def test_definitions_are_found_anywhere_and_come_in_name_order(project: Path) -> None:
    paths = {
        name: one(project / folder, name) for name, folder in [("late", "a"), ("early", "z/deep/er"), ("mid", ".")]
    }
    definitions = workspace(project).definitions()
    assert [each.path for each in definitions] == [paths["early"], paths["late"], paths["mid"]]
    assert all(each.pipeline and not each.problems for each in definitions)
    assert definitions[0].text == paths["early"].read_text()


@pytest.mark.parametrize(
    "folder",
    [".hidden", "x/.ipynb_checkpoints", "node_modules/x", "__pycache__", "runs/p/r", "venv/share", "other/sub"],
)
def test_some_folders_are_passed_over(project: Path, folder: str) -> None:
    one(project / folder, "lost")
    one(project / "here", "kept")
    for mark in ("venv/pyvenv.cfg", "other/nbflow.toml"):
        (project / mark).parent.mkdir(exist_ok=True)
        (project / mark).touch()
    assert found(workspace(project, outputs="runs")) == ["kept"]


def test_only_the_configured_folders_are_searched_and_each_manifest_counts_once(project: Path) -> None:
    one(project / "notebooks" / "sub", "kept")
    one(project / "elsewhere", "lost")
    assert found(workspace(project, pipelines=("notebooks", "notebooks/sub", "./notebooks"))) == ["kept"]


def test_links_that_lead_in_circles_do_no_harm(project: Path) -> None:
    one(project / "a", "kept")
    (project / "a" / "up").symlink_to(project)
    (project / "again").symlink_to(project / "a")
    (project / "self").symlink_to("self")
    (project / "broken").symlink_to("nowhere")
    assert found(workspace(project)) == ["kept"]


def test_a_configured_folder_that_does_not_exist_is_a_problem(project: Path) -> None:
    one(project / "notebooks", "kept")
    broken, kept = workspace(project, pipelines=("notebooks", "notebook")).definitions()
    assert kept.pipeline
    assert problems(broken) == ["nbflow.toml:1:1: pipelines names the folder 'notebook', which does not exist"]


def test_an_empty_project_has_no_definitions(project: Path) -> None:
    assert workspace(project).definitions() == []


# --- what is checked ----------------------------------------------------------------------------------------------


def test_problems_name_the_file_from_the_project_folder(project: Path) -> None:
    write_manifest(project / "daily", "name: daily\ntasks: {a: {notebok: a.ipynb}}\n")
    (definition,) = workspace(project).definitions()
    assert definition.pipeline is None
    assert {problem.file for problem in definition.problems} == {"daily/pipeline.yaml"}


def test_the_manifest_is_checked_against_what_exists_around_it(project: Path) -> None:
    write_notebook(project / "daily" / "orders.ipynb", "pass", parameters="region = 'all'")
    write_manifest(
        project / "daily",
        """\
        name: daily
        alerts: {on_failure: [opps]}
        tasks:
          missing: {notebook: order.ipynb}
          outside: {notebook: ../../orders.ipynb}
          kernel: {notebook: orders.ipynb, kernel: julia}
          pool: {notebook: orders.ipynb, pool: warehouse}
          params: {notebook: orders.ipynb, params: {regon: x}}
          env: {notebook: orders.ipynb, params: {region: "{{ env.HOME }}"}}
        """,
    )
    space = workspace(project, pools={"warehouses": 1}, channels={"ops": ("mailto://x",)}, env=("REGION",))
    (definition,) = space.definitions()
    assert [(problem.line, problem.message, problem.hint) for problem in definition.problems] == [
        (2, "alerts.on_failure names the channel 'opps', which nbflow.toml does not have", "Did you mean 'ops'?"),
        (4, "notebook 'order.ipynb' does not exist", "Did you mean 'orders.ipynb'?"),
        (5, "tasks.outside.notebook: '../../orders.ipynb' lies outside the project", ""),
        (6, "task 'kernel' names the kernel 'julia', which does not exist", "There are: other, python3."),
        (7, "task 'pool' uses the pool 'warehouse', which nbflow.toml does not have", "Did you mean 'warehouses'?"),
        (8, "task 'params' gives 'regon', which is no parameter of 'orders.ipynb'", "Did you mean 'region'?"),
        (9, "tasks.env.params.region refers to environment variable 'HOME', which nbflow.toml does not allow",
         "There are: REGION."),
    ]  # fmt: skip


def test_a_notebook_may_lie_elsewhere_in_the_project(project: Path) -> None:
    write_notebook(project / "shared" / "clean.ipynb", "pass")
    write_manifest(project / "daily", "name: daily\ntasks: {a: {notebook: ../shared/clean.ipynb}}\n")
    (definition,) = workspace(project).definitions()
    assert definition.pipeline


def test_a_missing_notebook_elsewhere_gets_a_hint_from_there(project: Path) -> None:
    write_notebook(project / "shared" / "clean.ipynb", "pass")
    write_manifest(project / "daily", "name: daily\ntasks: {a: {notebook: ../shared/claen.ipynb}}\n")
    (definition,) = workspace(project).definitions()
    assert definition.problems[0].hint == "Did you mean '../shared/clean.ipynb'?"


@pytest.mark.parametrize("content", [b"name: caf\xe9\n", None])
def test_a_manifest_that_cannot_be_read_is_a_problem(project: Path, content: bytes | None) -> None:
    path = project / "pipeline.yaml"
    if content is None:
        path.symlink_to("nowhere")
    else:
        path.write_bytes(content)
    (definition,) = workspace(project).definitions()
    assert definition.pipeline is None
    assert problems(definition)[0].startswith("pipeline.yaml:1:1: this cannot be read: ")


def test_two_manifests_of_one_name_are_both_refused(project: Path) -> None:
    one(project / "a", "daily")
    write_manifest(project / "b", "# broken as well\nname: daily\ntaks: {}\n")
    one(project / "c", "other")
    first, second, other = workspace(project).definitions()
    assert other.pipeline
    assert first.pipeline is None
    assert problems(first) == [
        "a/pipeline.yaml:1:7: there is another pipeline 'daily' in b/pipeline.yaml. Give each its own name."
    ]
    assert (
        "b/pipeline.yaml:2:7: there is another pipeline 'daily' in a/pipeline.yaml. Give each its own name."
        in problems(second)
    )
    assert len(second.problems) > 1


@pytest.mark.parametrize("how", ["daily", "a", "b/pipeline.yaml"])
def test_twins_are_refused_however_they_are_loaded(project: Path, how: str) -> None:
    one(project / "a", "daily")
    one(project / "b", "daily")
    definition = workspace(project).load(how)
    assert definition.pipeline is None
    assert "there is another pipeline 'daily'" in problems(definition)[0]


def test_a_signature_is_read_again_only_when_its_file_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    inspect = reading.inspect
    monkeypatch.setattr(reading, "inspect", lambda path: read.append(path.name) or inspect(path))
    write_notebook(project / "a.ipynb", "pass")
    write_notebook(project / "b.ipynb", "pass")
    write_manifest(
        project, "name: p\ntasks: {a: {notebook: a.ipynb}, b: {notebook: b.ipynb}, c: {notebook: b.ipynb}}\n"
    )
    space = workspace(project)
    space.definitions()
    space.load("p")
    assert read == ["a.ipynb", "b.ipynb"]
    write_notebook(project / "a.ipynb", "pass", parameters="day = 1")
    write_manifest(project, "name: p\ntasks: {a: {notebook: a.ipynb, params: {day: 2}}}\n")
    assert space.load("p").pipeline
    assert read == ["a.ipynb", "b.ipynb", "a.ipynb"]


# --- load ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["daily", "notebooks/d", "notebooks/d/", "./notebooks/d/pipeline.yaml", "{project}/notebooks/d"]
)
def test_a_pipeline_is_loaded_by_name_folder_or_manifest(project: Path, how: str) -> None:
    path = one(project / "notebooks" / "d", "daily")
    definition = workspace(project).load(how.format(project=project))
    assert (definition.path, definition.pipeline and definition.pipeline.name) == (path, "daily")


def test_paths_begin_at_the_current_folder_or_else_at_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one(project / "notebooks" / "d", "outer")
    one(project / "here" / "notebooks" / "d", "inner")
    monkeypatch.chdir(project / "here")
    inner = workspace(project).load("notebooks/d").pipeline
    monkeypatch.chdir(project / "notebooks")
    outer = workspace(project).load("notebooks/d").pipeline
    assert (inner and inner.name, outer and outer.name) == ("inner", "outer")


def test_a_name_goes_before_a_folder(project: Path) -> None:
    named = one(project / "somewhere", "daily")
    one(project / "daily", "other")
    assert workspace(project).load("daily").path == named
    assert workspace(project).load("./daily").path == project / "daily" / "pipeline.yaml"


def test_a_broken_manifest_is_found_by_its_name(project: Path) -> None:
    write_manifest(project / "d", "name: daily   # soon\ntasks: 5\n")
    definition = workspace(project).load("daily")
    assert definition.pipeline is None
    assert definition.problems


@pytest.mark.parametrize(
    "text", ["{name: daily, tasks: {a: {notebook: a.ipynb}}}", "name:\n  daily\ntasks: {a: {notebook: a.ipynb}}"]
)
def test_a_name_that_is_written_in_an_unusual_way_is_found_too(project: Path, text: str) -> None:
    write_notebook(project / "a.ipynb", "pass")
    write_manifest(project, text)
    assert workspace(project).load("daily").pipeline


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("dayly", "there is no pipeline 'dayly'. Did you mean 'daily'?"),
        ("monthly_report", "there is no pipeline 'monthly_report'. There are: broken, daily."),
        ("d/pipelin.yaml", "there is no file 'd/pipelin.yaml'. Did you mean 'd/pipeline.yaml'?"),
        ("empty", "folder 'empty' has no pipeline.yaml"),
    ],
)
def test_what_does_not_exist_is_named_with_what_is_near(project: Path, how: str, message: str) -> None:
    one(project / "d", "daily")
    write_manifest(project / "b", "name: broken\n")
    (project / "empty").mkdir()
    with pytest.raises(NotFound) as caught:
        workspace(project).load(how)
    assert str(caught.value) == message


def test_a_file_of_another_kind_is_refused(project: Path) -> None:
    (project / "notes.txt").touch()
    with pytest.raises(
        InvalidInput, match=r"'notes.txt' is no manifest and no notebook\. Name a \.yaml or an \.ipynb file"
    ):
        workspace(project).load("notes.txt")


def test_a_manifest_of_another_file_name_can_be_loaded_by_its_path(project: Path) -> None:
    one(project, "daily").rename(project / "nightly.yml")
    assert workspace(project).load("nightly.yml").pipeline


def test_a_manifest_outside_the_project_is_limited_to_its_own_folder(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_notebook(tmp_path / "b.ipynb", "pass")
    one(outside, "away")
    assert workspace(project).load("../outside").pipeline
    path = write_manifest(outside, "name: away\ntasks:\n  a: {notebook: a.ipynb}\n  b: {notebook: ../b.ipynb}\n")
    definition = workspace(project).load(str(outside))
    assert problems(definition) == [f"{path}:4:17: tasks.b.notebook: '../b.ipynb' lies outside the project"]


def test_a_path_by_way_of_a_link_is_the_projects_own(project: Path, tmp_path: Path) -> None:
    path = one(project / "d", "daily")
    (tmp_path / "link").symlink_to(project)
    assert workspace(project).load(str(tmp_path / "link" / "d")).path == path


# --- a notebook alone ---------------------------------------------------------------------------------------------


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


def test_a_notebook_alone_without_parameters_has_none(project: Path) -> None:
    write_notebook(project / "plain.ipynb", "print(1)")
    pipeline = workspace(project).load("plain.ipynb").pipeline
    assert pipeline
    assert not pipeline.params
    assert not pipeline.tasks[TaskName("plain")].params


def test_what_is_wrong_with_a_notebook_alone(project: Path) -> None:
    (project / "broken.ipynb").write_text("{")
    definition = workspace(project).load("broken.ipynb")
    assert definition.pipeline is None
    assert len(definition.problems) == 1
    assert problems(definition)[0].startswith("broken.ipynb:1:1: notebook 'broken.ipynb' cannot be read: ")


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


# --- freezing -----------------------------------------------------------------------------------------------------


def test_freeze_copies_every_notebook_by_its_content(project: Path) -> None:
    manifest = chain(project / "d")
    space = workspace(project)
    frozen = space.freeze(space.load("chain"))
    assert space.frozen == project / ".nbflow" / "frozen"
    assert space.frozen.stat().st_mode & 0o777 == 0o700
    assert frozen.text == manifest.read_text()
    assert frozen.sha256 == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert list(frozen.notebooks) == list(frozen.pipeline.tasks) == ["a", "b", "c"]
    for name, notebook in frozen.notebooks.items():
        source, copy = project / "d" / f"{name}.ipynb", space.frozen / f"{notebook.sha256}.ipynb"
        assert copy.read_bytes() == source.read_bytes()
        assert notebook.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert copy.stat().st_mode & 0o777 == 0o600
        assert (notebook.path, notebook.folder) == (f"{name}.ipynb", str(project / "d"))
    a, c = frozen.notebooks[TaskName("a")], frozen.notebooks[TaskName("c")]
    assert (a.kernel, a.cells, a.params) == ("python3", 3, (Param(name="day", default="today"),))
    assert (c.kernel, c.cells, c.params) == ("other", 2, ())


def test_a_second_freeze_writes_nothing(project: Path) -> None:
    chain(project)
    space = workspace(project)
    first = space.freeze(space.load("chain"))
    before = {path.name: path.stat().st_ino for path in space.frozen.iterdir()}
    assert workspace(project).freeze(space.load("chain")) == first
    assert {path.name: path.stat().st_ino for path in space.frozen.iterdir()} == before
    assert len(before) == 3


def test_equal_notebooks_share_one_copy(project: Path) -> None:
    write_notebook(project / "a.ipynb", "pass")
    (project / "b.ipynb").write_bytes((project / "a.ipynb").read_bytes())
    write_manifest(
        project, "name: p\ntasks: {a: {notebook: a.ipynb}, b: {notebook: b.ipynb}, c: {notebook: a.ipynb}}\n"
    )
    space = workspace(project)
    frozen = space.freeze(space.load("p"))
    assert len(list(space.frozen.iterdir())) == 1
    assert [each.path for each in frozen.notebooks.values()] == ["a.ipynb", "b.ipynb", "a.ipynb"]


def test_the_folder_of_a_notebook_elsewhere_is_its_own(project: Path) -> None:
    write_notebook(project / "shared" / "a.ipynb", "pass")
    write_manifest(project / "d", "name: p\ntasks: {a: {notebook: ../shared/a.ipynb}}\n")
    space = workspace(project)
    notebook = space.freeze(space.load("p")).notebooks[TaskName("a")]
    assert (notebook.path, notebook.folder) == ("../shared/a.ipynb", str(project / "shared"))


def test_a_restricted_pipeline_keeps_the_order_and_has_a_hash_of_its_own(project: Path) -> None:
    chain(project)
    space = workspace(project)
    definition = space.load("chain")

    def frozen(*names: str) -> tuple[Any, str]:
        found = space.freeze(definition, [TaskName(name) for name in names])
        return {name: task.depends_on for name, task in found.pipeline.tasks.items()}, found.sha256

    whole = space.freeze(definition)
    assert frozen("c", "a")[0] == {"a": (), "c": ("a",)}
    assert set(space.freeze(definition, [TaskName("b")]).notebooks) == {"b"}
    hashes = [frozen(*names)[1] for names in ("a", "b", "ac", "ab")]
    assert len({whole.sha256, *hashes}) == 5
    assert frozen("c", "a") == frozen("a", "c")
    assert frozen("a", "b", "c")[1] == whole.sha256


def test_what_was_loaded_is_frozen_not_what_the_manifest_says_now(project: Path) -> None:
    path = one(project, "daily")
    space = workspace(project)
    definition = space.load("daily")
    path.write_text("name: other\n")
    frozen = space.freeze(definition)
    assert (frozen.pipeline.name, frozen.text) == ("daily", ONE.format(name="daily"))


def test_a_broken_definition_cannot_be_frozen(project: Path) -> None:
    write_manifest(project, "name: daily\n")
    space = workspace(project)
    with pytest.raises(InvalidManifest) as caught:
        space.freeze(space.load("daily"))
    assert caught.value.problems == space.load("daily").problems


def test_notebooks_that_went_away_or_broke_are_all_named(project: Path) -> None:
    chain(project / "d")
    space = workspace(project)
    definition = space.load("chain")
    (project / "d" / "a.ipynb").unlink()
    (project / "d" / "b.ipynb").write_text("{}")
    (project / "d" / "c.ipynb").unlink()
    (project / "d" / "c.ipynb").mkdir()
    with pytest.raises(InvalidManifest) as caught:
        space.freeze(definition)
    assert [(each.file, each.where) for each in caught.value.problems] == [
        ("d/pipeline.yaml", f"tasks.{name}.notebook") for name in "abc"
    ]
    gone, broken, folder = (each.message for each in caught.value.problems)
    assert gone == "notebook 'a.ipynb' does not exist"
    assert broken.startswith("notebook 'b.ipynb' cannot be read: ")
    assert folder == "notebook 'c.ipynb' cannot be read: Is a directory"


def test_refreeze_takes_the_notebooks_as_they_are_now(project: Path) -> None:
    chain(project / "d")
    space = workspace(project)
    frozen = space.freeze(space.load("chain"))
    write_notebook(project / "d" / "c.ipynb", "print('mended')", parameters="x = 1")
    asked = {name: frozen.notebooks[name] for name in (TaskName("b"), TaskName("c"))}
    fresh = space.refreeze(frozen.pipeline, asked)
    assert fresh[TaskName("b")] == asked[TaskName("b")]
    mended = fresh[TaskName("c")]
    assert mended.sha256 != asked[TaskName("c")].sha256
    assert b"mended" in (space.frozen / f"{mended.sha256}.ipynb").read_bytes()
    assert (mended.kernel, mended.params, mended.folder) == ("other", (Param(name="x", default=1),), str(project / "d"))
    assert (space.frozen / f"{asked[TaskName('c')].sha256}.ipynb").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "notebook 'a.ipynb' does not exist"),
        (lambda path: path.write_text("not json"), "notebook 'a.ipynb' cannot be read: "),
    ],
)
def test_refreeze_names_the_notebook_that_is_no_more(
    project: Path, spoil: Callable[[Path], object], message: str
) -> None:
    one(project, "daily")
    space = workspace(project)
    frozen = space.freeze(space.load("daily"))
    spoil(project / "a.ipynb")
    with pytest.raises(InvalidInput) as caught:
        space.refreeze(frozen.pipeline, frozen.notebooks)
    assert caught.value.message.startswith(message)
    assert caught.value.where == str(project / "a.ipynb")


def test_a_full_disk_leaves_nothing_behind(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one(project, "daily")
    space = workspace(project)
    definition = space.load("daily")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="a notebook cannot be frozen: No space left on device"):
        space.freeze(definition)
    assert list(space.frozen.iterdir()) == []
    monkeypatch.undo()
    assert space.freeze(definition)


# --- kernels ------------------------------------------------------------------------------------------------------


def test_a_kernel_is_known_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "kernels" / "forecast" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["true"], "display_name": "Forecast", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    kernels = InstalledKernels()
    assert "forecast" in kernels
    assert "forecasts" not in kernels
    assert "../kernels/forecast" not in kernels
    assert 5 not in kernels
    assert {"forecast", "python3"} <= set(kernels)
    assert len(kernels) == len(set(kernels))


def test_a_kernel_that_has_a_file_costs_no_heavy_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_client.kernelspec", None)  # importing it would raise
    assert "python3" in InstalledKernels()
