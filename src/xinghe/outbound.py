"""Calls to servers that the operator has named: key, proxy, time limits, bounded answers.

Not for URLs that strangers choose: those are `fetching`'s.
"""

from __future__ import annotations

import os
from typing import Protocol, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

LONGEST_ADVICE = 3600.0
"""Seconds; a server that says more is not believed."""


class AnswerTooLarge(Exception):
    """The message says how many bytes an answer may have."""


class Place(Protocol):
    """What a deployment tells of its server; the time limits are in seconds."""

    @property
    def url(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def silence_timeout(self) -> float: ...


class Server:
    """One server; `url` has no slash at its end.

    `key` is sent as a bearer token; without one, `key_env` names the variable that holds it, read
    at every call. `timeout` is aiohttp's, `limit` the most connections (0: as many as it takes).
    """

    def __init__(
        self,
        url: str,
        timeout: aiohttp.ClientTimeout,
        *,
        key: str = "",
        key_env: str = "",
        limit: int = 0,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._key = key
        self._key_env = key_env
        self._limit = limit
        self._proxy = _proxy_for(self.url)
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def of(cls, place: Place) -> Self:
        """That of a deployment: however long it takes, silence alone has a limit."""
        timeout = aiohttp.ClientTimeout(
            sock_connect=place.connect_timeout, sock_read=place.silence_timeout
        )
        return cls(place.url, timeout, key=place.key, key_env=place.key_env)

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made late, because a session belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._limit),
                timeout=self._timeout,
                proxy=self._proxy,
            )
        return self._session

    def headers(self) -> dict[str, str]:
        """Of a request whose body is JSON."""
        key = self._key
        if not key and self._key_env:
            key = os.environ.get(self._key_env, "")
        headers = {"Content-Type": "application/json"}
        if key.strip():
            headers["Authorization"] = f"Bearer {key.strip()}"
        return headers

    async def ready(self) -> bool:
        """Whether it answers `GET /models`, be it with a refusal."""
        limits = aiohttp.ClientTimeout(total=self._timeout.sock_connect)
        try:
            async with self.session.get(
                f"{self.url}/models", headers=self.headers(), timeout=limits
            ) as answer:
                return answer.status < 500
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def aclose(self) -> None:
        """Drop the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def bounded(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """A whole body of at most `most` bytes. Raises `AnswerTooLarge`, and what aiohttp raises."""
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) > most:
            raise AnswerTooLarge(f"the answer has more than {most} bytes")
    return bytes(data)


def advised(answer: aiohttp.ClientResponse) -> float | None:
    """The seconds of `Retry-After`; `None` for none, for a date, and for what is not believed."""
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= LONGEST_ADVICE else None


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL.

    Asked once: aiohttp's own `trust_env` reads `.netrc` in a thread at every request.
    """
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
