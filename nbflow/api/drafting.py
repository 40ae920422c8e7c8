"""Manifests while people edit them: each caller has a draft of their own for each pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nbflow.api.bound import Bound
from nbflow.api.roles import Role, needs
from nbflow.api.views import DraftView, ReplayView, Saved
from nbflow.errors import Conflict, InvalidInput, InvalidManifest, Unavailable
from nbflow.manifest.document import MOST_CHARACTERS
from nbflow.model import PipelineName
from nbflow.ports import Definition, Drafts, Manifest

if TYPE_CHECKING:
    from nbflow.manifest.edit import Command, Draft


class Drafting(Bound):
    """Reads and commands on the caller's draft of a pipeline.

    `id` is chosen by whoever asks; what is asked again under the same one is done once.
    """

    @needs(Role.EDITOR)
    def draft(self, pipeline: str) -> DraftView:
        """The draft as it stands; without one, the manifest as it is, and nothing is kept."""
        disk = self._workspace.manifest(pipeline)
        return self._seen(disk, _current(self._kept.get(disk.file, self.caller.name), disk))

    @needs(Role.EDITOR)
    def edit_draft(self, pipeline: str, id: str, commands: Sequence[Command]) -> DraftView:
        """Carry out all commands, or none. Raises NotFound, Conflict or InvalidInput with the reason."""
        return self._change(pipeline, lambda draft: draft.do(commands, id))

    @needs(Role.EDITOR)
    def try_draft(self, pipeline: str, commands: Sequence[Command]) -> str:
        """The text that the commands would make of the draft; nothing is kept. Raises as `edit_draft`."""
        disk = self._workspace.manifest(pipeline)
        return _current(self._kept.get(disk.file, self.caller.name), disk).do(commands, "").text

    @needs(Role.EDITOR)
    def write_draft(self, pipeline: str, id: str, text: str, *, seen: int) -> DraftView:
        """Take a text as it was typed, right or wrong. Raises Conflict where it was typed into another version."""
        if len(text) > MOST_CHARACTERS:
            raise InvalidInput(f"the text is longer than {MOST_CHARACTERS:,} characters")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput("the text has characters that no file can hold") from None
        return self._change(pipeline, lambda draft: draft.write(text, id, seen=seen))

    @needs(Role.EDITOR)
    def undo_draft(self, pipeline: str, id: str) -> DraftView:
        """Take the last step back; nothing where there is none."""
        return self._change(pipeline, lambda draft: draft.undo(id))

    @needs(Role.EDITOR)
    def redo_draft(self, pipeline: str, id: str) -> DraftView:
        """Make the step again that was undone last."""
        return self._change(pipeline, lambda draft: draft.redo(id))

    @needs(Role.EDITOR)
    def discard_draft(self, pipeline: str) -> None:
        """Forget it; the manifest stays what it is."""
        self._kept.remove(self._workspace.manifest(pipeline).file, self.caller.name)

    @needs(Role.EDITOR)
    def preview_replay(self, pipeline: str) -> ReplayView:
        """What `replay_draft` would make of the draft."""
        view = self.draft(pipeline)
        draft, refused = view.draft.onto(view.disk.text)
        return ReplayView(draft=draft, refused=refused)

    @needs(Role.EDITOR)
    def replay_draft(self, pipeline: str) -> DraftView:
        """Take the manifest as it is now, and make the changes of the draft again on it.

        What no longer fits is left out and said; undo leads back to the draft as it was.
        """
        disk = self._workspace.manifest(pipeline)
        draft = self._kept.change(disk.file, self.caller.name, lambda kept: _onto(_current(kept, disk), disk))
        return self._seen(disk, draft)

    # --- saving ----------------------------------------------------------------------------------------------------

    @needs(Role.EDITOR)
    def save_draft(self, pipeline: str, *, message: str = "") -> Saved:
        """Write the manifest; with a message it is committed, too, and what prevents that only stands in the answer.

        Raises InvalidManifest for a draft with errors, and Conflict where the manifest was changed since; then nothing
        is written.
        """
        disk, names = self._workspace.manifest(pipeline), list[str]()

        def save(kept: Draft | None) -> Draft:
            draft = _current(kept, disk)
            definition = self._workspace.suppose(disk, draft.text)
            _refuse(draft, definition, disk)
            self._workspace.save(disk, draft.text)
            names.append(definition.name)
            return draft.saved()

        self._kept.change(disk.file, self.caller.name, save)
        return self._committed(Saved(pipeline=names[0]), disk, message)

    @needs(Role.EDITOR)
    def branch(self, pipeline: str) -> str | None:
        """Where a commit of the manifest would go to; None where there is no version control."""
        path = self._workspace.manifest(pipeline).path
        return self._versions.branch(path) if self._versions else None

    def _committed(self, saved: Saved, disk: Manifest, message: str) -> Saved:
        """With the commit and the line in the log; what prevents them does not undo the save."""
        try:
            self._store.log_save(PipelineName(saved.pipeline), by=self.caller.name, note=message, now=self._clock.now())
            if message and self._versions is not None:
                saved = replace(saved, commit=self._versions.commit(disk.path, message, self.caller.name))
        except Unavailable as error:
            return replace(saved, trouble=str(error))
        return saved

    @needs(Role.VIEWER)
    def edition(self, pipeline: str) -> object:
        """Equal to the last one as long as neither the manifest nor a draft of it has changed."""
        disk = self._workspace.manifest(pipeline)
        return disk.text, self._kept.edition(disk.file)

    def _change(self, pipeline: str, verb: Callable[[Draft], Draft]) -> DraftView:
        disk = self._workspace.manifest(pipeline)
        draft = self._kept.change(disk.file, self.caller.name, lambda kept: verb(_current(kept, disk)))
        return self._seen(disk, draft)

    def _seen(self, disk: Manifest, draft: Draft) -> DraftView:
        definition = self._workspace.suppose(disk, draft.text)
        return DraftView(
            draft=draft,
            definition=definition,
            disk=disk,
            pools=tuple(sorted(self._pools)),
            channels=tuple(sorted(self._channels)),
        )

    @property
    def _kept(self) -> Drafts:
        if self._drafts is None:
            raise Conflict("no drafts are kept by this process", hint="Edit the manifest in the app.")
        return self._drafts


def _onto(draft: Draft, disk: Manifest) -> Draft:
    return draft if draft.base == disk.text else draft.onto(disk.text)[0]


def _refuse(draft: Draft, definition: Definition, disk: Manifest) -> None:
    if draft.base != disk.text:
        raise Conflict(f"{disk.file} was changed by somebody else", hint="Look at their change first.")
    if not draft.is_changed:
        raise Conflict("nothing is changed, so there is nothing to save")
    if errors := [problem for problem in definition.problems if problem.severity == "error"]:
        raise InvalidManifest(errors)


def _current(kept: Draft | None, disk: Manifest) -> Draft:
    """The draft; one in which nothing is changed follows the manifest, and one that says the same is saved."""
    from nbflow.manifest.edit import Draft

    if kept is not None and kept.is_changed and kept.text == disk.text:
        return kept.saved()
    if kept is None or (not kept.is_changed and kept.base != disk.text):
        return Draft.open(disk.text)
    return kept
