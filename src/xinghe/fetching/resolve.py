"""Names to addresses, on threads of its own: a slow name server holds up no other room."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from xinghe.fetching.addresses import Address

THREADS = 8


class Resolve(Protocol):
    """All addresses of a host, best first. Raises `OSError` where there are none."""

    async def __call__(self, host: str, /) -> list[Address]: ...


class SystemResolver:
    """The operating system's resolver (`getaddrinfo`)."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "resolve")

    async def __call__(self, host: str, /) -> list[Address]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _lookup, host)
        return list(dict.fromkeys(found))


def _lookup(host: str) -> list[Address]:
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError(str(error)) from error
    return [ipaddress.ip_address(info[4][0]) for info in infos]
