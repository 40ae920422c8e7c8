"""A run keeps its manifest and its notebooks as they were: frozen by their content."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import write_manifest, write_notebook
from workspaces import ONE, chain, one, workspace

from nbflow.errors import InvalidInput, InvalidManifest, Unavailable
from nbflow.model import Param, TaskName


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


def test_a_copy_that_somebody_else_owns_is_replaced(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one(project, "daily")
    space = workspace(project)
    space.freeze(space.load("daily"))
    (copy,) = space.frozen.iterdir()
    before, readable = copy.stat().st_ino, os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != copy and readable(path, mode))
    space.freeze(space.load("daily"))
    assert copy.stat().st_ino != before


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
