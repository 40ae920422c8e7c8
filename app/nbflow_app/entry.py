"""Who may come in, and by what: the link that the terminal printed, or name and password.

Without users everybody on this machine reaches the port, so the port alone is no proof: whoever opens the link gets the
cookie, as with Jupyter. The key lies in the project and survives a restart; removing it ends every sign-in. From the
first user on, also one who is added while the app runs, the link opens nothing and people have passwords.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol

from nbflow.api import Caller, Entrance
from nbflow.errors import NotSignedIn
from nbflow.files import make_private

KEY = "app.key"

MOST, WITHIN = 20, 60.0
"""Refused tries of one address, and the seconds in which they count."""

Asks = Literal["link", "password"]


class Entry(Protocol):
    """How people come in."""

    cookie: str
    """The name of the cookie that proves it."""

    def asks(self) -> Asks:
        """What the sign-in page asks for. May block."""
        ...

    def who(self, cookies: Mapping[str, str]) -> Caller | None:
        """Whose cookie that is. May block."""
        ...

    def admit(self, fields: Mapping[str, str]) -> str:
        """The value of the cookie. Raises NotSignedIn. May block."""
        ...

    def leave(self, cookies: Mapping[str, str]) -> None:
        """End it, as far as it can be ended."""
        ...

    def bearer(self, secret: str) -> Caller | None:
        """Whose token that is. May block."""
        ...


class LinkEntry:
    """One caller with every right, known by the link; programs take its token as theirs."""

    def __init__(self, key: bytes, caller: Caller, port: int) -> None:
        self._caller = caller
        self.cookie = cookie_name(port)
        self.token = derived(key, "link")
        self.cookie_value = derived(key, "cookie")

    def asks(self) -> Asks:
        return "link"

    def who(self, cookies: Mapping[str, str]) -> Caller | None:
        return self._caller if _same(cookies.get(self.cookie, ""), self.cookie_value) else None

    def bearer(self, secret: str) -> Caller | None:
        return self._caller if _same(secret, self.token) else None

    def admit(self, fields: Mapping[str, str]) -> str:
        given = fields.get("token", "").strip()
        if not _same(given.rpartition("token=")[2], self.token):  # people paste the whole link, too
            raise NotSignedIn("that is not the link of this server", hint="It was printed where nbflow was started.")
        return self.cookie_value

    def leave(self, cookies: Mapping[str, str]) -> None:
        """The browser forgets the cookie; the link stays what it is."""


class PeopleEntry:
    """Users with passwords and sessions."""

    def __init__(self, entrance: Entrance, port: int) -> None:
        self._entrance = entrance
        self.cookie = cookie_name(port)

    def asks(self) -> Asks:
        return "password"

    def who(self, cookies: Mapping[str, str]) -> Caller | None:
        secret = cookies.get(self.cookie)
        return self._entrance.session(secret) if secret else None

    def admit(self, fields: Mapping[str, str]) -> str:
        return self._entrance.sign_in(fields.get("name", "").strip(), fields.get("password", "")).secret

    def bearer(self, secret: str) -> Caller | None:
        return self._entrance.bearer(secret)

    def leave(self, cookies: Mapping[str, str]) -> None:
        if secret := cookies.get(self.cookie):
            self._entrance.sign_out(secret)


class LocalEntry:
    """By the link while there are no users; as people from the first one on. For a server of this machine alone."""

    def __init__(self, link: LinkEntry, people: PeopleEntry, has_users: Callable[[], bool]) -> None:
        self._link, self._people, self._has_users = link, people, has_users
        self.cookie = link.cookie

    @property
    def _way(self) -> Entry:
        return self._people if self._has_users() else self._link

    def asks(self) -> Asks:
        return self._way.asks()

    def who(self, cookies: Mapping[str, str]) -> Caller | None:
        return self._way.who(cookies) if cookies.get(self.cookie) else None  # no users are looked up for a stranger

    def admit(self, fields: Mapping[str, str]) -> str:
        return self._way.admit(fields)

    def bearer(self, secret: str) -> Caller | None:
        return self._way.bearer(secret)

    def leave(self, cookies: Mapping[str, str]) -> None:
        self._way.leave(cookies)


class Refusals:
    """Counts what each address tried in vain, and says when it is too much."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """Raises NotSignedIn where the address has to wait."""
        tries = self._tries.get(address)
        while tries and tries[0] < self._clock() - WITHIN:
            tries.popleft()
        if tries and len(tries) >= MOST:
            raise NotSignedIn("too many sign-ins were refused", hint="Try again in a minute.")
        if not tries:
            self._tries.pop(address, None)

    def note(self, address: str) -> None:
        self._tries.setdefault(address, deque()).append(self._clock())


def cookie_name(port: int) -> str:
    """One for each port: browsers send the cookies of a host to all of its ports."""
    return f"nbflow-{port}"


def safe_next(given: str, prefix: str) -> str:
    """Where to go on after signing in: an address of ours, else the first page."""
    is_path = given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable()
    is_ours = is_path and (not prefix or given == prefix or given.startswith(f"{prefix}/"))
    return given if is_ours and not given.startswith(f"{prefix}/sign-in") else f"{prefix}/"


# --- the key ------------------------------------------------------------------------------------------------------


def read_key(folder: Path) -> bytes:
    """The key of a project, made when it is first asked for; nobody else can read it."""
    path = folder / KEY
    make_private(folder)
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()


def derived(key: bytes, purpose: str) -> str:
    """A secret of its own for each purpose: the link in a browser's history is not the cookie."""
    return hmac.new(key, purpose.encode(), sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
