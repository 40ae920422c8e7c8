"""The kinds of values that settings have: what each accepts from the file, and how a variable's text is read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from nbflow.scalars import Unfit, describe, read_duration
from nbflow.tomltext import read_toml


@dataclass(frozen=True, slots=True)
class Kind:
    """`check` turns what the file has into the value, or raises Unfit, repeating nothing that may be secret.

    `parse` turns a variable's text into what the file would have.
    """

    name: str
    check: Callable[[Any], Any]
    parse: Callable[[str], Any] = str


# --- texts of environment variables -------------------------------------------------------------------------------


def _split(text: str) -> Any:
    """A list as in the file, or its items with commas between them."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return read_toml(f"list = {text.strip()}")["list"]
    except ValueError:
        return text


def _whole(text: str) -> Any:
    return int(text) if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) else text


# --- values -------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"must be text, not {describe(value)}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Unfit("must be a list")
    return tuple(_text(each) for each in value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unfit(f"must be a whole number, 1 or more, not {describe(value)}")
    return value


def _port(value: Any) -> int:
    if _count(value) > 65535:
        raise Unfit(f"must be a port, 65535 at most, not {describe(value)}")
    return int(value)


def _places(value: Any) -> int:
    if not isinstance(value, dict):
        return _count(value)
    if value.keys() != {"slots"}:
        raise Unfit("must be a whole number, or a table with 'slots' alone")
    return _count(value["slots"])


def _duration(value: Any) -> timedelta:
    try:
        return read_duration(_text(value))
    except ValueError:
        raise Unfit(f"must be a duration such as 30s, 10m or 180d, not {describe(value)}") from None


def _folders(value: Any) -> tuple[str, ...]:
    for folder in _texts(value):
        if posixpath.isabs(folder) or posixpath.normpath(folder).split("/")[0] == "..":
            raise Unfit(f"has '{folder}', which lies outside the project")
    return _texts(value)


def _database(value: Any) -> str:
    scheme, found, rest = _text(value).partition("://")
    if not found or scheme not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        kind = f", not of '{scheme}'" if found else ""
        raise Unfit(f"must be the address of a SQLite or PostgreSQL database{kind}", "It begins like sqlite:///.")
    if scheme == "sqlite" and rest in {"", "/", "/:memory:"}:
        raise Unfit("must name a file, because every command opens the database anew")
    if scheme == "sqlite" and not rest.startswith("/"):
        raise Unfit("has two slashes where SQLite takes three", f"Write sqlite:///{rest}.")
    return str(value)


def _outputs(value: Any) -> str:
    scheme, found, rest = _text(value).partition("://")
    if found and not rest.strip("/"):
        raise Unfit(f"names nothing behind {scheme}://")
    if found:
        raise Unfit(f"is a remote place ({scheme}://), which is not yet supported", "Name a folder.")
    return str(value)


def _web_address(value: Any) -> str:
    try:
        parts = urlsplit(_text(value))
        is_fit = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:  # a port that is none, half a bracket
        is_fit = False
    if not is_fit:
        raise Unfit(f"must be an address such as https://nbflow.example.org, not {describe(value)}")
    return str(value).rstrip("/")


def _folder_address(value: Any) -> str:
    """An address that paths are put behind, and that everybody sees."""
    address = _web_address(value)
    if urlsplit(address).query or urlsplit(address).fragment or "@" in urlsplit(address).netloc:
        raise Unfit("must be an address without a token, a user or a #", "Write what stands before them.")
    return address


def _addresses(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Unfit("must be a list")
    for number, address in enumerate(value, start=1):
        if not isinstance(address, str) or not re.match(r"[a-z]\w*://.", address, re.ASCII):
            raise Unfit(f"has no address at place {number}", "An Apprise address begins like mailto://.")
    return tuple(value)


def _variables(value: Any) -> tuple[str, ...]:
    for name in _texts(value):
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise Unfit(f"has '{name}', which cannot be the name of a variable")
        if name.startswith("NBFLOW_SECRET_"):  # what a template gives is stored and shown
            raise Unfit(f"has '{name}', but secrets are not for templates", "Name it under 'secrets' of the task.")
    return _texts(value)


def one_of(*words: str, later: str = "") -> Kind:
    """One of these words. `later` is understood and refused."""

    def check(value: Any) -> str:
        if later and value == later:
            raise Unfit(f"'{later}' is not yet supported")
        if value not in words:
            raise Unfit(f"must be {' or '.join(words)}, not {describe(value)}")
        return str(value)

    return Kind(" or ".join(f"`{word}`" for word in words), check)


TEXT = Kind("text", _text)
TEXTS = Kind("list of texts", _texts, _split)
COUNT = Kind("whole number", _count, _whole)
PORT = Kind("whole number", _port, _whole)
PLACES = Kind("whole number, or `{slots = …}`", _places, _whole)
DURATION = Kind("duration", _duration)
FOLDERS = Kind("list of folders", _folders, _split)
DATABASE = Kind("address", _database)
OUTPUTS = Kind("folder", _outputs)
ADDRESS = Kind("address", _web_address)
FOLDER_ADDRESS = Kind("address", _folder_address)
ADDRESSES = Kind("list of addresses", _addresses, _split)
VARIABLES = Kind("list of names", _variables, _split)
