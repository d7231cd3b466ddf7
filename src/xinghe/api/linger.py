"""After an early refusal the rest of the body is read and thrown away.

A connection that is closed with unread bytes is reset, and the client then loses the answer that
says why (RFC 9112, section 9.6).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Receive

LONGEST = 10.0
"""Seconds in all."""
SILENCE = 1.0
"""Seconds without a byte after which nothing more is expected."""


async def linger(receive: Receive) -> None:
    """Return when the body has ended, the client has gone, or it has been long enough."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST):
            while True:
                async with asyncio.timeout(SILENCE):
                    message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
