"""Kept connections, but none on which a server has said something that nobody asked for.

Such bytes would be taken for the answer to the next request, which may be another account's.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class CleanConnector(aiohttp.TCPConnector):
    """Drops a kept connection where anything has come since its last answer."""

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
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            assert protocol is not None
            if protocol not in self._used:
                self._used.add(protocol)
                return connection
            if not protocol.should_close and not _readable(protocol):
                return connection
            connection.close()


def _readable(protocol: ResponseHandler) -> bool:
    """Whether bytes, or an end, lie in the socket."""
    transport = protocol.transport
    if transport is None:
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
