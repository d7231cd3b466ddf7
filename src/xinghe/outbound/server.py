"""One server that the operator has named: its key, and what it refuses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from xinghe.observe import metrics
from xinghe.outbound.client import Client, origin_of
from xinghe.outbound.faults import MOST_OF_ERROR, Broken, CallFailed, Refused, decoded
from xinghe.outbound.proxy import proxy_for
from xinghe.outbound.request import SentRequest
from xinghe.outbound.response import Response

log = structlog.get_logger(__name__)
T = TypeVar("T")

TOLD_EVERY = 60.0
"""Seconds between two lines of the log that tell the same trouble."""


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
        asked = await self.begin(method, path, body, silence)
        return await self.answer(asked, counts=method == "POST")

    async def begin(
        self, method: str, path: str, body: object = None, silence: float | None = None
    ) -> SentRequest:
        """The same as `Client.start` is; the answer is asked for by `answer`."""
        key = self._key
        if not key and self._key_env:
            key = os.environ.get(self._key_env, "")
        headers = {"Content-Type": "application/json"}
        if key := key.strip():
            headers["Authorization"] = f"Bearer {key}"
        for name, value in self._headers.items():
            if sent := os.environ.get(value[1:], "") if value.startswith("$") else value:
                headers[name] = sent
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise Broken("its key has characters that no header can hold")
        data = None if body is None else msgspec.json.encode(body)
        url = f"{self._base}{path}{self._query}"
        return await self.start(
            method, url, headers=headers, body=data, silence=silence, again=True
        )

    async def answer(self, asked: SentRequest, *, counts: bool = True) -> Response:
        """What is answered; a refusal of it `counts`, as `refused` has it."""
        try:
            return await asked.answer()
        except Refused as refused:
            if counts:
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
