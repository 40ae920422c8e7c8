"""Why nbflow is not ready for work: questions about everything that it stands on, for `/readyz`. Any of them may hang.

Strangers may read the answers, so none names a path or an address.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from nbflow.api import Api
from nbflow.doctor import LOW_DISK
from nbflow.errors import NbflowError
from nbflow.text import seconds_text


def probes(api: Api, outputs: Path, database: Path | None) -> Mapping[str, Callable[[], str]]:
    """By name; each says why not, or nothing. `database` is its file, where it is one."""
    return {
        "database": lambda: _database(api, database),
        "scheduler": lambda: _scheduler(api),
        "outputs": lambda: _outputs(outputs),
        "disk": lambda: _disk(outputs),
    }


def _database(api: Api, file: Path | None) -> str:
    if file is not None and not file.exists():
        return "its file is gone"
    try:
        api.scheduler()
    except NbflowError:
        return "it does not answer"
    return ""


def _scheduler(api: Api) -> str:
    try:
        leader = api.scheduler()
    except NbflowError:
        return ""  # said of the database
    if leader is None:
        return "none runs"
    if leader.silence is None:
        return ""
    age = seconds_text(leader.silence.total_seconds())
    return f"its last sign of life is {age} old: it is gone, stopped, or cannot write to the database"


def _outputs(folder: Path) -> str:
    """Whether a file can be written; a folder that was never made is made by the first run."""
    if not folder.exists():
        return ""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"nbflow")
            file.flush()
    except OSError as error:
        return f"no file can be written: {error.strerror}"
    return ""


def _disk(folder: Path) -> str:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    return "" if free > LOW_DISK else f"low: {free / 1024**3:.1f} GiB free"
