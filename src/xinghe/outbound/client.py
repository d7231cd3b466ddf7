"""The HTTP client of servers that the operator has named."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Container, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from multidict import CIMultiDict
from yarl import URL

from xinghe.observe import metrics
from xinghe.outbound.connections import WAY, CleanConnector, Way, proxy_for
from xinghe.outbound.faults import (
    MOST_OF_ERROR,
    Broken,
    CallFailed,
    Refused,
    decoded,
    fault_of,
    was_closed,
)
from xinghe.outbound.response import Response

log = structlog.get_logger(__name__)
T = TypeVar("T")

MOST_FIELDS, LONGEST_FIELD = 64, 8190
"""Limits of an answer's head: so many header fields, of so many bytes each."""
IDLE_SECONDS = 15.0
ANSWERED = (200, 201, 203)
"""Some frameworks say "created" to every POST, and a proxy may own up to what it has changed."""
UNCOMPRESSED = ("", "identity", "none", "utf-8")
"""The names for no compression: PHP's servers know "none", and some mistake it for the charset."""
TOLD_EVERY = 60.0
"""Seconds between two lines of the log that tell the same trouble."""


def origin_of(url: str) -> str:
    """Scheme, host and port: fit to be shown, as keys may stand in the rest of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Client:
    """Connections to servers, kept open between calls.

    `connect` seconds may pass for one address, `silence` seconds in which the server says
    nothing. `limit` is the most connections (0: as many as it takes), `idle` how many seconds one
    is kept. `success` are the statuses of an answer; any other is a refusal. Redirects are not
    followed, cookies not kept, compressed answers not asked for.
    """

    def __init__(
        self,
        connect: float,
        silence: float,
        *,
        proxy: str | None = None,
        limit: int = 0,
        idle: float = IDLE_SECONDS,
        success: Container[int] = ANSWERED,
    ) -> None:
        self._connect = connect
        self._silence = silence
        self._proxy = proxy
        self._limit = limit
        self._idle = idle
        self._success = success
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        silence: float | None = None,
        again: bool = False,
    ) -> Response:
        """Send a request; the answer when its head has come, to be used in a `with`.

        `silence` in place of the client's own. `again`: where a kept connection is closed before
        anything is answered, it is sent once more, on a fresh one. Raises `Unreachable`, `Silent`,
        `Broken`, and `Refused` for a status that is no success.
        """
        silence = silence or self._silence
        # Made late, because a session belongs to the running loop.
        self._session = self._session or self._opened()
        way = Way()
        while True:
            WAY.set(way)
            try:
                # The library hears a silence sooner, but not that of a head that never ends.
                async with asyncio.timeout(self._connect + silence):
                    response = await self._session.request(
                        method,
                        url,
                        data=body,
                        headers=headers,
                        allow_redirects=False,
                        timeout=aiohttp.ClientTimeout(
                            sock_connect=self._connect, sock_read=silence
                        ),
                    )
                break
            except Exception as error:
                if not (again and way.kept and was_closed(error)):
                    raise fault_of(error, begun=False) from None
            # Some servers close a connection after so many requests, or so long, untold.
            way = Way(fresh=True)
        answer = Response(response, silence)
        if response.status not in self._success:
            with answer:
                raise await answer.refusal()
        if response.headers.get("Content-Encoding", "").lower() not in UNCOMPRESSED:
            response.close()
            raise Broken("its answer is compressed, which nobody asked for")
        return answer

    async def fetch(
        self,
        method: str,
        url: str | URL,
        *,
        most: int,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> bytes:
        """The body that is answered, of at most `most` bytes. Raises `CallFailed`."""
        with await self.send(method, url, headers=headers, body=body) as answer:
            return await answer.whole(most)

    async def aclose(self) -> None:
        """Drop the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=CleanConnector(limit=self._limit, idle=self._idle),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            proxy=self._proxy,
            trust_env=False,
            auto_decompress=False,
            max_headers=MOST_FIELDS,
            max_field_size=LONGEST_FIELD,
            max_line_size=LONGEST_FIELD,
        )


