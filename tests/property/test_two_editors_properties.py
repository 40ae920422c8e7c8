"""Two people, and a hand in the file itself: whatever they do in whatever order, nothing is overwritten unseen."""

from __future__ import annotations

import tempfile
from pathlib import Path

from app_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.api import Api, Role
from nbflow.errors import Conflict, InvalidInput
from nbflow.manifest import parse
from nbflow.manifest.edit import AddTask, Command, Connect, RemoveTask, RenameTask, SetPipelineKey, SetTaskKey

names = st.sampled_from(["extract", "clean", "report", "mail"])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(AddTask, names, st.just("a.ipynb"), st.lists(names, max_size=1).map(tuple)),
    st.builds(RemoveTask, names),
    st.builds(RenameTask, names, names),
    st.builds(Connect, names, names),
    st.builds(SetTaskKey, names, st.just("timeout"), st.sampled_from(["1h", "2h", None])),
    st.builds(SetPipelineKey, st.just("owner"), st.sampled_from(["sales", "ops"])),
)
steps = st.tuples(
    st.sampled_from(["ada", "bob"]), st.sampled_from(["save", "replay", "undo", "redo", "discard"]) | commands
)
hands = st.tuples(st.just("hand"), st.sampled_from(["finance", "legal", "board"]))


@settings(deadline=None)
@given(st.lists(steps | hands, min_size=3, max_size=14))
def test_nothing_is_overwritten_unseen(story: list[tuple[str, str | Command]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.pipeline()
        path = world.folder / "nightly" / "pipeline.yaml"
        people = {name: world.api(Role.EDITOR, name) for name in ("ada", "bob")}
        for at, (who, what) in enumerate(story):
            if who == "hand":
                lines = path.read_text().splitlines(keepends=True)
                path.write_text("".join(f"owner: {what}\n" if each.startswith("owner:") else each for each in lines))
                continue
            other = people["bob" if who == "ada" else "ada"]
            before, theirs = path.read_text(), other.draft("nightly")
            mine = people[who].draft("nightly")
            has_saved = _do(people[who], f"{at}", what)
            assert has_saved or path.read_text() == before, "only a save changes the file"
            if has_saved:
                assert mine.draft.base == before, "what was not seen was overwritten"
                assert path.read_text() == mine.draft.text
                parse(path.read_text())
            if theirs.draft.is_changed:
                now = other.draft("nightly").draft
                assert now.text == theirs.draft.text, "somebody else changed my draft"


def _do(person: Api, id: str, what: str | Command) -> bool:
    """Whether it was a save that was carried out."""
    try:
        match what:
            case "save":
                person.save_draft("nightly")
                return True
            case "replay":
                person.replay_draft("nightly")
            case "undo":
                person.undo_draft("nightly", id)
            case "redo":
                person.redo_draft("nightly", id)
            case "discard":
                person.discard_draft("nightly")
            case command:
                assert not isinstance(command, str)
                person.edit_draft("nightly", id, [command])
    except (Conflict, InvalidInput):
        pass  # refused with a reason
    return False
