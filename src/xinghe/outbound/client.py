"""The HTTP client of servers that the operator has named."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType

import aiohttp
from yarl import URL

from xinghe.outbound.answer import Answer
from xinghe.outbound.clean import CleanConnector
from xinghe.outbound.faults import Broken, fault_of

MOST_FIELDS, LONGEST_FIELD = 64, 8190
"""Limits of an answer's head: so many header fields, of so many bytes each."""
IDLE_SECONDS = 15.0


class Client:
    """Connections to servers, kept open between calls.

    `connect` seconds may pass for one address, `silence` seconds in which the server says
    nothing. `limit` is the most connections (0: as many as it takes), `idle` how many seconds one
    is kept. Redirects are not followed, cookies not kept, compressed answers not asked for.
    """

    def __init__(
        self,
        connect: float,
        silence: float,
        *,
        proxy: str | None = None,
        limit: int = 0,
        idle: float = IDLE_SECONDS,
    ) -> None:
        self.connect = connect
        self.silence = silence
        self._proxy = proxy
        self._limit = limit
        self._idle = idle
        self._session: aiohttp.ClientSession | None = None

    def call(
        self,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        silence: float | None = None,
    ) -> Call:
        """One request; `async with` sends it, gives its `Answer` and lets go of it.

        `silence` in place of the client's own. Entering raises `Unreachable`, `Silent`, `Broken`.
        """
        return Call(self, method, url, headers, body, silence or self.silence)

    async def aclose(self) -> None:
        """Drop the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made late, because a session belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
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
        return self._session


class Call:
    """One request on its way; see `Client.call`."""

    def __init__(
        self,
        client: Client,
        method: str,
        url: str | URL,
        headers: Mapping[str, str],
        body: bytes | None,
        silence: float,
    ) -> None:
        self._client = client
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._silence = silence
        self._answer: Answer | None = None

    async def __aenter__(self) -> Answer:
        try:
            # The library hears a silence sooner, but not that of a head that never ends.
            async with asyncio.timeout(self._client.connect + self._silence):
                response = await self._client.session.request(
                    self._method,
                    self._url,
                    data=self._body,
                    headers=self._headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        sock_connect=self._client.connect, sock_read=self._silence
                    ),
                )
        except Exception as error:
            raise fault_of(error, begun=False) from None
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise Broken("its answer is compressed, which nobody asked for")
        self._answer = Answer(response, self._silence)
        return self._answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._answer is not None
        self._answer.close()
