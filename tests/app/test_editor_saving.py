"""Saving a draft, without a browser: what is shown before, what is refused, two people who edit the same pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_world import CHAIN, World
from nbflow_app.differences import difference
from nbflow_app.pages import edit as editor
from nbflow_app.visit import Redirect
from repository import begin, git, hook

from nbflow.api import Api, Role
from nbflow.errors import Conflict, InvalidManifest, NotAllowed, NotFound, Unavailable
from nbflow.manifest.edit import AddTask, Command, Connect, RemoveTask, RenameTask, SetPipelineKey, SetTaskKey

EDIT = "/pipelines/nightly/edit"


@pytest.fixture
def path(world: World) -> Path:
    return world.folder / "nightly" / "pipeline.yaml"


def edit(world: World, *commands: Command, name: str = "ada") -> Api:
    api = world.api(Role.EDITOR, name)
    api.edit_draft("nightly", f"{commands}", commands)
    return api


# --- the difference ---------------------------------------------------------------------------------------------------


def test_a_difference_shows_what_changed_with_a_few_lines_around_it() -> None:
    old = "".join(f"{number}\n" for number in range(1, 21))
    found = difference(old, old.replace("3\n", "three\n", 1).replace("18\n", ""))
    assert (found.new, found.gone) == (1, 2)
    assert [line.text for line in found.lines if line.kind == "gone"] == ["3", "18"]
    assert [line.kind for line in found.lines].count("gap") == 1
    assert [(line.old, line.new) for line in found.lines if line.text == "19"] == [(19, 18)]
    assert difference(old, old).lines == ()


# --- saving -----------------------------------------------------------------------------------------------------------


def test_the_difference_is_shown_before_it_is_saved(world: World, path: Path) -> None:
    path.chmod(0o664)
    edit(world, SetPipelineKey("owner", "sales"), SetTaskKey("clean", "timeout", "1h"))
    page = world.page(f"{EDIT}/save")
    assert [row.get_text(" ", strip=True) for row in page.soup.select("tr.nb-gone, tr.nb-new")] == [
        "3 − owner: finance",
        "3 + owner: sales",
        "11 − clean: {notebook: a.ipynb, depends_on: extract}",
        "11 + clean: {notebook: a.ipynb, depends_on: extract, timeout: 1h}",
    ]
    assert "Commit it" not in page.text, "the project is in no repository"
    done = world.act(f"{EDIT}/save", **page.fields())
    assert (done.to, done.note) == (EDIT, "Saved")
    assert path.read_text() == CHAIN.replace("owner: finance", "owner: sales").replace(
        "depends_on: extract}", "depends_on: extract, timeout: 1h}"
    )
    assert path.stat().st_mode & 0o777 == 0o664
    assert [each.name for each in path.parent.glob("*.tmp")] == []
    view = world.api().draft("nightly")
    assert (view.draft.is_changed, view.is_stale) == (False, False)
    assert world.api().undo_draft("nightly", "u").draft.text == CHAIN, "what was saved can still be undone"


def test_ends_of_lines_and_links_stay_what_they_are(world: World, path: Path) -> None:
    real = path.with_name("real.yaml")
    real.write_bytes(CHAIN.replace("\n", "\r\n").encode())
    path.unlink()
    path.symlink_to(real)
    edit(world, SetPipelineKey("owner", "sales")).save_draft("nightly")
    assert path.is_symlink()
    assert real.read_bytes() == CHAIN.replace("finance", "sales").replace("\n", "\r\n").encode()


def test_a_text_that_a_browser_sent_keeps_the_ends_of_the_lines_that_it_left_alone(world: World, path: Path) -> None:
    mixed = CHAIN.replace("\n", "\r\n").replace("owner: finance\r\n", "owner: finance\n")
    path.write_bytes(mixed.encode())
    api = world.api(Role.EDITOR)
    typed = CHAIN.replace("tags: [revenue]", "tags: [revenue, daily]")
    api.write_draft("nightly", "1", typed, seen=api.draft("nightly").draft.version)
    api.save_draft("nightly")
    assert path.read_bytes() == mixed.replace("[revenue]", "[revenue, daily]").encode()


def test_errors_refuse_and_warnings_do_not(world: World, path: Path) -> None:
    api = edit(world, SetTaskKey("clean", "retries", {"delay": "5s"}))
    page = world.page(f"{EDIT}/save")
    assert "has no effect while max_retries is 0" in page.text
    assert "Save" in [button.text for button in page.soup.find_all("button")]
    api.edit_draft("nightly", "x", [AddTask("mail", "none.ipynb")])
    page = world.page(f"{EDIT}/save")
    assert "notebook 'none.ipynb' does not exist" in page.text
    assert [button.text for button in page.soup.select("main button")] == []
    with pytest.raises(InvalidManifest, match="does not exist"):
        world.act(f"{EDIT}/save")
    assert path.read_text() == CHAIN
    api.edit_draft("nightly", "y", [RemoveTask("mail")])
    api.save_draft("nightly")
    assert "delay: 5s" in path.read_text()


def test_nothing_to_save_is_said(world: World) -> None:
    assert "nothing to save" in world.page(f"{EDIT}/save").text
    with pytest.raises(Conflict, match="nothing to save"):
        world.act(f"{EDIT}/save")


def test_a_new_name_moves_the_editor(world: World, path: Path) -> None:
    edit(world, SetPipelineKey("name", "weekly"))
    assert "The runs that there are stay under nightly" in world.page(f"{EDIT}/save").text
    assert world.act(f"{EDIT}/save").to == "/pipelines/weekly/edit"
    assert path.read_text() == CHAIN.replace("name: nightly", "name: weekly")
    assert not world.api().draft("weekly").draft.is_changed
    assert world.api().undo_draft("weekly", "u").draft.text == CHAIN


def test_a_draft_outlives_the_name_that_somebody_else_gave_the_pipeline(world: World, path: Path) -> None:
    edit(world, SetPipelineKey("owner", "sales"))
    path.write_text(CHAIN.replace("name: nightly", "name: weekly"))
    with pytest.raises(NotFound, match="there is no pipeline 'nightly'"):
        world.api().draft("nightly")
    view = world.api().draft("weekly")
    assert (view.draft.is_changed, view.is_stale) == (True, True)
    assert "owner: sales" in world.api().replay_draft("weekly").draft.text


def test_a_name_that_another_pipeline_has_is_refused(world: World) -> None:
    world.pipeline(CHAIN.replace("name: nightly", "name: other"))
    edit(world, SetPipelineKey("name", "other"))
    with pytest.raises(InvalidManifest, match="there is another pipeline 'other'"):
        world.act(f"{EDIT}/save")


def test_a_draft_can_be_dropped(world: World) -> None:
    edit(world, SetPipelineKey("owner", "sales"))
    assert "owner: sales" in world.page(f"{EDIT}/discard").text
    world.act(f"{EDIT}/discard")
    assert world.api().draft("nightly").draft.text == CHAIN


# --- somebody else ----------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten_and_all_three_are_shown(world: World, path: Path) -> None:
    edit(world, SetPipelineKey("owner", "sales"), name="ada")
    bob = edit(world, RenameTask("report", "mail"), name="bob")
    bob.save_draft("nightly")
    assert world.api().draft("nightly").is_stale
    with pytest.raises(Conflict, match="was changed by somebody else"):
        world.act(f"{EDIT}/save")
    page = world.page(f"{EDIT}/save")
    theirs, mine, both = (section.get_text(" ", strip=True) for section in page.soup.select(".nb-three section"))
    assert "mail: {" in theirs
    assert "sales" not in theirs
    assert "sales" in mine
    assert "mail" not in mine
    assert "sales" in both
    assert "All of your changes fit." in both
    world.act(f"{EDIT}/replay")
    assert "your changes were made again" in world.api().draft("nightly").draft.said
    world.act(f"{EDIT}/save")
    assert path.read_text() == CHAIN.replace("finance", "sales").replace("report:", "mail:")


def test_what_no_longer_fits_is_named_before_and_after(world: World, path: Path) -> None:
    ada = edit(world, Connect("extract", "report"), SetPipelineKey("owner", "sales"))
    edit(world, RemoveTask("report"), name="bob").save_draft("nightly")
    page = world.page(f"{EDIT}/save")
    assert "1 of your changes no longer fits, and would be left out" in page.text
    assert "report now runs after extract there is no task 'report'" in page.text
    done = world.act(f"{EDIT}/replay")
    assert "left out, because it no longer fits: report now runs after extract" in done.note
    assert ada.draft("nightly").draft.text == path.read_text().replace("finance", "sales")
    again = world.act(f"{EDIT}/replay")
    assert ada.undo_draft("nightly", "1").draft.text == path.read_text(), again
    assert "report" in ada.undo_draft("nightly", "2").draft.text, "undo leads back to what I had"


def test_the_same_change_by_both_is_no_conflict(world: World) -> None:
    ada = edit(world, SetPipelineKey("owner", "sales"))
    edit(world, SetPipelineKey("owner", "sales"), name="bob").save_draft("nightly")
    view = ada.draft("nightly")
    assert (view.is_stale, view.draft.is_changed) == (False, False)


def test_a_file_that_changes_between_look_and_write_is_not_overwritten(world: World, path: Path) -> None:
    manifest = world.workspace.manifest("nightly")
    path.write_text(CHAIN.replace("finance", "ops"))
    with pytest.raises(Conflict, match="was changed by somebody else"):
        world.workspace.save(manifest, CHAIN.replace("finance", "sales"))
    assert "ops" in path.read_text()


# --- git --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's, which git keeps."""
    begin(world.folder, monkeypatch)
    return world.folder


