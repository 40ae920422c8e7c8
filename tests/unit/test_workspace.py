"""Finding, checking and freezing what is in a project folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from making import write_manifest, write_notebook
from workspaces import chain, one, workspace

from nbflow.errors import InvalidInput, NotFound
from nbflow.manifest.touching import Touches
from nbflow.ports import Definition
from nbflow.workspace import FolderWorkspace, reading


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


def test_a_manifest_whose_file_is_named_nearly_right_is_a_problem(project: Path) -> None:
    one(project / "a", "daily").rename(project / "a" / "pipeline.yml")
    one(project / "b", "weekly")
    (project / "b" / "pipeline.yml").touch()
    (broken, fine) = workspace(project).definitions()
    assert problems(broken) == [
        "a/pipeline.yml:1:1: no pipeline is looked for in a file of this name; a manifest is called pipeline.yaml. "
        "Rename it to pipeline.yaml."
    ]
    assert fine.name == "weekly"


def test_who_asks_for_a_pipeline_of_an_empty_project_is_told_where_it_is(project: Path) -> None:
    with pytest.raises(NotFound) as raised:
        workspace(project).load("daily")
    assert str(raised.value) == (
        f"there is no pipeline 'daily'. There is none yet in {project}; nbflow init makes a first one."
    )


def test_who_asks_for_a_pipeline_is_told_of_manifests_that_cannot_be_read(project: Path) -> None:
    (project / "notebooks" / "b").mkdir(parents=True)
    (project / "notebooks" / "b" / "pipeline.yaml").write_bytes(b"name: d\xe4ily")
    with pytest.raises(NotFound) as raised:
        workspace(project).load("daily")
    assert str(raised.value) == (
        "there is no pipeline 'daily'. notebooks/b/pipeline.yaml cannot be used: nbflow validate says why."
    )


def test_a_configured_folder_that_may_not_be_read_is_a_problem(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one(project / "notebooks", "hidden")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != project / "notebooks")
    monkeypatch.setattr(os, "walk", lambda _: iter(()))  # as it goes about a folder that it may not read
    (broken,) = workspace(project, pipelines=("notebooks",)).definitions()
    assert problems(broken) == ["nbflow.toml:1:1: pipelines names the folder 'notebooks', which may not be read"]


def test_a_manifest_in_a_folder_that_may_not_be_entered_is_not_gone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = one(project / "d", "daily").relative_to(project).as_posix()
    space, look = workspace(project), os.stat

    def refuse(path: Any, **options: Any) -> os.stat_result:
        if Path(path) == project / file:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return look(path, **options)

    assert space.unreachable(file) is space.unreachable("e/pipeline.yaml") is space.unreachable(f"{file}/x") is None
    monkeypatch.setattr(os, "stat", refuse)
    hidden = space.unreachable(file)
    assert hidden is not None
    assert (hidden.pipeline, problems(hidden)) == (None, [f"{file}:1:1: this cannot be read: Permission denied"])


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


def test_a_manifest_that_cannot_be_read_is_a_problem(project: Path) -> None:
    (project / "pipeline.yaml").symlink_to("nowhere")
    (definition,) = workspace(project).definitions()
    assert definition.pipeline is None
    assert problems(definition) == ["pipeline.yaml:1:1: this cannot be read: No such file or directory"]


def test_a_manifest_that_nbflow_fails_on_hides_no_other(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one(project / "bad", "bad")
    one(project / "good", "good")
    check = reading.check

    def fails(text: str, **about: Any) -> Any:
        if "name: bad" in text:
            raise KeyError("a key of nbflow's own")
        return check(text, **about)

    monkeypatch.setattr(reading, "check", fails)
    bad, good = sorted(workspace(project).definitions(), key=lambda each: each.pipeline is not None)
    assert good.pipeline
    assert good.pipeline.name == "good"
    assert problems(bad) == [
        'bad/pipeline.yaml:1:1: nbflow fails on this: KeyError: "a key of nbflow\'s own". '
        "That is a fault of nbflow: please report it, with the manifest."
    ]
    assert caplog.records[0].exc_info


def test_a_manifest_in_another_encoding_says_where(project: Path) -> None:
    (project / "pipeline.yaml").write_bytes(b"name: daily\nowner: caf\xe9\n")
    (definition,) = workspace(project).definitions()
    assert problems(definition) == ["pipeline.yaml:2:11: the byte 0xe9 is no UTF-8. Save the file as UTF-8."]


def test_what_is_no_file_is_a_problem_and_keeps_nobody_waiting(project: Path) -> None:
    one(project / "d", "daily")
    (project / "e").mkdir()
    for pipe in (project / "d" / "a.ipynb", project / "e" / "pipeline.yaml"):
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
    space = workspace(project, pipelines=(".",))
    assert [problems(each) for each in space.definitions()] == [
        ["e/pipeline.yaml:1:1: this cannot be read: it is no regular file"],
        ["d/pipeline.yaml:3:17: notebook 'a.ipynb' cannot be read: it is no regular file"],
    ]
    with pytest.raises(NotFound, match="there is no pipeline 'other'"):
        space.load("other")


def test_the_code_of_notebooks_is_read_only_where_somebody_asks_for_all_problems(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain(project / "d")
    space, read = workspace(project, pipelines=(".",)), list[str]()
    monkeypatch.setattr(reading, "_touched", lambda path, *_: read.append(path.name) or Touches())
    space.definitions()
    space.load("chain")
    assert read == []
    space.definitions(thorough=True)
    space.load("chain", thorough=True)
    space.load("d", thorough=True)
    assert read == ["a.ipynb", "b.ipynb", "c.ipynb"] * 3


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


def test_no_manifest_is_its_own_twin_by_way_of_a_link_in_the_project(project: Path) -> None:
    one(project / "shared" / "a", "daily")
    (project / "link").symlink_to("shared")
    assert workspace(project).load("link/a").pipeline


@pytest.mark.parametrize(("text", "is_twin"), [("\ufeffname: daily", True), ("name: daily-visits", False)])
def test_a_twin_is_told_by_its_whole_name(project: Path, text: str, is_twin: bool) -> None:
    one(project / "a", "daily")
    write_manifest(project / "b", f"{text}\ntasks: {{}}\n")
    assert (workspace(project).load("a").pipeline is None) is is_twin


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
        ("y", "folder 'y' has no pipeline.yaml. Did you mean 'pipeline.yml'?"),
    ],
)
def test_what_does_not_exist_is_named_with_what_is_near(project: Path, how: str, message: str) -> None:
    one(project / "d", "daily")
    write_manifest(project / "b", "name: broken\n")
    (project / "empty").mkdir()
    write_manifest(project / "y", "").rename(project / "y" / "pipeline.yml")
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
