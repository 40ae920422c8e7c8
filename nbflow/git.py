"""Commits of single files with the git of this machine (ports.Versions)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nbflow.errors import Unavailable

PATIENCE = 30.0
"""Seconds for one command: a hook may run a formatter or a few tests."""
_OWN = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})
"""What would make git look elsewhere, where nbflow was started by a hook."""
MOST_SAID = 600


class Git:
    """The repository, if any, that a file lies in."""

    def branch(self, path: Path) -> str | None:
        with suppress(Unavailable):
            if _git(path, "rev-parse", "--is-inside-work-tree") != "true" or self._is_ignored(path):
                return None
            return _git(path, "branch", "--show-current") or "a detached HEAD"
        return None

    def commit(self, path: Path, message: str, by: str) -> str:
        is_new = not _git(path, "ls-files", "--", path.name)
        if is_new:
            _git(path, "add", "--intent-to-add", "--", path.name)
        try:
            _git(path, "commit", "--quiet", "--only", "-m", message, "-m", f"Edited-by: {by}", "--", path.name)
        except Unavailable:
            if is_new:
                _git(path, "rm", "--cached", "--quiet", "--", path.name)
            raise
        return _git(path, "rev-parse", "--short", "HEAD")

    def _is_ignored(self, path: Path) -> bool:
        return bool(_git(path, "ls-files", "--others", "--ignored", "--exclude-standard", "--", path.name))


def _git(path: Path, *words: str) -> str:
    """What git prints. Raises Unavailable with what it complains of."""
    try:
        process = subprocess.Popen(
            ("git", "-C", str(path.parent), "--literal-pathspecs", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(os.environ),
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"git cannot be started: {error.strerror}", hint="Commit the file yourself.") from error
    try:
        out, wrong = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        message = f"git {words[0]} did not end within {PATIENCE:.0f} s, perhaps for a hook"
        raise Unavailable(message, hint="Commit the file yourself.") from None
    if process.returncode != 0:
        said = " ".join((wrong.strip() or out.strip()).split())[-MOST_SAID:]
        raise Unavailable(f"git {words[0]} was refused: {said}", hint="Commit the file yourself.")
    return out.strip()


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in own.items() if name not in _OWN}
    return {**kept, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", "SSH_ASKPASS": "true"}
