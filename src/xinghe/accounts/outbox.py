"""Sending the notices that the books have put into the outbox, beside and after the requests."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
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
PAGE = 100
IN_HAND = 1000
"""Notices that are read at once, and at work at once: a mass expiry may leave very many."""

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
                    await self._round(session)
                except StorageError as error:
                    log.warning("outbox_unreadable", error=str(error))
                await asyncio.sleep(self._poll)

    async def _round(self, session: aiohttp.ClientSession) -> None:
        """Take up all that is due, page by page."""
        there: set[int] = set()
        after = 0
        while found := await self._database.read(partial(notices.pending, after=after, limit=PAGE)):
            after = found[-1].id
            there.update(notice.id for notice in found)
            now = asyncio.get_running_loop().time()
            due = [
                notice
                for notice in found
                if notice.id not in self._sending and self._not_before.get(notice.id, now) <= now
            ]
            for notice in due:
                while len(self._sending) >= IN_HAND:
                    await asyncio.wait(self._sending.values(), return_when=FIRST_COMPLETED)
                task = asyncio.create_task(self._handle(notice, session))
                self._sending[notice.id] = task
                task.add_done_callback(partial(self._ended, notice.id))
            await asyncio.sleep(0)
        self._not_before = {key: at for key, at in self._not_before.items() if key in there}

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
