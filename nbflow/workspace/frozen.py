"""The copies of notebooks that runs are pinned to: one file for each content, whoever uses it. Never overwrites one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nbflow.errors import Unavailable


@dataclass(frozen=True, slots=True)
class FrozenNotebooks:
    """The folder of the copies, `<sha256>.ipynb`."""

    folder: Path

    def path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.ipynb"

    def keep(self, content: bytes) -> str:
        """Store the content unless it is there already; returns its hash. Durable when this returns.

        Raises Unavailable where the disk does not take it.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        with contextlib.suppress(OSError):
            os.utime(self.path(sha256))  # in use again: what removes old copies passes it over
        if not self.path(sha256).exists():
            try:
                self._write(content, self.path(sha256))
            except OSError as error:
                message = f"a notebook cannot be frozen: {error.strerror or error}"
                raise Unavailable(message, where=str(self.folder), hint="Run nbflow doctor.") from error
        return sha256

    def _write(self, content: bytes, path: Path) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")  # mode 0600
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(self.folder)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
