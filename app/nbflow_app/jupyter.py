"""Where a notebook of the project opens in JupyterLab, if somebody said where that is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Jupyter:
    """JupyterLab shows the project's folder at `address`; empty where nobody said so."""

    project: Path
    address: str = ""

    def link(self, *path: str) -> str:
        """The address of a notebook, its path absolute or from the project's folder, in parts; of the folder without.

        Empty for one that lies elsewhere, and while there is no address.
        """
        inside = os.path.relpath(self.project.joinpath(*path), self.project)
        if not self.address or Path(inside).parts[:1] == (os.pardir,):
            return ""
        return self.address if inside == os.curdir else f"{self.address}/{quote(Path(inside).as_posix())}"
