"""One server that the operator has named: where it is, its key, the proxy on the way to it."""

from __future__ import annotations

import os
from typing import Protocol, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from xinghe.outbound.client import Call, Client
from xinghe.outbound.faults import Broken, CallFailed


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
    """`url` is the base of its paths; what follows a `?` there is sent with every call.

    `key` is sent as a bearer token; without one, `key_env` names the variable that holds it, read
    at every call. `connect`, `silence` and `limit` are those of `Client`.
    """

    def __init__(
        self,
        url: str,
        *,
        connect: float,
        silence: float,
        key: str = "",
        key_env: str = "",
        limit: int = 0,
    ) -> None:
        base, mark, query = url.partition("?")
        self._base = base.rstrip("/")
        self._query = mark + query
        self._key = key
        self._key_env = key_env
        self._client = Client(connect, silence, proxy=proxy_for(self._base), limit=limit)

    @classmethod
    def of(cls, place: Place) -> Self:
        """That of a deployment."""
        return cls(
            place.url,
            connect=place.connect_timeout,
            silence=place.silence_timeout,
            key=place.key,
            key_env=place.key_env,
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port: fit for the log, as keys may stand in the rest of a URL."""
        parts = urlsplit(self._base)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def holds(self, url: str) -> bool:
        """Whether a URL leads to this very server."""
        try:
            return urlsplit(url)[:2] == urlsplit(self._base)[:2]
        except ValueError:
            return False

    def post(self, path: str, body: object) -> Call:
        """`POST <url><path>` with `body` as JSON; used as `Client.call` is. Raises `Broken`."""
        data = msgspec.json.encode(body)
        return self._client.call("POST", self._at(path), headers=self._headers(), body=data)

    def get(self, url: str) -> Call:
        """`GET` a URL of this server, without the key. Used as `Client.call` is."""
        return self._client.call("GET", url, headers={})

    async def ready(self) -> bool:
        """Whether it answers `GET /models`, be it with a refusal."""
        quick = self._client.connect
        try:
            async with self._client.call(
                "GET", self._at("/models"), headers=self._headers(), silence=quick
            ) as answer:
                return answer.status < 500
        except CallFailed:
            return False

    async def aclose(self) -> None:
        """Drop the connections; a later call opens new ones."""
        await self._client.aclose()

    def _at(self, path: str) -> str:
        return f"{self._base}{path}{self._query}"

    def _headers(self) -> dict[str, str]:
        key = self._key
        if not key and self._key_env:
            key = os.environ.get(self._key_env, "")
        headers = {"Content-Type": "application/json"}
        if key := key.strip():
            if not (key.isascii() and key.isprintable()):
                raise Broken("its key has characters that no header can hold")
            headers["Authorization"] = f"Bearer {key}"
        return headers


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL.

    Asked once: aiohttp's own `trust_env` reads `.netrc` in a thread at every request.
    """
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
