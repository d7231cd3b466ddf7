"""The client of the Valkey server, as `Server` uses it."""

import os
from typing import Any

from valkey.asyncio import BlockingConnectionPool, Valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import NoBackoff
from valkey.exceptions import NoScriptError, ValkeyError

from xinghe import settings

TROUBLE = (ValkeyError, OSError, TimeoutError)
"""What it raises where the server did not do what it was asked."""
UNKNOWN = NoScriptError
"""What it raises where the server does not know the script."""


def connected(given: settings.Valkey, connections: int, timeout: float) -> Valkey:
    """It connects when it is first asked; `timeout` is how many
    seconds each of its steps may take."""
    more: dict[str, Any] = {}
    password = given.password or os.environ.get(given.password_env, "")
    if password:
        more["password"] = password
    if given.ca_file:
        more["ssl_ca_certs"] = given.ca_file
    pool = BlockingConnectionPool.from_url(
        given.url,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # What may have been done is not tried again.
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        **more,
    )
    return Valkey(connection_pool=pool)
