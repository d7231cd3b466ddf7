"""URLs of servers that an operator names, and the header fields that go there."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADERS_ALONE = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "expect", "host", "te",
     "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
"""Those of the connection itself."""


_PLAIN = re.compile(r"[\w.~:/%@\[\]+-]+")
WEB = ("http://", "https://")


def require_reachable(url: str, headers: Mapping[str, str], field: str = "url") -> None:
    """Raises `ValueError` for a server that no request could be sent to; `field` is the URL's.

    It repeats none of them: a password may be in the URL, a key in what should be a header's name.
    """
    if not is_web_url(url):
        raise ValueError(f"`{field}` is wrong, allowed: an http:// or https:// base URL")
    for at, (name, value) in enumerate(headers.items(), 1):
        if not HEADER.fullmatch(name):
            raise ValueError(f"`headers`: name {at} is wrong, allowed: the name of a header field")
        if name.lower() in HEADERS_ALONE:
            raise ValueError(
                f"`headers` holds {name!r}, allowed: names of header fields, but for those of the "
                "connection"
            )
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"`headers.{name}` has characters that no header can hold")


def is_web_url(text: str) -> bool:
    """Whether it leads to a server that speaks HTTP."""
    try:
        parts = urlsplit(text)
        sound = text.isprintable() and " " not in text and text.startswith(WEB)
        return sound and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_base_url(text: str) -> bool:
    """Whether it leads to a server and can be pasted anywhere: it holds nothing that a shell, a
    query or a fragment would take for its own.
    """
    return is_web_url(text) and bool(_PLAIN.fullmatch(text))


def http_url(host: str, port: int) -> str:
    """Where a listening socket is reached from its own machine."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
