"""Which addresses may be served and which hosts are ours. Pure: front doors ask.

A page of another site can make a browser ask a server on loopback under a name of its own choosing (DNS rebinding);
the `Host` header then has that name, and is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from nbflow.errors import InvalidInput

TRY_AGAIN = "Try again in a moment; nbflow doctor says what is wrong."
"""Told to whoever asks while the database does not answer, so it names no address."""


def is_loopback(host: str) -> bool:
    """Whether a name or an address, without port, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hosts_of(server_url: str | None) -> frozenset[str]:
    """The hosts that are ours besides loopback: that of `server.url`, without its port."""
    name = urlsplit(server_url).hostname if server_url else None
    return frozenset({name} if name else ())


def is_our_host(header: str, hosts: Collection[str]) -> bool:
    """Whether a `Host` header names this server, whatever the port: a proxy may listen on another."""
    try:
        parts = urlsplit(f"//{header}")
        name = parts.hostname
        _ = parts.port  # raises for one that is none
    except ValueError:
        return False
    is_plain = parts.netloc == header and "@" not in header
    return is_plain and name is not None and (name in hosts or is_loopback(name))


def check_address(address: str, *, has_users: bool) -> None:
    """Raises InvalidInput for an address that others reach, where there is nobody who could sign in."""
    if has_users or is_loopback(address):
        return
    raise InvalidInput(
        f"without users nbflow is served on this machine alone, not on {address}",
        hint="Add one: nbflow user add NAME --role admin. Or serve 127.0.0.1.",
    )
