"""What a notebook can say to nbflow: `from nbflow import task`. Only the standard library, so it works in any kernel.

Outside nbflow, for example in Jupyter, the same calls only show what they would report.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from typing import Any, NoReturn

MIME = "application/vnd.nbflow+json"
LARGEST = 64 * 1024
ONLY_SHOWN = " (nbflow does not hear this: it was said in a process that the notebook started)"


class Skipped(BaseException):
    """Ends the notebook early and well. No `Exception`, so that `except Exception` does not swallow it."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"Skipped: {self}"]


def output(name: str, value: Any) -> None:
    """Report a named value: it is kept with the run, and later tasks can read it in their parameters.

    The value is anything that JSON can hold, at most 64 KiB of it. NumPy scalars become numbers; dates, times and paths
    become text. Reporting a name again replaces its value. Raises TypeError or ValueError with what is wrong.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"the name of an output must be an identifier such as row_count, not {name!r}")
    text = _as_json(name, value)
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(
            f"the value of '{name}' has {size:,} bytes of JSON, and at most {LARGEST:,} can be reported. "
            "Write it to a file and report the file's path."
        )
    _send({"type": "output", "name": name, "value": json.loads(text)}, f"{name} = {_short(text)}")


def skip(reason: str = "") -> NoReturn:
    """End the notebook here because there is nothing to do; the task and what depends on it count as skipped."""
    _send({"type": "skip", "reason": str(reason)}, f"skipped: {reason}" if reason else "skipped")
    raise Skipped(reason)


def _as_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except TypeError as error:
        raise TypeError(f"the value of '{name}' cannot be reported: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the value of '{name}' cannot be reported, because JSON cannot hold it: {error}") from None


def _plain(value: Any) -> Any:
    """What stands in for a value that JSON does not know."""
    if isinstance(value, (datetime.date, datetime.time)) and value == value:  # pandas.NaT is a date that is none
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"type {type(value).__name__} is no JSON; report numbers, texts, lists or dictionaries")


def _short(text: str, longest: int = 200) -> str:
    return text if len(text) <= longest else f"{text[:longest]} …"


def _send(message: dict[str, Any], text: str) -> None:
    """Show the message where a front end listens, else as plain text. IPython is asked only if it is running."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    publisher = shell and _publisher(shell)
    if publisher is not None:
        publisher.publish({MIME: message, "text/plain": text})
        return
    sys.stdout.write(f"{text}{ONLY_SHOWN if 'NBFLOW_TASK' in os.environ else ''}\n")


def _publisher(shell: Any) -> Any:
    """The way to the front end; where `%%capture` has put itself into it, the one from before. None in a fork."""
    own = (each for each in shell.configurables if isinstance(each, shell.display_pub_class))
    publisher = next(own, shell.display_pub)
    session = getattr(publisher, "session", None)
    return publisher if session is None or session.pid == os.getpid() else None
