"""Reads a request's body: bounded in size, in values, in time and in the sum of all, and JSON."""

from __future__ import annotations

import asyncio
from typing import Any

from xinghe.api.arrival import Body
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange
from xinghe.api.fields import shown
from xinghe.api.large_json import MAX_STRING
from xinghe.core import ClientGone
from xinghe.settings import Server


async def read_json_object(exchange: Exchange, server: Server) -> dict[str, Any]:
    """The body as a JSON object, every string of it whole. Raises what `read_body` raises."""
    body = await read_cut_object(exchange, server)
    check_whole(exchange)
    return body


async def read_cut_object(exchange: Exchange, server: Server) -> dict[str, Any]:
    """The same, but strings of more than `MAX_STRING` bytes are cut.

    `exchange.missing` counts the characters that were dropped. The caller refuses the request for
    its length in words of its own, and calls `check_whole` where it has none.
    """
    read = await read_body(exchange, server)
    exchange.body = None  # what was decoded is enough to hold
    body = await read.value()
    if not isinstance(body, dict):
        kind = "array" if isinstance(body, list) else "value"
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"Invalid Argument: the body is a JSON {kind}, allowed: an object",
        )
    exchange.missing = read.missing
    return body


def check_whole(exchange: Exchange) -> None:
    """Raises `ApiError` (413) where a string was not kept whole."""
    if exchange.missing:
        raise ApiError(
            Errors.REQUEST_TOO_LARGE,
            f"the body has a string of more than {MAX_STRING} bytes, allowed: up to {MAX_STRING}",
        )


async def read_body(exchange: Exchange, server: Server, *, hashed: bool = False) -> Body:
    """The body; a second reader is given the same. `hashed`: its digest will be asked for.

    Raises `ApiError`, `BudgetExceeded`, `ClientGone`.
    """
    if exchange.body is not None:
        return exchange.body
    encoding = exchange.header(b"content-encoding")
    if encoding not in (None, "", "identity"):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"the header Content-Encoding is {shown(encoding)}, allowed: identity",
        )
    declared = exchange.header(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > server.max_body_bytes:
        raise _too_large(int(declared), server.max_body_bytes)
    try:
        async with asyncio.timeout(server.body_timeout):
            exchange.body = await _receive(exchange, server, hashed)
    except TimeoutError:
        raise ApiError(
            Errors.REQUEST_TIMEOUT, f"the body did not arrive within {server.body_timeout:g} s"
        ) from None
    return exchange.body


async def _receive(exchange: Exchange, server: Server, hashed: bool) -> Body:
    body = Body(server.max_body_values, hashed=hashed)
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        if body.size + len(part) > server.max_body_bytes:
            raise _too_large(body.size + len(part), server.max_body_bytes)
        await exchange.keep(len(part))
        last = not message.get("more_body", False)
        exchange.body_read = last
        await body.add(part)
        if last:
            return body


def _too_large(size: int, max_bytes: int) -> ApiError:
    return ApiError(
        Errors.REQUEST_TOO_LARGE, f"the body has {size} bytes or more, allowed: up to {max_bytes}"
    )
