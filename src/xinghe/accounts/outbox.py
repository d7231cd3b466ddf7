"""Sending the notices that the books have put into the outbox, beside and after the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import aiohttp
import structlog

from xinghe.accounts import notice as notices
from xinghe.accounts.notice import SIGNATURE, Notice, signature
from xinghe.storage import Database, StorageError

POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0
PAUSES = (1.0, 4.0)
"""Seconds between the tries of a round."""
REST_SECONDS = 600.0
"""A receiver that failed a whole round is left alone for so long; a restart does not wait."""
AT_ONCE = 8

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.accounts")


class Outbox:
    """Logs each notice and, where its account has a webhook, POSTs it until a 2xx answers.

    At least once: a notice leaves the outbox after it was delivered, so one that was delivered
    just before this process died is sent again. The arguments are in seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        poll: float = POLL_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
        pauses: Sequence[float] = PAUSES,
        rest: float = REST_SECONDS,
    ) -> None:
        self._database = database
        self._poll = poll
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._pauses = pauses
        self._rest = rest
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._not_before: dict[int, float] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with what an earlier process left."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Break off what is being sent; it stays in the outbox. Then close the database."""
        tasks = [task for task in (self._task, *self._sending.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            while True:
                try:
                    found = await self._database.read(notices.pending)
                except StorageError as error:
                    log.warning("outbox_unreadable", error=str(error))
                else:
                    self._begin(found, session)
                await asyncio.sleep(self._poll)

    def _begin(self, found: list[Notice], session: aiohttp.ClientSession) -> None:
        now = asyncio.get_running_loop().time()
        there = {notice.id for notice in found}
        self._not_before = {key: at for key, at in self._not_before.items() if key in there}
        for notice in found:
            if notice.id not in self._sending and self._not_before.get(notice.id, now) <= now:
                task = asyncio.create_task(self._handle(notice, session))
                self._sending[notice.id] = task
                task.add_done_callback(partial(self._ended, notice.id))

    def _ended(self, notice_id: int, task: asyncio.Task[None]) -> None:
        del self._sending[notice_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox_failed", notice=notice_id, exc_info=error)
            self._put_off(notice_id)

    def _put_off(self, notice_id: int) -> None:
        self._not_before[notice_id] = asyncio.get_running_loop().time() + self._rest

    async def _handle(self, notice: Notice, session: aiohttp.ClientSession) -> None:
        """One round with one notice."""
        if not notice.logged:
            log.warning("low_balance", **notice.fields())
            if notice.url is not None:
                await self._database.write(partial(notices.mark_logged, notice_id=notice.id))
        if notice.url is None or await self._deliver(notice, session):
            await self._database.write(partial(notices.delete, notice_id=notice.id))
        else:
            self._put_off(notice.id)

    async def _deliver(self, notice: Notice, session: aiohttp.ClientSession) -> bool:
        tries = len(self._pauses) + 1
        for number in range(tries):
            if number:
                await asyncio.sleep(self._pauses[number - 1])
            async with self._places:
                failure = await _post(notice, session)
            if failure is None:
                return True
            log.warning("webhook_failed", account=notice.account, number=number + 1, error=failure)
        return False


async def _post(notice: Notice, session: aiohttp.ClientSession) -> str | None:
    """Why a notice was not taken; None if it was."""
    assert notice.url is not None
    assert notice.secret is not None
    body = notice.body()
    headers = {"content-type": "application/json", SIGNATURE: signature(body, notice.secret)}
    try:
        async with session.post(
            notice.url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return None if 200 <= answer.status < 300 else f"HTTP {answer.status}"
    except TimeoutError:
        return "no answer in time"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
