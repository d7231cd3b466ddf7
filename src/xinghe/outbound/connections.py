"""The connections to servers that the operator has named, and the proxy on the way to them."""

from __future__ import annotations

import select
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
import msgspec

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class Way(msgspec.Struct):
    """How a request goes: on a `fresh` connection, where that is wanted, or on one `kept`."""

    fresh: bool = False
    kept: bool = False


WAY: ContextVar[Way] = ContextVar("way")


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL.

    Asked once: aiohttp's own `trust_env` reads `.netrc` in a thread at every request.
    """
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    # Each look into the environment takes time, and a change may make many servers at once.
    if proxy is None or parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return proxy


class CleanConnector(aiohttp.TCPConnector):
    """Drops a kept connection where anything has come since its last answer.

    Such bytes would be taken for the answer to the next request, which may be another account's.
    The `WAY` of a request says whether it takes a kept one at all, and learns whether it did.
    """

    def __init__(self, *, limit: int, idle: float) -> None:
        super().__init__(
            limit=limit,
            keepalive_timeout=idle,
            # The system's, which knows the names of the operator's own network.
            resolver=aiohttp.ThreadedResolver(),
        )
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 (the library's own)
    ) -> Connection:
        way = WAY.get()
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            if protocol not in self._used:
                self._used.add(protocol)
                return connection
            if not way.fresh and protocol.transport is not None and not protocol.should_close:
                poll = select.poll()  # whether bytes, or an end, lie in the socket
                socket = protocol.transport.get_extra_info("socket")
                poll.register(socket.fileno(), select.POLLIN)
                if not poll.poll(0):
                    way.kept = True
                    return connection
            connection.close()
