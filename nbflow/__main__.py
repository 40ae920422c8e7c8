"""Entry of `nbflow` and of `python -m nbflow`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. A reader that closes the pipe early (`nbflow list | head -1`) ends it without a word."""
    if sys.platform == "win32":
        sys.stderr.write("nbflow does not run on Windows itself; use it in the Windows Subsystem for Linux (WSL).\n")
        sys.exit(2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal may lack the icons
    from nbflow.cli import app

    try:
        app()
    finally:
        _flush()


def _flush() -> None:
    """Flush here what Python would flush at its exit, where a closed pipe could only be reported."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
