"""What a database's fault is called, and what a person can do about it. Looks at codes, not at messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from nbflow.errors import Conflict, InvalidInput, NbflowError, Unavailable

_BUSY = "Another process holds it for a long time; try again when that has ended."
_MODE = "Check the owner and the mode of the file and of its folder."
_AWAY = "Check that the server runs, and that its address, user, password and database are right."

_SQLITE = {
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_FULL": "Make room on its disk; nothing was half-written.",
    "SQLITE_IOERR": "Check its disk, and whether it is full; nothing was half-written.",
    "SQLITE_CANTOPEN": "Check that its folder exists and may be written to.",
    "SQLITE_READONLY": _MODE,
    "SQLITE_PERM": _MODE,
    "SQLITE_PROTOCOL": "Try again; if it stays like this, put the file on a local disk.",
    "SQLITE_NOMEM": "The machine is short of memory.",
}
"""By the beginning of SQLite's name of the code (sqlite.org, result codes)."""

_POSTGRES = {
    "08": _AWAY,
    "25006": "The server takes no writes; give the address of the primary one.",
    "25P03": "The transaction was silent for too long; try again.",
    "40": "Another transaction was in the way; try again.",
    "42501": "Give its user the rights, or make it the owner of the database and of all tables in it.",
    "53": "The server is short of disk, memory or connections; nothing was half-written.",
    "55P03": _BUSY,
    "57": "The server is shutting down or starting up; try again.",
    "58": "Check the server's disk; nothing was half-written.",
}
"""By the beginning of the SQLSTATE (PostgreSQL manual, appendix A)."""


@contextmanager
def named_faults(database: str) -> Iterator[None]:
    """Turn what went wrong outside into errors for people; a fault of our own goes through as it is."""
    try:
        yield
    except NoConnectionFree as error:
        raise Unavailable(f"{database} has no connection free", hint="Too many threads use it; try again.") from error
    except IntegrityError as error:
        raise Conflict(f"{database} refuses the write: {_first_line(error)}") from error
    except DBAPIError as error:
        named = _named(database, error)
        if named is None:
            raise
        raise named from error


def _named(database: str, error: DBAPIError) -> NbflowError | None:
    said = _first_line(error)
    code: str | None = getattr(error.orig, "sqlite_errorname", None)
    if code is not None and code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return InvalidInput(f"{database} is no database, or is damaged: {said}", hint="Restore it, or name another.")
    hint = _hint(_SQLITE, code) if code is not None else _postgres_hint(error)
    return None if hint is None else Unavailable(f"{database} does not answer: {said}", hint=hint)


def _postgres_hint(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:  # the driver's own words: no connection was made, or it broke
        return _AWAY if isinstance(error, OperationalError) else None
    return _hint(_POSTGRES, state)


def _hint(hints: Mapping[str, str], code: str) -> str | None:
    return next((hint for beginning, hint in hints.items() if code.startswith(beginning)), None)


def _first_line(error: DBAPIError) -> str:
    return next(iter(str(error.orig).splitlines()), "")
