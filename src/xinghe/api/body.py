"""Reads a request's body: bounded in size, in time and in the sum of all, and JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange
from xinghe.api.fields import shown
from xinghe.core import ClientGone

_decode = msgspec.json.Decoder().decode


async def read_json_object(exchange: Exchange, max_bytes: int, seconds: float) -> dict[str, Any]:
    """The body as a JSON object. Raises what `read_body` raises."""
    data = await read_body(exchange, max_bytes, seconds)
    exchange.body = None  # what was decoded is enough to hold
    try:
        body = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ApiError(Errors.MALFORMED_JSON, f"Invalid JSON: {reason}") from error
    if not isinstance(body, dict):
        kind = "array" if isinstance(body, list) else "value"
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"Invalid Argument: the body is a JSON {kind}, allowed: an object",
        )
    return body


async def read_body(exchange: Exchange, max_bytes: int, seconds: float) -> bytes:
    """The body's bytes; a second reader is given the same.

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
    if declared is not None and declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(int(declared), max_bytes)
    try:
        async with asyncio.timeout(seconds):
            exchange.body = await _receive(exchange, max_bytes)
    except TimeoutError:
        raise ApiError(
            Errors.REQUEST_TIMEOUT, f"the body did not arrive within {seconds:g} s"
        ) from None
    return exchange.body


async def _receive(exchange: Exchange, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(size, max_bytes)
        await exchange.keep(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            exchange.body_read = True
            return b"".join(parts)


def _too_large(size: int, max_bytes: int) -> ApiError:
    return ApiError(
        Errors.REQUEST_TOO_LARGE, f"the body has {size} bytes or more, allowed: up to {max_bytes}"
    )
