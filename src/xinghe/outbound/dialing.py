"""How a connection comes about: a name's addresses, tried in turn, then the proxy, then TLS."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import ssl
from collections.abc import Sequence

from xinghe.outbound.connection import Connection
from xinghe.outbound.faults import Unreachable, kind_of
from xinghe.outbound.names import Address, Names
from xinghe.outbound.proxy import Proxy
from xinghe.outbound.target import Origin

HEAD_START = 0.25
"""Seconds that an address has before the next is tried beside it (RFC 8305)."""


async def dial(origin: Origin, proxy: Proxy | None, connect: float, names: Names) -> Connection:
    """A connection on which the server may be asked. Raises `Unreachable`.

    `connect` seconds may pass for the name, for one of its addresses, for TLS and for the proxy.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(loop, origin)
    first = origin if proxy is None else proxy.origin
    try:
        async with asyncio.timeout(connect):
            addresses = await names.addresses(first)
        reached = await _first(addresses, connect)
        async with asyncio.timeout(connect):
            await _speak(connection, reached, first, connect)
            if proxy is not None and origin.scheme == "https":
                await _tunnel(connection, proxy, connect)
    except BaseException as error:
        connection.drop()
        if not isinstance(error, OSError | UnicodeError):  # of which a name may be full
            raise
        kind = kind_of(error)
        raise Unreachable(f"it could not be reached ({kind})", connected=False) from None
    return connection


async def _speak(
    connection: Connection, reached: socket.socket, origin: Origin, connect: float
) -> None:
    secure = origin.scheme == "https"
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            sock=reached,
            ssl=trust() if secure else None,
            server_hostname=origin.host if secure else None,
            # Ours comes first; for as long the loop holds on to one that was given up.
            ssl_handshake_timeout=2 * connect if secure else None,
        )
    except BaseException:
        reached.close()
        raise


async def _tunnel(connection: Connection, proxy: Proxy, connect: float) -> None:
    """Have the proxy lead to the server, and speak TLS with that one."""
    origin, login = connection.origin, ""
    if proxy.login is not None:
        login = f"Proxy-Authorization: {proxy.login}\r\n"
    head = f"CONNECT {origin.address} HTTP/1.1\r\nHost: {origin.address}\r\n{login}\r\n"
    connection.send(head.encode())
    loop = asyncio.get_running_loop()
    await connection.head(loop.time() + connect)
    status, transport = connection.answers.status, connection.transport
    if not 200 <= status < 300 or connection.answers.pieces or transport is None:
        raise Unreachable(f"its proxy answered {status}", connected=False)
    secured = await loop.start_tls(
        transport,
        connection,
        trust(),
        server_hostname=origin.host,
        ssl_handshake_timeout=2 * connect,
    )
    if secured is None:
        raise ConnectionError
    connection.start_anew(secured)


def trust() -> ssl.SSLContext:
    """What certificates are judged by: the system's authorities, or the environment's."""
    return _trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(2)
def _trust(*_: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _first(addresses: Sequence[Address], connect: float) -> socket.socket:
    """A socket connected to the first that takes it. Raises the `OSError` of the last to fail.

    Where one fails the next is tried at once, where one takes long beside it.
    """
    if len(addresses) == 1:
        return await _reached(addresses[0], connect)
    left = list(addresses)
    trying, won = set[asyncio.Task[socket.socket]](), list[socket.socket]()
    error: BaseException = OSError()
    try:
        while not won and (left or trying):
            if left:
                trying.add(asyncio.create_task(_reached(left.pop(0), connect)))
            done, trying = await asyncio.wait(
                trying,
                timeout=HEAD_START if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                if (failed := task.exception()) is None:
                    won.append(task.result())
                else:
                    error = failed
        if not won:
            raise error
        return won.pop()
    finally:
        for task in trying:
            if not task.cancel() and task.exception() is None:
                won.append(task.result())
        for spare in won:
            spare.close()


async def _reached(address: Address, connect: float) -> socket.socket:
    family, place = address
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        async with asyncio.timeout(connect):
            await asyncio.get_running_loop().sock_connect(made, place)
    except BaseException:
        made.close()
        raise
    return made
