"""Reads a request's body: bounded in size and in time, and JSON."""

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
    """The body as a JSON object. Raises `ApiError`, `ClientGone`."""
    encoding = exchange.header(b"content-encoding")
    if encoding not in (None, "", "identity"):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"the header Content-Encoding is {shown(encoding)}, allowed: identity",
        )
    data = await _read(exchange, max_bytes, seconds)
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


async def _read(exchange: Exchange, max_bytes: int, seconds: float) -> bytes:
    declared = exchange.header(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(int(declared), max_bytes)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await exchange.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > max_bytes:
                    raise _too_large(size, max_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    exchange.body_read = True
                    return b"".join(parts)
    except TimeoutError:
        raise ApiError(
            Errors.REQUEST_TIMEOUT, f"the body did not arrive within {seconds:g} s"
        ) from None


def _too_large(size: int, max_bytes: int) -> ApiError:
    return ApiError(
        Errors.REQUEST_TOO_LARGE, f"the body has {size} bytes or more, allowed: up to {max_bytes}"
    )
