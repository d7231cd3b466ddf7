"""The one cookie of the service: what ties a sign-in at a provider to the browser that began it.

It holds the browser's secret, and behind a dot the provider's code once that has come. No script
can read it, no other site's request but a link carries it, and it lasts for minutes.
"""

import base64
import binascii
import re
from collections.abc import Sequence

LASTS = 600
"""Seconds, for all of what a person does at the provider."""

_VALUE = re.compile(r"([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{1,3000}))?")


class Cookie:
    """`secure` where browsers come by https: then no other host or page can have set it."""

    def __init__(self, *, secure: bool) -> None:
        self.name = "__Host-xinghe-oidc" if secure else "xinghe-oidc"
        # The page that a browser is sent back to has to see that there is something to use.
        self._rest = "; HttpOnly; SameSite=Lax; Path=/" + ("; Secure" if secure else "")

    def set(self, secret: str, code: str = "") -> tuple[bytes, bytes]:
        """The header that has the browser keep it."""
        value = secret
        if code:
            value += "." + base64.urlsafe_b64encode(code.encode()).rstrip(b"=").decode()
        return b"set-cookie", f"{self.name}={value}; Max-Age={LASTS}{self._rest}".encode()

    def clear(self) -> tuple[bytes, bytes]:
        return b"set-cookie", f"{self.name}=; Max-Age=0{self._rest}".encode()

    def read(self, headers: Sequence[str]) -> tuple[str, str] | None:
        """Secret and code (empty: none yet) of a request's `Cookie` headers; None without one.

        So it is with two of the name, of which another must have set one.
        """
        pairs = (part.strip().partition("=") for header in headers for part in header.split(";"))
        values = [value for name, _, value in pairs if name == self.name]
        match = _VALUE.fullmatch(values[0]) if len(values) == 1 else None
        if match is None:
            return None
        try:
            return match[1], _decoded(match[2] or "")
        except (binascii.Error, UnicodeDecodeError):
            return None


def _decoded(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
