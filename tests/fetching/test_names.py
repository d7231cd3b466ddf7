"""Names of a real name server on loopback: slow ones hold up nobody, all answers are checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fetching.stage import answer, staged
from tests.kit.pace import allowed
from xinghe.fetching import Fetcher, FetchError, UrlRefused
from xinghe.fetching.names import Resolver
from xinghe.settings import Fetching

MANY = 200
"""Many times the threads that a resolver of the system could be given."""


class NameServer(asyncio.DatagramProtocol):
    """Says nothing to questions about `slow…`, knows the names in `known`, and no others."""

    def __init__(self) -> None:
        self.known = {"quick.example": "127.0.0.1", "many.example": "8.8.8.8 10.0.0.1"}
        self.asked: list[str] = []
        self.address = ""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        # All may ask before this loop has a turn: none of the questions is to be lost.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self.address = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, address: Any) -> None:
        assert self._transport is not None
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        name, kind, question = ".".join(labels), data[at + 2], data[12 : at + 5]
        self.asked.append(name)
        if name.startswith("slow"):
            return
        places = self.known.get(name, "").split() if kind == 1 else []
        records = [
            b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04" + ipaddress.ip_address(place).packed
            for place in places
        ]
        refusal = 0 if name in self.known else 3
        head = data[:2] + bytes([0x81, 0x80 | refusal, 0, 1, 0, len(records), 0, 0, 0, 0])
        self._transport.sendto(head + question + b"".join(records), address)


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield server
    transport.close()


@pytest.fixture
async def resolver(names: NameServer) -> AsyncIterator[Resolver]:
    resolver = Resolver([names.address])
    yield resolver
    await resolver.aclose()


async def test_slow_names_hold_up_no_other_look_up(names: NameServer, resolver: Resolver) -> None:
    async with staged("127.0.0.1") as stage:
        stage.plays["/"] = answer(b"a picture")
        fetcher = Fetcher(Fetching(allow=(f"127.0.0.1:{stage.port}",)), resolver)
        slow = [
            asyncio.create_task(
                fetcher.fetch(f"http://slow{number}.example/", max_bytes=9, timeout=30)
            )
            for number in range(MANY)
        ]
        async with asyncio.timeout(60):
            while len(set(names.asked)) < MANY:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        begun = time.monotonic()
        url = f"http://quick.example:{stage.port}/"
        assert (await fetcher.fetch(url, max_bytes=9, timeout=30)).data == b"a picture"
        took = time.monotonic() - begun
        assert not any(task.done() for task in slow), "they were not slow for long enough"
        assert took < allowed(1.5)
        for task in slow:
            task.cancel()
        assert all(
            isinstance(each, asyncio.CancelledError)
            for each in await asyncio.gather(*slow, return_exceptions=True)
        )


async def test_a_name_that_nobody_answers_for_is_given_up(resolver: Resolver) -> None:
    fetcher = Fetcher(Fetching(), resolver)
    begun = time.monotonic()
    with pytest.raises(FetchError):
        await fetcher.fetch("http://slow.example/", max_bytes=9, timeout=0.3)
    assert time.monotonic() - begun < allowed(2)


@pytest.mark.parametrize("name", ["nowhere.example", "many.example", "localhost"])
async def test_unknown_and_private_names_are_refused(name: str, resolver: Resolver) -> None:
    """`localhost` is in the hosts file: the name server is not asked."""
    with pytest.raises(UrlRefused):
        await Fetcher(Fetching(), resolver).fetch(f"http://{name}/", max_bytes=9, timeout=10)


async def test_the_hosts_file_is_read(names: NameServer, resolver: Resolver) -> None:
    assert ipaddress.ip_address("127.0.0.1") in await resolver("localhost")
    assert names.asked == []


async def test_all_addresses_come_once(resolver: Resolver) -> None:
    assert {str(each) for each in await resolver("many.example")} == {"8.8.8.8", "10.0.0.1"}


async def test_it_opens_anew_after_it_was_closed(resolver: Resolver) -> None:
    for _ in range(2):
        assert await resolver("quick.example") == [ipaddress.ip_address("127.0.0.1")]
        await resolver.aclose()
