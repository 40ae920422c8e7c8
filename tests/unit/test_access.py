"""Which addresses may be served, and which hosts are ours."""

from __future__ import annotations

import pytest

from nbflow.access import check_address, hosts_of, is_our_host
from nbflow.errors import InvalidInput


@pytest.mark.parametrize(
    ("header", "ours"),
    [
        ("localhost", True),
        ("localhost:8888", True),
        ("127.0.0.1:8888", True),
        ("127.8.8.8", True),
        ("[::1]:8888", True),
        ("nbflow.example.org", True),
        ("NBFLOW.example.org:443", True),
        ("example.org", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("nbflow.example.org.evil.org", False),
        ("evil.org/localhost", False),
        ("localhost@evil.org", False),
        ("evil@localhost", False),
        ("localhost:port", False),
        ("localhost?evil.org", False),
        ("[::1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_a_host_is_ours_or_not(header: str, ours: bool) -> None:
    assert is_our_host(header, hosts_of("https://nbflow.example.org:8443/team")) is ours


def test_without_an_address_only_loopback_is_ours() -> None:
    assert hosts_of(None) == frozenset()
    assert not is_our_host("nbflow.example.org", hosts_of(None))


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_alone_needs_no_users(address: str) -> None:
    check_address(address, has_users=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.2", "nbflow.example.org", ""])
def test_other_addresses_need_users(address: str) -> None:
    check_address(address, has_users=True)
    with pytest.raises(InvalidInput, match=r"served on this machine alone.*nbflow user add NAME --role admin"):
        check_address(address, has_users=False)
