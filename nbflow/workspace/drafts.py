"""Drafts as files, one for each person and manifest (ports.Drafts)."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nbflow.errors import InvalidInput, Unavailable
from nbflow.files import State, make_private, state_of, write_whole
from nbflow.manifest.edit import Draft, History, Step, wire
from nbflow.text import fault

FORM = 2
"""Grows when the form of the files changes in a way that an older nbflow cannot read."""

MOST_REMEMBERED = 32
"""Drafts."""


class FolderDrafts:
    """The files `<hash of the manifest's path>/<person>.json`; a lock beside them makes writers wait their turn.

    What was read or written last is remembered, for a draft may have thousands of steps, and every key adds one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, _Written] = {}

    def get(self, file: str, person: str) -> Draft | None:
        written = self._written(file, self._path(file, person))
        return written.draft if written else None

    def change(self, file: str, person: str, edit: Callable[[Draft | None], Draft]) -> Draft:
        path = self._path(file, person)
        with self._locked(path.parent):
            before = self._written(file, path)
            draft = edit(before.draft if before else None)
            if before and draft == before.draft:
                return draft
            lines = _lines(draft, before)
            try:
                write_whole(path, _text(file, draft, lines), mode=0o600)
            except OSError as error:
                message = f"the draft cannot be kept: {fault(error)}"
                raise Unavailable(message, where=str(path), hint="Run nbflow doctor.") from error
            self._remember(path, _Written(state_of(path), draft, lines))
        return draft

    def remove(self, file: str, person: str) -> None:
        path = self._path(file, person)
        with self._locked(path.parent):
            path.unlink(missing_ok=True)

    def edition(self, file: str) -> object:
        files = self._path(file, "").parent.glob("*.json")
        return sorted((path.name, state) for path in files if (state := state_of(path)))

    def _written(self, file: str, path: Path) -> _Written | None:
        state, known = state_of(path), self._known.get(path)
        if known and known.state == state:
            return known
        try:
            draft = _parse(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, InvalidInput) as error:
            message = f"the draft of {file} cannot be read: {error}"
            raise Unavailable(message, where=str(path), hint="Discard it to begin anew.") from error
        return self._remember(path, _Written(state, draft, _lines(draft)))

    def _remember(self, path: Path, written: _Written) -> _Written:
        self._known.pop(path, None)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[path] = written
        return written

    def _path(self, file: str, person: str) -> Path:
        folder = sha256(file.encode()).hexdigest()[:32]  # a path may be longer than a name can be
        return self._folder / folder / f"{quote(person, safe='')}.json"

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        try:
            make_private(folder)
            handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"no draft can be kept: {fault(error)}"
            raise Unavailable(message, where=str(folder), hint="Run nbflow doctor.") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


# --- what stands in a file -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Written:
    """A draft as it stands in a file in this state."""

    state: State | None
    draft: Draft
    lines: Sequence[str]
    """A step each."""


def _text(file: str, draft: Draft, lines: Sequence[str]) -> str:
    head = {
        "form": FORM,
        "file": file,
        "base": draft.base,
        "text": draft.text,
        "shown": draft.shown,
        "start": draft.start,
        "version": draft.version,
        "ids": draft.ids,
        "said": draft.said,
        "done": len(draft.history.done),
    }
    steps = ",\n".join(lines)
    return f'{json.dumps(head)[:-1]}, "steps": [\n{steps}\n]}}'


def _lines(draft: Draft, before: _Written | None = None) -> Sequence[str]:
    """The steps as JSON; those that are the same as before are not spelled again."""
    known = zip(_steps(before.draft), before.lines, strict=True) if before else iter(())
    lines = []
    for step, move in zip(_steps(draft), draft.moves, strict=True):
        old, line = next(known, (None, ""))
        lines.append(line if old is step else json.dumps([step.at, step.old, step.new, *map(wire.dump, move)]))
    return lines


def _steps(draft: Draft) -> Iterator[Step]:
    """From the first to the last, those that were undone too."""
    yield from draft.history.done
    yield from reversed(draft.history.undone)


def _parse(kept: dict[str, Any]) -> Draft:
    if kept["form"] != FORM:
        raise ValueError("another version of nbflow wrote it")
    steps = [Step(at, old, new) for at, old, new, *_ in kept["steps"]]
    done, undone = steps[: kept["done"]], steps[kept["done"] :]
    return Draft(
        base=kept["base"],
        history=History(kept["text"], tuple(done), tuple(reversed(undone))),
        shown=kept["shown"],
        moves=tuple(tuple(map(wire.parse, move)) for _, _, _, *move in kept["steps"]),
        start=kept["start"],
        version=kept["version"],
        ids=tuple(kept["ids"]),
        said=kept["said"],
    )
