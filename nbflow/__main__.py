"""Entry of `nbflow` and of `python -m nbflow`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; ends with SystemExit."""
    if sys.platform == "win32":
        sys.stderr.write("nbflow does not run on Windows itself; use it in the Windows Subsystem for Linux (WSL).\n")
        sys.exit(2)
    from nbflow.streams import OutputLost, open_streams

    open_streams()
    from nbflow.cli import app

    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OutputLost as error:
        sys.exit(f"error: {error}")


def program() -> None:
    """`main` in a process of its own. Python would look for garbage at its end: ten times as long as the end takes."""
    try:
        main()
    except KeyboardInterrupt:  # before a command had begun
        sys.exit(130)
    finally:
        gc.freeze()


if __name__ == "__main__":
    program()
