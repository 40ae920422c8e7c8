"""Undo and redo without limit. Each step keeps only what it replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbflow.manifest.edit.commands import Command
from nbflow.manifest.edit.edit import apply


@dataclass(frozen=True, slots=True)
class Step:
    """At `at` stood `old`; now `new` stands there."""

    at: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class History:
    """A text, the steps that made it, and those that were undone. Every verb gives another history."""

    text: str
    done: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    """The one undone last stands last."""

    def do(self, command: Command) -> History:
        """Carry out a command; raises as `apply`. What was undone can then no longer be done again."""
        return self.write(apply(self.text, command))

    def write(self, text: str) -> History:
        """Take a text that was edited otherwise; the same text is no step."""
        if text == self.text:
            return self
        return History(text, (*self.done, _step(self.text, text)))

    def undo(self) -> History:
        """The text before the last step; the same history where there is none."""
        if not self.done:
            return self
        *done, step = self.done
        text = _replaced(self.text, step.at, step.new, step.old)
        return replace(self, text=text, done=tuple(done), undone=(*self.undone, step))

    def redo(self) -> History:
        """The text before the last undo; the same history where there is none."""
        if not self.undone:
            return self
        *undone, step = self.undone
        text = _replaced(self.text, step.at, step.old, step.new)
        return replace(self, text=text, done=(*self.done, step), undone=tuple(undone))


def _step(old: str, new: str) -> Step:
    at = _common(old, new)
    tail = _common(old[at:][::-1], new[at:][::-1])
    return Step(at, old[at : len(old) - tail], new[at : len(new) - tail])


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _replaced(text: str, at: int, old: str, new: str) -> str:
    return text[:at] + new + text[at + len(old) :]
