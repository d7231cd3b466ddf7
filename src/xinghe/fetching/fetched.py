"""What a fetch comes to: a body, or why there is none."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

Reserve: TypeAlias = Callable[[int], Awaitable[None]]
"""Counts so many bytes, and may wait until there is room for them."""


class FetchError(Exception):
    """Nothing was fetched."""


class UrlRefused(FetchError):
    """The guard said no.

    One message for all cases: whether a name exists in the operator's network, and what it
    resolves to there, is nobody's business.
    """

    def __init__(self, ports: tuple[int, ...]) -> None:
        listed = ", ".join(map(str, ports))
        super().__init__(
            "the URL is refused: only http and https URLs of public hosts, without user and "
            f"password, on port {listed} are fetched"
        )


class FetchFailed(FetchError):
    """A permitted host did not give what was asked for; the message says how."""


class Fetched(msgspec.Struct, frozen=True):
    """A body with what its server said of it; `final_url` is where the redirects ended."""

    data: bytes
    content_type: str
    final_url: str
