"""Files that a reader sees as they were or as they are, never by halves, and that outlast a loss of power."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import IO


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter, and each missing one above it; what is there stays as it is.

    Raises OSError. `Path.mkdir` gives its mode to the last folder alone.
    """
    missing = [*takewhile(lambda each: not each.is_dir(), (folder, *folder.parents))]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, content: str | Iterable[bytes], *, mode: int | None = None, lasting: bool = True) -> None:
    """Put the content, text or bytes in pieces, in the place of the file. See `whole_file`."""
    with whole_file(path, mode=mode, lasting=lasting) as file:
        file.writelines([content.encode()] if isinstance(content, str) else content)


def keep(path: Path) -> None:
    """Make what was written without `lasting` outlast a loss of power after all. Raises OSError."""
    keep_content(path)
    _sync_folder(path.parent)


def keep_content(path: Path) -> None:
    """Make what is in the file outlast a loss of power, but not yet its name: something else in its folder is kept
    next. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_new(path: Path, content: str) -> None:
    """Write a file that is not there yet. Raises OSError, and FileExistsError where it is."""
    with whole_file(path, place=os.link) as file:  # unlike a rename a link replaces nothing
        file.write(content.encode())


@contextmanager
def whole_file(
    path: Path, *, mode: int | None = None, lasting: bool = True, place: Callable[[Path, Path], None] = os.replace
) -> Iterator[IO[bytes]]:
    """A file to write to, which is there as `path` once the block has ended well. Raises OSError; nothing changed then.

    Without `mode` it is as everybody's new files are. `lasting` waits until a power cut cannot undo it; in vain for
    what is soon written again, and too soon for what `keep` is called for later.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if mode is not None:
                os.fchmod(handle, mode)  # whatever the umask took away
            if lasting:
                file.flush()
                os.fsync(handle)
        place(temporary, path)
        if lasting:
            _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


State = tuple[int, int, int]


def state_of(path: Path) -> State | None:
    """What changes when a file does; None where there is none."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino, about.st_size


def _sync_folder(folder: Path) -> None:
    """Make the new name itself outlast a loss of power, where the file system can."""
    with contextlib.suppress(OSError):
        keep_content(folder)
