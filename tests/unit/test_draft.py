"""A draft: what is done once, what undo takes back, and how it meets a manifest that somebody else has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbflow.errors import Conflict, InvalidInput
from nbflow.manifest.edit import (
    AddTask,
    Command,
    Connect,
    Disconnect,
    Draft,
    DuplicateTask,
    MoveTask,
    RemoveTask,
    RenameTask,
    SetPipelineKey,
    SetTaskKey,
    wire,
)
from nbflow.manifest.edit.merge import merge, with_line_ends

TEXT = """\
name: nightly
owner: finance          # who pays

tasks:
  extract:
    notebook: a.ipynb
  clean:
    notebook: a.ipynb   # twice a day
    depends_on: [extract]
  report:
    notebook: a.ipynb
"""

COMMANDS: list[Command] = [
    AddTask("join", "j.ipynb", ("clean",), (1.0, 2.5)),
    AddTask("join", "j.ipynb"),
    RemoveTask("clean"),
    RenameTask("clean", "tidy"),
    DuplicateTask("clean", "clean_2", (0, 0)),
    SetTaskKey("clean", "retries.delay", "2m"),
    SetTaskKey("clean", "params", {"rows": [1, None]}),
    SetPipelineKey("owner", None),
    Connect("extract", "report"),
    Disconnect("extract", "clean"),
    MoveTask("clean", (3, -4.5)),
]


# --- commands as JSON -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_survives_json(command: Command) -> None:
    assert wire.parse(json.loads(json.dumps(wire.dump(command)))) == command


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "a command must be a mapping"),
        ({}, "a command needs a 'do'"),
        ({"do": "conect", "up": "a", "down": "b"}, "there is no command 'conect'. Did you mean 'connect'?"),
        ({"do": ["connect"]}, "a command needs a 'do'"),
        ({"do": "connect", "up": "a"}, "connect needs 'down'"),
        ({"do": "connect", "up": "a", "down": "b", "dwon": "c"}, "connect knows no 'dwon'"),
        ({"do": "connect", "up": 1, "down": "b"}, "up must be text"),
        ({"do": "add_task", "name": "a", "notebook": "a.ipynb", "after": "b"}, "after must be a list of names"),
        ({"do": "move_task", "name": "a", "position": None}, "move_task needs 'position'"),
        ({"do": "move_task", "name": "a", "position": [1]}, "position must be two numbers"),
        ({"do": "move_task", "name": "a", "position": [1, True]}, "position must be two numbers"),
        ({"do": "move_task", "name": "a", "position": [1, float("nan")]}, "position must be two numbers"),
    ],
)
def test_a_bad_command_is_refused_in_a_sentence(given: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wire.parse(given)
    assert said in str(refused.value)


# --- editing ----------------------------------------------------------------------------------------------------------


def test_the_same_id_twice_does_nothing() -> None:
    draft = Draft.open(TEXT).do([AddTask("join", "a.ipynb")], "one")
    again = draft.do([AddTask("other", "a.ipynb")], "one")
    assert again is draft
    assert draft.undo("two").undo("two").text == TEXT
    assert draft.write("x", "one", seen=draft.version) is draft


def test_a_batch_is_all_or_nothing_and_one_step() -> None:
    draft = Draft.open(TEXT)
    both = draft.do([AddTask("join", "a.ipynb"), Connect("clean", "join"), SetTaskKey("join", "timeout", "1h")], "one")
    assert both.undo("two").text == TEXT
    with pytest.raises(InvalidInput, match="cycle: extract → clean → extract"):
        draft.do([SetPipelineKey("owner", "me"), Connect("clean", "extract")], "three")


def test_every_change_says_what_it_did_and_makes_a_new_version() -> None:
    draft = Draft.open(TEXT)
    one = draft.do([Connect("clean", "report")], "1")
    assert (one.said, one.version) == ("report now runs after clean", draft.version + 1)
    assert one.undo("2").said == "undone: report now runs after clean"
    assert one.undo("2").redo("3").said == "done again: report now runs after clean"
    assert one.do([MoveTask("clean", (1, 1)), MoveTask("report", (1, 9))], "4").said == "2 tasks moved"
    nothing = one.do([Connect("clean", "report")], "5")
    assert (nothing.said, nothing.version) == ("that changes nothing", one.version)


def test_a_text_that_cannot_be_read_is_kept_and_the_last_good_one_is_drawn() -> None:
    draft = Draft.open(TEXT)
    broken = draft.write(TEXT.replace("[extract]", "[extract"), "1", seen=draft.version)
    assert broken.text != TEXT
    assert broken.shown == TEXT
    assert broken.undo("2").text == TEXT


def test_a_text_typed_into_an_old_version_is_refused() -> None:
    draft = Draft.open(TEXT)
    other = draft.do([AddTask("join", "a.ipynb")], "1")
    with pytest.raises(Conflict, match="was changed elsewhere"):
        other.write(TEXT + "# mine\n", "2", seen=draft.version)
    assert Draft.open(TEXT + "\n").version != draft.version, "another manifest is another version"


def test_what_cannot_be_kept_any_longer_is_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbflow.manifest.edit.draft.MOST_KEPT", 2000)
    draft = Draft.open(TEXT)
    for count in range(60):
        draft = draft.do([SetTaskKey("clean", "priority", count + 1)], f"{count}")
    assert len(draft.history.done) == len(draft.moves) < 12
    theirs = TEXT.replace("finance", "sales")
    assert "priority: 60" in draft.onto(theirs)[0].text
    assert "owner: sales" in draft.onto(theirs)[0].text


# --- another version on disk ------------------------------------------------------------------------------------------


def test_commands_are_played_again_on_what_somebody_else_saved() -> None:
    draft = Draft.open(TEXT).do([AddTask("join", "a.ipynb", ("clean",))], "1").do([RenameTask("report", "mail")], "2")
    theirs = TEXT.replace("owner: finance ", "owner: sales ").replace("  clean:\n", "  clean:\n    timeout: 1h\n")
    new, refused = draft.onto(theirs)
    assert refused == ()
    assert new.base == theirs
    assert new.text == theirs.replace("  report:", "  mail:") + (
        "  join:\n    notebook: a.ipynb\n    depends_on: [clean]\n"
    )
    assert not new.undo("a").is_changed
    assert new.undo("a").undo("b").text == draft.text, "undo leads back to the draft as it was"


def test_what_no_longer_fits_is_named_and_the_rest_is_done() -> None:
    draft = Draft.open(TEXT).do([SetTaskKey("report", "timeout", "2h")], "1").do([SetPipelineKey("owner", "me")], "2")
    theirs = TEXT[: TEXT.index("  report:")]
    new, refused = draft.onto(theirs)
    assert [(each.said, each.why) for each in refused] == [("timeout of report was set", "there is no task 'report'")]
    assert new.text == theirs.replace("finance", "me")
    assert "timeout of report was set (there is no task 'report')" in new.said


def test_what_was_typed_is_merged_by_lines() -> None:
    draft = Draft.open(TEXT)
    typed = draft.write(TEXT.replace("twice a day", "once a day"), "1", seen=draft.version)
    assert "once a day" in typed.onto(TEXT.replace("finance", "sales"))[0].text
    other, refused = typed.onto(TEXT.replace("twice a day", "never"))
    assert refused[0].why == "line 8 was changed there, too"
    assert "never" in other.text


def test_after_a_save_only_what_came_later_is_played_again() -> None:
    draft = Draft.open(TEXT).do([AddTask("join", "a.ipynb")], "1").saved()
    assert not draft.is_changed
    later = draft.do([SetPipelineKey("owner", "me")], "2")
    new, refused = later.onto(TEXT.replace("name: nightly", "name: nightly # now"))
    assert refused == ()
    assert "join" not in new.text
    assert "owner: me" in new.text


def test_undo_beyond_a_save_is_a_change_too() -> None:
    draft = Draft.open(TEXT).do([AddTask("join", "a.ipynb")], "1").saved().undo("2")
    assert draft.is_changed
    assert draft.text == TEXT
    theirs = draft.base.replace("finance", "sales")
    assert draft.onto(theirs)[0].text == TEXT.replace("finance", "sales")
    forked = draft.do([SetTaskKey("extract", "timeout", "1h")], "3")
    assert "join" not in forked.onto(theirs)[0].text


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_merge_keeps_both_and_refuses_neighbours() -> None:
    assert merge("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n") == "A\nb\nC\n"
    assert merge("a\nb\nc\n", "a\nX\nc\n", "a\nX\nc\n") == "a\nX\nc\n"
    with pytest.raises(Conflict):
        merge("a\nb\nc\n", "a\nX\nc\n", "a\nY\nc\n")


@pytest.mark.parametrize(
    ("typed", "like", "wanted"),
    [
        ("a\nb\nc\n", "a\r\nc\r\n", "a\r\nb\r\nc\r\n"),
        ("a\nb\nc", "a\r\nb\nc\n", "a\r\nb\nc"),
        ("a\nb\n", "a\r\nb", "a\r\nb\r\n"),
        ("a\r\nb\r\n", "a\nb\n", "a\nb\n"),
        ("", "a\n", ""),
        ("a", "", "a"),
    ],
)
def test_lines_keep_their_ends(typed: str, like: str, wanted: str) -> None:
    assert with_line_ends(typed, like) == wanted
