"""What holds for every draft, whatever is done to it."""

from __future__ import annotations

from typing import Any

from hands import Line, commands, manifests, text_of
from hypothesis import given
from hypothesis import strategies as st

from nbflow.errors import NbflowError
from nbflow.manifest import parse
from nbflow.manifest.edit import Command, Draft, History, apply
from nbflow.manifest.edit.edit import apply_all
from nbflow.manifest.edit.merge import with_line_ends

typed = st.sampled_from(["name: x\n", "tasks: [", "", "# a comment\n"])
verbs = st.lists(st.sampled_from(["undo", "redo"]) | typed.map(lambda text: ("text", text)) | commands, max_size=14)


Manifest = tuple[list[Line], str, str]


@given(manifests(), verbs)
def test_a_draft_says_what_its_history_says_whatever_is_sent_twice(manifest: Manifest, steps: list[Any]) -> None:
    text = text_of(manifest)
    draft, history = Draft.open(text), History(text)
    for at, step in enumerate(steps):
        try:
            match step:
                case "undo":
                    new, history = draft.undo(f"{at}"), history.undo()
                case "redo":
                    new, history = draft.redo(f"{at}"), history.redo()
                case ("text", typed_text):
                    wanted = with_line_ends(typed_text, draft.text)
                    new, history = draft.write(typed_text, f"{at}", seen=draft.version), history.write(wanted)
                case command:
                    new, history = draft.do([command], f"{at}"), history.do(command)
        except NbflowError:
            continue
        assert new.history == history
        assert (new.version > draft.version) == (new.text != draft.text)
        assert len(new.moves) == len(history.done) + len(history.undone)
        draft = new.undo(f"{at}")  # the same id again, whatever it asks
        assert draft == new
    same, refused = draft.onto(text)
    assert same.is_changed == draft.is_changed
    assert refused == ()
    assert same.text == draft.text


@given(manifests(), st.lists(commands, max_size=8))
def test_a_batch_says_what_its_commands_say_one_by_one(manifest: Manifest, batch: list[Command]) -> None:
    text, one_by_one, legal = text_of(manifest), text_of(manifest), list[Command]()
    for command in batch:
        try:
            one_by_one = apply(one_by_one, command)
            legal.append(command)
        except NbflowError:
            continue
    assert parse(apply_all(text, legal)) == parse(one_by_one)
