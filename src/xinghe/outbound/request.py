"""A request under way: sent, once more where a kept connection was closed, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from types import TracebackType
from typing import Self

import msgspec

from xinghe import __version__
from xinghe.outbound.connection import Connection
from xinghe.outbound.faults import Broken, fault_of, is_silence
from xinghe.outbound.pool import ConnectionPool
from xinghe.outbound.proxy import Proxy
from xinghe.outbound.response import Response
from xinghe.outbound.target import Origin, Target

UNCOMPRESSED = (b"", b"identity", b"none", b"utf-8")
"""The names for no compression: PHP's servers know "none", and some mistake it for the charset."""
HAVE_BODIES = ("POST", "PUT", "PATCH")


class Request(msgspec.Struct):
    """What is sent to whom, and how long the server may say nothing; `again` as in `Client.send`.

    `until` is a time of the loop's clock by which there is an answer's head.
    """

    origin: Origin
    head: bytes
    body: bytes
    success: Container[int]
    silence: float
    until: float
    again: bool


class SentRequest:
    """A request that its server has taken, to be used in a `with`, as the client may leave before
    it is answered.
    """

    def __init__(self, pool: ConnectionPool, request: Request) -> None:
        self._pool = pool
        self._request = request
        self._connection: Connection | None = None
        self._is_kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._let_go()

    async def send(self, *, fresh: bool = False) -> None:
        """Have a server take it; on a `fresh` connection, or on any. Raises `CallFailed`."""
        request = self._request
        try:
            self._connection, self._is_kept = await self._pool.take(
                request.origin, request.until, fresh=fresh
            )
            self._connection.send(request.head, request.body)
            await self._connection.taken(request.until)
        except BaseException as error:
            self._let_go()
            if isinstance(error, Exception):
                raise fault_of(error, begun=False) from None
            raise

    async def answer(self) -> Response:
        """The answer when its head has come, as `Client.send` has it. Raises `CallFailed`."""
        request = self._request
        clock = asyncio.get_running_loop().time
        while True:
            connection = self._connection
            assert connection is not None, "it is sent before it is answered, and answered once"
            try:
                await connection.head(min(request.until, clock() + request.silence))
                break
            except BaseException as error:
                self._let_go()
                if not isinstance(error, Exception):
                    raise
                closed = isinstance(error, OSError) and not is_silence(error)
                if not (request.again and self._is_kept and closed) or connection.heard:
                    raise fault_of(error, begun=False) from None
            # Some servers close a connection after so many requests, or so long, untold.
            await self.send(fresh=True)
        self._connection = None
        answer = Response(connection, self._pool, request.silence)
        if answer.status in request.success:
            coding = connection.answers.headers.get(b"content-encoding", b"")
            if coding.lower() in UNCOMPRESSED:
                return answer
            with answer:
                raise Broken("its answer is compressed, which nobody asked for")
        with answer:
            raise await answer.refusal()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection)


def request_head(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    body: bytes | None,
    proxy: Proxy | None,
) -> bytes:
    """The head of a request; what is in `headers` takes the place of what is sent by itself.

    Raises `ValueError` for what would be no header.
    """
    path, origin = target.path, target.origin
    fields = {
        "host": f"Host: {origin.name}",
        "user-agent": f"User-Agent: xinghe/{__version__}",
        "accept": "Accept: */*",
        "accept-encoding": "Accept-Encoding: identity",
    }
    if target.login is not None:
        fields["authorization"] = f"Authorization: {target.login}"
    if body is not None:
        fields["content-type"] = "Content-Type: application/octet-stream"
    if body is not None or method in HAVE_BODIES:
        fields["content-length"] = f"Content-Length: {len(body or b'')}"
    if proxy is not None and origin.scheme == "http":  # else it sees nothing but a tunnel
        path = f"http://{origin.name}{path}"
        if proxy.login is not None:
            fields["proxy-authorization"] = f"Proxy-Authorization: {proxy.login}"
    for name, value in headers.items():
        fields[name.lower()] = f"{name}: {value}"
    lines = "\r\n".join((f"{method} {path} HTTP/1.1", *fields.values(), "", ""))
    breaks = len(fields) + 2
    if not lines.count("\r") == lines.count("\n") == breaks or "\0" in lines:
        raise ValueError("a header holds what no header can hold")
    return lines.encode()
