"""Where a request goes: a URL in the parts that HTTP has for it."""

from __future__ import annotations

import functools
import re
from base64 import b64encode
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

PORTS = {"http": 80, "https": 443}
_QUOTED = re.compile(r"""[^!-~]|["<>\\^`{|}]""")
"""What no URL holds as it is. A `%` stays: what is quoted already is sent as it was signed."""


class Origin(msgspec.Struct, frozen=True):
    """The server itself; `host` is a name in ASCII or an address, without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """As the `Host` field has it: without the port that the scheme means anyhow."""
        return self.address if self.port != PORTS[self.scheme] else self.address.rpartition(":")[0]

    @property
    def address(self) -> str:
        """Host and port, as `CONNECT` has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(msgspec.Struct, frozen=True):
    """`path` with the query; `login` is the `Authorization` that a user in the URL amounts to."""

    origin: Origin
    path: str
    login: str | None


@functools.lru_cache(256)
def target_of(url: str) -> Target:
    """Raises `ValueError` for what is no URL of HTTP; its text does not quote the URL."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        origin_in(parts),
        _QUOTED.sub(lambda found: quote(found[0], safe=""), path),
        login_in(parts),
    )


def origin_in(parts: SplitResult) -> Origin:
    """Raises `ValueError`."""
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("no URL of HTTP")
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode()
    return Origin(parts.scheme, host, parts.port or PORTS[parts.scheme])


def login_in(parts: SplitResult) -> str | None:
    """User and password, as `Authorization` has them; `None` where there are none."""
    if parts.username is None and parts.password is None:
        return None
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(login.encode()).decode()}"
