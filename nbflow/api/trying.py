"""Runs of what is being edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from nbflow.api.drafting import Drafting
from nbflow.api.roles import Role, needs
from nbflow.api.runs import Runs
from nbflow.run import Run


class Trying(Runs, Drafting):
    """A draft is tried before it is saved: the run pins the text of the draft, as any run pins its manifest."""

    @needs(Role.EDITOR)
    def trigger_draft(
        self,
        pipeline: str,
        *,
        texts: Mapping[str, str] | None = None,
        when: date | datetime | None = None,
        tasks: Sequence[str] = (),
        lend_from: str | None = None,
    ) -> Run:
        """A run of the draft as it stands, saved or not; all else as `trigger`. Raises InvalidManifest for errors."""
        return self._trigger(self.draft(pipeline).definition, texts=texts, when=when, tasks=tasks, lend_from=lend_from)
