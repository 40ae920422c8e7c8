"""Everything nbflow can say no with. Each error tells what, where and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class NbflowError(Exception):
    """The base of all errors that a person is meant to read.

    `where` is a file position (`pipeline.yaml:14:17`) or a path into a definition (`tasks.clean.retries`);
    `hint` says what to do next. Both may be empty.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return advised(f"{self.where}: {self.message}" if self.where else self.message, self.hint)


def advised(text: str, hint: str) -> str:
    """The text as a sentence with the hint behind it; as it is where there is none."""
    if not hint:
        return text
    stop = "" if text.endswith((".", "?", "!")) else "."
    return f"{text}{stop} {hint}"


class InvalidInput(NbflowError):
    """A value, a name or a combination of options that can never work."""


class NotFound(InvalidInput):
    """Nothing has that name or id."""


class NotSupported(InvalidInput):
    """Understood and well formed, but this version of nbflow does not run it."""


class MissingExtra(InvalidInput):
    """A feature whose optional dependencies are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an extra: pip install "nbflow[{extra}]"')


class NotAllowed(NbflowError):
    """The caller's role does not reach this far."""


class NotSignedIn(NotAllowed):
    """Nobody is known by what was shown: no token, no session, or none that is valid."""


class Conflict(NbflowError):
    """Refused because of the state things are in now; nothing was changed."""


class StaleVersion(Conflict):
    """Somebody else wrote the run first; read it again and decide again."""


class LeaseLost(Conflict):
    """This engine no longer owns the run; it must not write to it."""


class PoolFull(Conflict):
    """A pool has no free place for the attempt."""


class Unavailable(NbflowError):
    """Something outside nbflow (database, disk) does not answer; trying later can help."""


class Unclosed(Unavailable):
    """The run of a command that is gone could not be closed now. Whoever only looks can look all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding in a definition. `line` and `column` count from 1; `where` is the path inside the document."""

    file: str
    message: str
    line: int = 1
    column: int = 1
    where: str = ""
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return advised(f"{self.file}:{self.line}:{self.column}: {self.message}", self.hint)


class InvalidManifest(InvalidInput):
    """A manifest cannot be used. `problems` has every finding of every file, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))
