"""What every keeper of drafts must do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nbflow.errors import Unavailable
from nbflow.manifest.edit import AddTask, Draft, SetPipelineKey, values_of
from nbflow.ports import Drafts
from nbflow.testing.drafts import DictDrafts
from nbflow.workspace.drafts import FolderDrafts

TEXT = "name: nightly\r\ntasks:\r\n  a: {notebook: ä.ipynb}\r\n"

KEEPERS: dict[str, Callable[[Path], Drafts]] = {"dict": lambda _: DictDrafts(), "folder": FolderDrafts}


@pytest.fixture(params=KEEPERS)
def drafts(request: pytest.FixtureRequest, tmp_path: Path) -> Drafts:
    return KEEPERS[request.param](tmp_path / "drafts")


def opened(draft: Draft | None) -> Draft:
    return draft or Draft.open(TEXT)


def test_what_was_changed_comes_back(drafts: Drafts) -> None:
    assert drafts.get("nightly", "ada") is None
    drafts.change("nightly", "ada", opened)
    commands = [AddTask("b", "b.ipynb", ("a",), (1, 2.5)), SetPipelineKey("tags", ["x", "ü"])]
    changed = drafts.change("nightly", "ada", lambda draft: opened(draft).do(commands, "1"))
    written = drafts.change("nightly", "ada", lambda draft: opened(draft).write("☃ [", "2", seen=changed.version))
    undone = drafts.change("nightly", "ada", lambda draft: opened(draft).undo("3"))
    assert drafts.get("nightly", "ada") == undone
    assert undone.redo("4").text == written.text


def test_everybody_has_a_draft_of_their_own_for_each_pipeline(drafts: Drafts) -> None:
    names = ["ada", "bob", "..", "a/b", "uid 1000", "ada.json"]
    for name in names:
        drafts.change("nightly", name, lambda draft, name=name: opened(draft).do([SetPipelineKey("owner", name)], "1"))
    for name in names:
        draft = drafts.get("nightly", name)
        assert draft is not None
        assert values_of(draft.text)["owner"] == name
    assert drafts.get("weekly", "ada") is None
    long = "/".join(["a long name ü"] * 40)
    assert drafts.change(long, "ada", opened) == drafts.get(long, "ada")


def test_a_refusal_changes_nothing(drafts: Drafts) -> None:
    before = drafts.change("nightly", "ada", opened)
    with pytest.raises(ZeroDivisionError):
        drafts.change("nightly", "ada", lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    assert drafts.get("nightly", "ada") == before


def test_what_is_removed_is_gone(drafts: Drafts) -> None:
    drafts.remove("nightly", "ada")
    drafts.change("nightly", "ada", opened)
    drafts.remove("nightly", "ada")
    assert drafts.get("nightly", "ada") is None


def test_the_edition_changes_with_every_change_and_not_without(drafts: Drafts) -> None:
    seen = [drafts.edition("nightly")]
    drafts.change("nightly", "ada", opened)
    seen.append(drafts.edition("nightly"))
    assert drafts.edition("nightly") == seen[-1]
    drafts.change("nightly", "bob", opened)
    seen.append(drafts.edition("nightly"))
    drafts.change("nightly", "ada", lambda draft: opened(draft).do([AddTask("b", "b.ipynb")], "1"))
    seen.append(drafts.edition("nightly"))
    drafts.remove("nightly", "bob")
    seen.append(drafts.edition("nightly"))
    assert all(seen.count(edition) == 1 for edition in seen)


def test_nothing_is_lost_between_many_writers(drafts: Drafts) -> None:
    def add(number: int) -> None:
        drafts.change("nightly", "ada", lambda draft: opened(draft).do([AddTask(f"t{number}", "b.ipynb")], f"{number}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    draft = drafts.get("nightly", "ada")
    assert draft is not None
    assert all(f"t{number}:" in draft.text for number in range(8))


# --- files ------------------------------------------------------------------------------------------------------------


def test_processes_see_what_the_others_do_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    one, other = FolderDrafts(tmp_path), FolderDrafts(tmp_path)
    tags = [["x"], ["x", "ü"], ["y"]]
    for number, value in enumerate(tags):
        commands = [AddTask(f"t{number}", "b.ipynb", ("a",), (1, 2.5)), SetPipelineKey("tags", value)]
        verb = partial(Draft.do, commands=commands, id=f"do {number}")
        one.change("nightly", "ada", lambda draft, verb=verb: verb(opened(draft)))
        other.change("nightly", "ada", lambda draft, id=f"undo {number}": opened(draft).undo(id))
        kept = one.change("nightly", "ada", lambda draft, id=f"redo {number}": opened(draft).redo(id))
        assert other.get("nightly", "ada") == kept
    undone = other.change("nightly", "ada", lambda draft: opened(draft).undo("a").undo("b"))
    assert FolderDrafts(tmp_path).get("nightly", "ada") == one.get("nightly", "ada") == undone
    assert (len(undone.history.done), len(undone.history.undone)) == (1, 2)
    assert next(tmp_path.glob("*/ada.json")).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"form": 99}', '{"form": 1}', "\udcff"])
def test_a_file_that_cannot_be_read_is_named_and_can_be_removed(tmp_path: Path, content: str) -> None:
    drafts = FolderDrafts(tmp_path)
    drafts.change("nightly", "ada", opened)
    next(tmp_path.glob("*/ada.json")).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Unavailable, match="the draft of nightly cannot be read"):
        drafts.change("nightly", "ada", opened)
    drafts.remove("nightly", "ada")
    assert drafts.get("nightly", "ada") is None


def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="no draft can be kept"):
        FolderDrafts(tmp_path / "file").change("nightly", "ada", opened)
