"""Who asks, and whether he may, now and still (contract, Identity and headers).

Work ends when nobody may have it any more: the token has lapsed, or the client has left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from xinghe.accounts import Accounts, Principal
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange
from xinghe.core import ClientGone, Meter
from xinghe.regular import Regular
from xinghe.storage import StorageError

T = TypeVar("T")

REALM = "IAM Certification failed"
LOOK_SECONDS = 2.0
"""Seconds between two queries, each for all running answers; one must end within 5 s."""


async def authenticate(exchange: Exchange, accounts: Accounts, scope: str) -> Principal:
    """The owner of the bearer token. Raises `ApiError` (401)."""
    if len(exchange.header_values(b"authorization")) > 1:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: the header Authorization was sent more than once"
        )
    header = exchange.header(b"authorization")
    if not header:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: send the header Authorization: Bearer <access token>"
        )
    kind, _, secret = header.partition(" ")
    principal = None
    if kind.lower() == "bearer":
        # Blanks before it are HTTP's (RFC 9110, section 11.4); `strip` would take more for one.
        principal = await accounts.authenticate(secret.lstrip(" "))
    if principal is None:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: the access token is unknown, revoked or expired"
        )
    if scope not in principal.scopes:
        raise ApiError(
            Errors.NO_PARAMETER_PERMISSION,
            f"the access token lacks the scope {scope} of this operation",
        )
    appid = exchange.header(b"appid")
    if appid is not None and appid != principal.appid:
        raise ApiError(Errors.INVALID_APPID, "No permission to use the appid")
    return principal


class Lapses:
    """Ends the answers that are being made for a token that is revoked or expires meanwhile."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._running: dict[int, dict[object, Callable[[], object]]] = {}
        self.looking = Regular(self._look, LOOK_SECONDS, "tokens_not_looked_up", StorageError)

    @contextmanager
    def watching(self, token_id: int, end: Callable[[], object]) -> Iterator[None]:
        """Within it, `end` is called when the token holds no longer."""
        running, key = self._running.setdefault(token_id, {}), object()
        running[key] = end
        try:
            yield
        finally:
            del running[key]
            if not running:
                self._running.pop(token_id, None)

    async def check(self, token_id: int, since: float) -> None:
        """Raise `ApiError` (401) if the token has lapsed while its request waited.

        `since` is when it was known to hold, in seconds of `time.perf_counter`.
        """
        if time.perf_counter() - since > LOOK_SECONDS and await self._accounts.lapsed([token_id]):
            raise lapsed()

    async def _look(self) -> None:
        if not self._running:
            return
        for token_id in await self._accounts.lapsed(self._running):
            for end in list(self._running.get(token_id, {}).values()):
                end()


def lapsed() -> ApiError:
    return ApiError(
        Errors.INVALID_TOKEN,
        f"{REALM}: the access token was revoked or expired before the answer was finished",
    )


async def unless_gone(
    exchange: Exchange,
    work: Awaitable[T],
    meter: Meter | None = None,
    lapses: Lapses | None = None,
) -> T:
    """What `work` gives; it is cancelled when the client leaves, or its token lapses.

    Raises `ClientGone` for the one, which the meter is told before, and `ApiError` (401) for the
    other.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(exchange.gone())
    lapse = asyncio.get_running_loop().create_future()
    try:
        with (
            lapses.watching(exchange.principal.token_id, lapse.cancel) if lapses else nullcontext()
        ):
            await asyncio.wait({task, gone, lapse}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if lapse.done():
            raise lapsed()
        if meter is not None:
            meter.left = True
        raise ClientGone
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.wait({task, gone})
