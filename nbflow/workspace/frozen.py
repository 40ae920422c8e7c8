"""The copies of notebooks that runs are pinned to: one file for each content, whoever uses it. Never overwrites one."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from nbflow.errors import Unavailable
from nbflow.files import make_private, write_whole
from nbflow.text import fault


@dataclass(frozen=True, slots=True)
class FrozenNotebooks:
    """The folder of the copies, `<sha256>.ipynb`."""

    folder: Path

    def path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.ipynb"

    def keep(self, content: bytes) -> str:
        """Store the content unless it is there already, to be read; returns its hash. Durable when this returns.

        Raises Unavailable where the disk does not take it.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        with contextlib.suppress(OSError):
            os.utime(self.path(sha256))  # in use again: what removes old copies passes it over
        if not os.access(self.path(sha256), os.R_OK):  # a copy that another user made is replaced
            try:
                make_private(self.folder)
                write_whole(self.path(sha256), [content], mode=0o600)
            except OSError as error:
                message = f"a notebook cannot be frozen: {fault(error)}"
                raise Unavailable(message, where=str(self.folder), hint="Run nbflow doctor.") from error
        return sha256