def test_a_save_can_be_committed(world: World, folder: Path) -> None:
    edit(world, SetPipelineKey("owner", "sales"))
    page = world.page(f"{EDIT}/save")
    assert "Commit it to git, on trunk" in page.text
    assert page.fields()["message"] == "nightly: owner was set"
    done = world.act(f"{EDIT}/save", commit="1", message="Sales pays now")
    assert done.note == f"Saved, and committed as {git(folder, 'rev-parse', '--short', 'HEAD')}"
    assert git(folder, "show", "--no-patch", "--format=%s", "HEAD") == "Sales pays now"
    logged = world.store.changes(0)[-1]
    assert (logged.pipeline, logged.event, logged.by, logged.note) == ("nightly", "save", "ada", "Sales pays now")
    edit(world, SetPipelineKey("owner", "ops"))
    world.act(f"{EDIT}/save", message="not asked for")
    assert git(folder, "show", "--no-patch", "--format=%s", "HEAD") == "Sales pays now"


def test_a_commit_that_fails_is_said_and_the_save_stays(world: World, path: Path, folder: Path) -> None:
    hook(folder, "echo 'not on a Friday' >&2; exit 1")
    edit(world, SetPipelineKey("owner", "sales"))
    done = world.act(f"{EDIT}/save", commit="1", message="m")
    assert "Saved, but git commit was refused: not on a Friday" in done.note
    assert "sales" in path.read_text()
    assert not world.api().draft("nightly").draft.is_changed


