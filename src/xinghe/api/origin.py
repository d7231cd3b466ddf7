"""Where a client reaches the service: what links that it is given begin with."""

from __future__ import annotations

import re

from xinghe.api.exchange import Exchange
from xinghe.settings import Server

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def origin(exchange: Exchange, server: Server) -> str:
    """`server.public_url`, or else the host that the client itself asked for.

    Nobody else is given the link, so a client that lies about its host deceives itself.
    """
    host = exchange.header(b"host") or ""
    if server.public_url or not _HOST.fullmatch(host):
        return server.base_url
    return f"{exchange.scope['scheme']}://{host}"
