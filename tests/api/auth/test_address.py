"""Whose address counts behind proxies: the nearest that is none of the operator's own."""

from __future__ import annotations

import pytest

from xinghe.api.auth.address import client_address, trusted
from xinghe.settings import Server

PROXIES = trusted(Server(trusted_proxies=("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")))


def address(peer: str | None, *forwarded: str) -> str:
    headers = [(b"host", b"xinghe"), *((b"x-forwarded-for", each.encode()) for each in forwarded)]
    scope = {"client": None if peer is None else (peer, 5), "headers": headers}
    return client_address(scope, PROXIES)


@pytest.mark.parametrize(
    ("whose", "peer", "forwarded"),
    [
        ("203.0.113.9", "203.0.113.9", []),
        ("203.0.113.9", "203.0.113.9", ["198.51.100.1"]),
        ("198.51.100.1", "10.1.2.3", ["198.51.100.1"]),
        ("198.51.100.1", "192.0.2.1", ["9.9.9.9, 198.51.100.1"]),
        ("198.51.100.1", "::ffff:10.1.2.3", ["9.9.9.9, 198.51.100.1,10.9.9.9"]),
        ("198.51.100.1", "2001:db8::7", ["9.9.9.9", "198.51.100.1", "10.9.9.9"]),
        ("2001:dead::1", "10.1.2.3", ["2001:dead::1"]),
        ("10.1.2.3", "10.1.2.3", []),
        ("10.9.9.9", "10.1.2.3", ["10.9.9.9"]),
        ("unknown", "10.1.2.3", ["198.51.100.1, unknown"]),
        ("198.51.100.1", "10.1.2.3", ["198.51.100.1,"]),
        ("", None, ["198.51.100.1"]),
        ("10.0.0.5", "10.0.0.9", [", ".join(["6.6.6.6", *["10.0.0.5"] * 100])]),
    ],
)
def test_whose_it_is(whose: str, peer: str | None, forwarded: list[str]) -> None:
    assert address(peer, *forwarded) == whose


@pytest.mark.parametrize("entry", ["", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "*"])
def test_what_is_no_proxy(entry: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Server(trusted_proxies=(entry,))
