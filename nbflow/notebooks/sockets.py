"""Short private folders for the sockets of kernels: a socket's path may have about 100 bytes, an attempt folder's more.

Each attempt has one, `nbflow-<user>/<beginning of its token>`, below the user's runtime folder or the one for temporary
files. Nobody else can list or open it, so the sockets need no port and no firewall.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbflow.errors import Unavailable
from nbflow.text import fault

NAME = 12
"""Characters of the token that name its folder."""

LONGEST_NAME = "servers/attempt-0123456789abcdef"
"""Of all sockets in these folders, the one with the longest name: a server's."""

LONGEST = 103
"""Bytes that a socket's path may have on every system (macOS: 103, Linux: 107)."""


def make(token: str) -> Path:
    """The folder of this attempt, empty, 0700 and ours. Raises Unavailable where there is none to be had."""
    remove(token)
    return private_folder(_name(token))


def places(token: str) -> list[Path]:
    """Where there is a folder for this attempt; none before `make`, and none after `remove`."""
    return [home / _name(token) for home in _homes() if (home / _name(token)).exists()]


def _name(token: str) -> str:
    name = token[:NAME]
    if not name or name.startswith(".") or "/" in name:
        raise ValueError(f"no token: {token!r}")
    return name


def private_folder(name: str) -> Path:
    """A folder of that name, made if need be, which nobody but this user can enter. Raises Unavailable."""
    refused = Unavailable("there is no folder for temporary files with a path short enough for sockets")
    for home in _homes():
        try:
            for folder in (home, home / name):
                _make_private(folder)
            return home / name
        except Unavailable as error:  # somebody else's; perhaps there is another place
            refused = error
    raise refused


def remove(token: str) -> None:
    """Remove the folder of this attempt; nothing happens if there is none."""
    name = _name(token)
    for home in filter(_is_private, _homes()):
        shutil.rmtree(home / name, ignore_errors=True)


def _homes() -> Iterator[Path]:
    """Where the folders may be, the best place first; only places whose paths stay short enough."""
    for root in dict.fromkeys(root for root in _roots() if root and Path(root).is_dir() and os.access(root, os.W_OK)):
        home = Path(root).resolve() / f"nbflow-{os.getuid()}"
        if len(os.fsencode(home / LONGEST_NAME)) <= LONGEST:
            yield home


def _roots() -> tuple[str, ...]:
    return os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"


def _make_private(folder: Path) -> None:
    """Make the folder, or find that it is a real one, ours, and closed to everybody else; never trust another."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"the folder for the sockets of kernels cannot be made: {fault(error)}") from error
    if not _is_private(folder):
        raise Unavailable(
            f"{folder} is not a folder that only this user can enter, so kernels cannot be talked to there",
            hint="Remove it, or let XDG_RUNTIME_DIR name a folder of your own.",
        )


def _is_private(folder: Path) -> bool:
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077
