"""Why a URL was not fetched; every message may be shown to whoever sent the URL."""

from __future__ import annotations


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