class Server(Client):
    """One server that the operator has named, its key, and the proxy on the way to it.

    `url` is the base of its paths; what follows a `?` there is sent with every call. `key` is
    sent as a bearer token; without one, `key_env` names the variable that holds it, read at
    every call; so is that of a value `$NAME` in `headers`. `connect`, `silence` and `limit` are
    those of `Client`.

    `name` is what the operator calls it. `logged_as` is the same in the log, where several
    servers or keys may have one name.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        connect: float,
        silence: float,
        key: str = "",
        key_env: str = "",
        headers: Mapping[str, str] | None = None,
        limit: int = 0,
    ) -> None:
        self._name = name
        self.logged_as = name
        self.refused_with: int | None = None
        """The status with which it last refused what its operator owes it: a key, a right or a
        balance. Until it has answered again."""
        self._told_at = -TOLD_EVERY
        self._headers = headers or {}
        base, mark, query = url.partition("?")
        self._base = base.rstrip("/")
        self._query = mark + query
        self._key = key
        self._key_env = key_env
        super().__init__(connect, silence, proxy=proxy_for(self._base), limit=limit)

    @property
    def origin(self) -> str:
        return origin_of(self._base)

    def holds(self, url: str) -> bool:
        """Whether a URL leads to this very server."""
        try:
            return urlsplit(url)[:2] == urlsplit(self._base)[:2]
        except ValueError:
            return False

    async def call(
        self, method: str, path: str, body: object = None, silence: float | None = None
    ) -> Response:
        """`<method> <url><path>` with the key, and with `body` as JSON; as `Client.send` is."""
        key = self._key
        if not key and self._key_env:
            key = os.environ.get(self._key_env, "")
        headers = CIMultiDict({"Content-Type": "application/json"})
        if key := key.strip():
            headers["Authorization"] = f"Bearer {key}"
        for name, value in self._headers.items():
            if sent := os.environ.get(value[1:], "") if value.startswith("$") else value:
                headers[name] = sent
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Broken("its key has characters that no header can hold")
        data = None if body is None else msgspec.json.encode(body)
        url = f"{self._base}{path}{self._query}"
        try:
            return await self.send(
                method, url, headers=headers, body=data, silence=silence, again=True
            )
        except Refused as refused:
            if method == "POST":
                self.refused(refused)
            raise

    def refused(self, refused: Refused) -> None:
        """Count a refusal that only the operator can mend, and log the first of a minute."""
        if not refused.for_the_operator:
            return
        self.refused_with = refused.status
        metrics.DEPLOYMENT_REFUSALS.labels(self._name, refused.status).inc()
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= TOLD_EVERY:
            self._told_at = now
            log.error("deployment_refused", deployment=self.logged_as, error=str(refused))

    def answered(self) -> None:
        """Its operator owes it nothing: a head alone, of whatever status, does not say so."""
        self.refused_with = None

    async def whole(self, path: str, body: object, most: int) -> bytes:
        """`POST`; the body, of at most `most` bytes, that is answered. Raises `CallFailed`.

        What refuses with a status of success is `Refused` as well.
        """
        with await self.call("POST", path, body) as answer:
            said = await answer.whole(most)
        if len(said) <= MOST_OF_ERROR:
            refused = Refused(answer.status, said, None)
            if refused.is_known:
                self.refused(refused)
                raise refused
        self.answered()
        return said

    async def ask(self, path: str, body: object, kind: type[T], most: int) -> T:
        """`POST`; the JSON that is answered, as `whole` has it. Raises `CallFailed`."""
        return decoded(await self.whole(path, body, most), kind)

    async def ready(self, silence: float | None = None) -> bool:
        """Whether it answers `GET /models`, be it with a refusal, within so many seconds."""
        try:
            with await self.call("GET", "/models", silence=silence or self._connect):
                return True
        except Refused as refused:
            return refused.status < 500
        except CallFailed:
            return False