# --- roles ------------------------------------------------------------------------------------------------------------


def test_a_draft_that_cannot_be_read_can_be_discarded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.api().edit_draft("nightly", "1", [SetPipelineKey("owner", "sales")])

    def unread(*_: object) -> None:
        raise Unavailable("the draft cannot be read: another version of nbflow wrote it", where="/drafts/ada.json")

    monkeypatch.setattr(world.drafts, "get", unread)
    assert editor.show(world.visit({"pipeline": "nightly"}, {})) == Redirect(to=f"{EDIT}/discard")
    shown = world.page(f"{EDIT}/discard").text
    assert "another version of nbflow wrote it" in shown
    assert "/drafts/ada.json" in shown
    world.act(f"{EDIT}/discard")
    monkeypatch.undo()
    assert not world.api().draft("nightly").draft.is_changed


@pytest.mark.parametrize("form", ["save", "replay", "discard"])
def test_an_operator_saves_nothing(world: World, path: Path, form: str) -> None:
    edit(world, SetPipelineKey("owner", "sales"))
    with pytest.raises(NotAllowed):
        world.act(f"{EDIT}/{form}", Role.OPERATOR)
    with pytest.raises(NotAllowed):
        world.page(f"{EDIT}/{form}", Role.OPERATOR)
    assert path.read_text() == CHAIN
    assert world.api().draft("nightly").draft.is_changed
