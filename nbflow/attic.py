"""The folders of runs and the copies of notebooks, where they are removed (ports.Attic)."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from nbflow.model import PipelineName, RunId


class FolderAttic:
    """Attempts below `outputs`, copies of notebooks in `frozen`."""

    def __init__(self, outputs: Path, frozen: Path) -> None:
        self._outputs, self._frozen = outputs, frozen

    def remove_run(self, run: RunId, pipeline: PipelineName) -> None:
        folder = self._outputs / pipeline / run
        if folder.exists():
            shutil.rmtree(folder)

    def remove_notebooks(self, used: Collection[str], before: datetime) -> int:
        unused = [
            path
            for path in self._frozen.glob("*.ipynb")
            if path.stem not in used and path.stat().st_mtime < before.timestamp()
        ]
        for path in unused:
            path.unlink(missing_ok=True)
        return len(unused)
