"""A manifest that somebody is editing: what it was, what it is now, and what was done since. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from zlib import crc32

from nbflow.errors import Conflict, NbflowError
from nbflow.manifest.edit.commands import Command
from nbflow.manifest.edit.edit import apply, apply_all, is_readable
from nbflow.manifest.edit.history import History
from nbflow.manifest.edit.merge import merge, with_line_ends
from nbflow.manifest.edit.saying import say

MOST_IDS = 500
MOST_KEPT = 2**24
"""Characters that the steps of a draft may hold; beyond it the older half can no longer be undone."""
_A_STEP = 200
"""Characters that a step takes beside its texts, about."""

Move = tuple[Command, ...]
"""What was done at once and is undone at once; empty for a text."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of a draft that does not fit the other version."""

    said: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Every verb gives another draft; what is asked under an id that was there already changes nothing."""

    base: str
    """The manifest as it was when it was opened, or last saved."""
    history: History
    shown: str
    """The last text that could be read: what a picture is drawn from."""
    moves: tuple[Move, ...] = ()
    """What made each step of the history; those of the undone ones follow, the next one first."""
    start: int | None = 0
    """How many steps the history has where it says `base`; None where no undo leads there."""
    version: int
    """Begins at a number that hardly two texts share, and grows with every change."""
    ids: tuple[str, ...] = ()
    said: str = ""
    """What the last change did, as a sentence."""

    @classmethod
    def open(cls, text: str) -> Draft:
        return cls(base=text, history=History(text), shown=text, version=crc32(text.encode()))

    @property
    def text(self) -> str:
        return self.history.text

    @property
    def is_changed(self) -> bool:
        return self.text != self.base

    # --- editing ---------------------------------------------------------------------------------------------------

    def do(self, commands: Sequence[Command], id: str) -> Draft:
        """All commands or none. Raises as `apply`."""
        if id in self.ids:
            return self
        return self._known(id)._step(apply_all(self.text, commands), tuple(commands), say(commands))

    def write(self, text: str, id: str, *, seen: int) -> Draft:
        """Take a text that was typed, whether it can be read or not. Raises Conflict where `seen` is an old version."""
        if id in self.ids:
            return self
        if seen != self.version:
            raise Conflict("the draft was changed elsewhere since this text was opened", hint="Look at it first.")
        return self._known(id)._step(with_line_ends(text, self.text), (), say(()))

    def undo(self, id: str) -> Draft:
        return self._turned(self.history.undo(), id, "undone")

    def redo(self, id: str) -> Draft:
        return self._turned(self.history.redo(), id, "done again")

    def _turned(self, history: History, id: str, word: str) -> Draft:
        if id in self.ids:
            return self
        if history is self.history:
            return self._known(id)
        move = self.moves[min(len(history.done), len(self.history.done))]
        return self._known(id)._with(history, f"{word}: {say(move)}")

    def _step(self, text: str, move: Move, said: str) -> Draft:
        history = self.history.write(text)
        if history is self.history:
            return replace(self, said="that changes nothing")
        done = len(self.history.done)
        start = self.start if self.start is not None and self.start <= done else None
        return replace(self, moves=(*self.moves[:done], move), start=start)._with(history, said)._bounded()

    def _with(self, history: History, said: str) -> Draft:
        shown = history.text if is_readable(history.text) else self.shown
        return replace(self, history=history, shown=shown, version=self.version + 1, said=said)

    def _known(self, id: str) -> Draft:
        return replace(self, ids=(*self.ids, id)[-MOST_IDS:])

    def _bounded(self) -> Draft:
        done = self.history.done
        if sum(len(step.old) + len(step.new) + _A_STEP for step in done) <= MOST_KEPT:
            return self
        gone = (len(done) + 1) // 2
        start = self.start - gone if self.start is not None and self.start >= gone else None
        return replace(self, history=replace(self.history, done=done[gone:]), moves=self.moves[gone:], start=start)

    # --- saving ----------------------------------------------------------------------------------------------------

    def saved(self) -> Draft:
        """Now that the manifest says what the draft says."""
        done = len(self.history.done)
        return replace(self, base=self.text, start=done, version=self.version + 1, said="saved")

    def onto(self, theirs: str) -> tuple[Draft, tuple[Refused, ...]]:
        """The draft on another version of the manifest: that first, then all that was done since the old base.

        What does not fit any more is left out and named. Undo leads back to the draft as it was.
        """
        played = replace(self._step(theirs, (), "the manifest on disk was taken"), base=theirs)
        played = replace(played, start=len(played.history.done))
        refused: list[Refused] = []
        for before, move, after in _joined(self._since_base()):
            played, reasons = _again(played, before, move, after)
            refused += reasons
        return replace(played, version=self.version + 1, said=_told(refused)), tuple(refused)

    def _since_base(self) -> Iterator[tuple[str, Move, str]]:
        """Every step since the base with the texts around it; one step for all where undo does not lead there."""
        done = len(self.history.done)
        if self.start is None or self.start > done:
            yield self.base, (), self.text
            return
        texts, history = [self.text], self.history
        while len(history.done) > self.start:
            history = history.undo()
            texts.append(history.text)
        texts.reverse()
        yield from zip(texts, self.moves[self.start : done], texts[1:], strict=False)


def _joined(steps: Iterable[tuple[str, Move, str]]) -> Iterator[tuple[str, Move, str]]:
    """The steps with neighbours made of commands as one: made again at once, hundreds of them take a second."""
    for is_text, run in groupby(steps, key=lambda step: not step[1]):
        parts = list(run)
        if is_text:
            yield from parts
        else:
            yield parts[0][0], tuple(command for _, move, _ in parts for command in move), parts[-1][2]


def _again(draft: Draft, before: str, move: Move, after: str) -> tuple[Draft, list[Refused]]:
    try:
        text = apply_all(draft.text, move) if move else merge(before, after, draft.text)
    except NbflowError as error:
        return _one_by_one(draft, move) if move else (draft, [Refused(say(()), error.message)])
    return draft._step(text, move, say(move)), []


def _one_by_one(draft: Draft, move: Move) -> tuple[Draft, list[Refused]]:
    text, refused, played = draft.text, list[Refused](), list[Command]()
    for command in move:
        try:
            text = apply(text, command)
            played.append(command)
        except NbflowError as error:
            refused.append(Refused(say((command,)), error.message))
    return draft._step(text, tuple(played), say(played)), refused


def _told(refused: Sequence[Refused]) -> str:
    if not refused:
        return "your changes were made again on the manifest as it is now"
    return "left out, because it no longer fits: " + "; ".join(f"{each.said} ({each.why})" for each in refused)
