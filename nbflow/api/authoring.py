"""New things made of what is there: pipelines from notebooks, edges that seem to be missing, notebooks from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbflow.api.definitions import usable
from nbflow.api.drafting import Drafting
from nbflow.api.roles import Role, needs
from nbflow.api.views import NewPipelineView
from nbflow.errors import Conflict
from nbflow.manifest.touching import Gap
from nbflow.ports import Definition, Library, NotebookFile, Wish


class Authoring(Drafting):
    """What somebody begins. Every verb is an editor's: who writes a notebook or a manifest decides what is executed."""

    @needs(Role.EDITOR)
    def notebooks(self) -> Sequence[NotebookFile]:
        """Every notebook of the project in the order of their paths, broken ones too."""
        return self._files.notebooks()

    @needs(Role.EDITOR)
    def suggestions(self, pipeline: str) -> Sequence[Gap]:
        """The edges that seem to be missing in the caller's draft; none while its text alone is wrong."""
        return self._files.gaps(self.draft(pipeline).definition)

    @needs(Role.EDITOR)
    def plan_pipeline(self, wish: Wish) -> NewPipelineView:
        """What `create_pipeline` would write, and all edges that suggest themselves. Raises as `Library.draw_up`."""
        bare = self._files.draw_up(replace(wish, edges=frozenset()))
        definition = self._files.draw_up(wish) if wish.edges else bare
        return NewPipelineView(definition=definition, gaps=tuple(self._files.gaps(bare)))

    @needs(Role.EDITOR)
    def create_pipeline(self, wish: Wish) -> Definition:
        """Write the manifest of a new pipeline; nothing that exists is overwritten.

        Raises as `Library.draw_up`, and InvalidManifest where it could not be used.
        """
        definition = self._files.draw_up(wish)
        usable(definition)
        self._files.create(definition)
        return definition

    @needs(Role.EDITOR)
    def create_notebook(self, path: str) -> NotebookFile:
        """Write a new notebook, its path from the project's folder. Raises as `Library.begin_notebook`."""
        return self._files.begin_notebook(path)

    @property
    def _files(self) -> Library:
        if self._library is None:
            raise Conflict("this process does not write files", hint="Do it in the app.")
        return self._library
