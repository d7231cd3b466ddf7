"""Telling those whose balance is low: beside and after the requests.

`accounts` does not import this: no command sends anything, and what sends takes long to import.
"""

import asyncio
import datetime
import hmac
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import msgspec
import structlog

from xinghe.accounts.alerts import PREFIX
from xinghe.core import MICRO
from xinghe.outbound import CallFailed, Client, tries
from xinghe.regular import Regular
from xinghe.storage import Connection, Database, StorageError

FORMER = "X-Xinghe-Signature"
"""What a notice was signed in before Standard Webhooks: HMAC-SHA256 of the body, in hex."""
POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0
"""For a connection, and for the answer to begin."""
PAUSES = (1.0, 4.0)
"""Seconds between the tries of a round."""
REST_SECONDS = 600.0
"""A receiver that failed a whole round is left alone for so long; a restart does not wait."""
AT_ONCE = 8
PAGE = 100
IN_HAND = 1000
"""Notices that are read at once, and at work at once: a mass expiry may leave very many."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.accounts")


class Notice(msgspec.Struct, frozen=True):
    """Amounts in micro-Tokens, `at` in microseconds UTC; `logged` once the log has told of it."""

    id: int
    account: str
    appid: str
    available: int
    threshold: int
    at: int
    logged: bool
    url: str | None
    secret: str | None

    def signed(self, body: bytes) -> dict[str, str]:
        """The header fields of a try that is made now (Standard Webhooks 1.0).

        Each try has a moment of its own and all have the same id, both under the signature: a
        receiver takes nothing old, and nothing twice.
        """
        from standardwebhooks import Webhook  # noqa: PLC0415  (only a webhook needs it)

        assert self.secret is not None
        key: str | bytes = self.secret
        former = {}
        if not self.secret.startswith(PREFIX):
            # Its receiver may not know yet of another signature than the former.
            key = self.secret.encode()
            former = {FORMER: "sha256=" + hmac.digest(key, body, "sha256").hex()}
        moment, own_id = datetime.datetime.now(datetime.UTC), f"msg_{self.at}_{self.id}"
        return former | {
            "webhook-id": own_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(key).sign(own_id, moment, body.decode()),
        }

    def body(self) -> bytes:
        """JSON; amounts are exact numbers of Tokens."""
        moment = datetime.datetime.fromtimestamp(self.at // MICRO, datetime.UTC)
        return msgspec.json.encode(
            {
                "event": "low_balance",
                "account": self.account,
                "appid": self.appid,
                "available": msgspec.Raw(_tokens(self.available).encode()),
                "threshold": msgspec.Raw(_tokens(self.threshold).encode()),
                "at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


async def alone() -> bool:
    """Of a process that shares its outbox with no other."""
    return True


class Outbox:
    """Logs each notice and, where its account has a webhook, POSTs it until a 2xx answers.

    At least once: a notice leaves the outbox after it was delivered, so one that was delivered
    just before this process died is sent again. `leads` says whether this process is the one that
    sends, of those that share the outbox. The other arguments are in seconds.
    """

    def __init__(
        self,
        database: Database,
        leads: Callable[[], Awaitable[bool]] = alone,
        *,
        poll: float = POLL_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
        pauses: Sequence[float] = PAUSES,
        rest: float = REST_SECONDS,
    ) -> None:
        self._database = database
        self._leads = leads
        self._client = Client(timeout, timeout, success=range(200, 300))
        self._pauses = pauses
        self._rest = rest
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._not_before: dict[int, float] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._rounds = Regular(self._round, poll, "outbox_unreadable", StorageError)

    async def start(self) -> None:
        """Begin with what an earlier process left."""
        await self._rounds.start()

    async def stop(self) -> None:
        """Break off what is being sent; it stays in the outbox. Then close the database."""
        await self._rounds.stop()
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _round(self) -> None:
        """Take up all that is due, page by page."""
        if not await self._leads():
            return
        there: set[int] = set()
        after = 0
        while found := await self._database.read(partial(pending, after=after, limit=PAGE)):
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
                task = asyncio.create_task(self._handle(notice))
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

    async def _handle(self, notice: Notice) -> None:
        """One round with one notice."""
        if not notice.logged:
            log.warning(
                "low_balance",
                account=notice.account,
                appid=notice.appid,
                available=_tokens(notice.available),
                threshold=_tokens(notice.threshold),
            )
            if notice.url is not None:
                await self._database.write(
                    lambda c: c.run("UPDATE outbox SET logged = 1 WHERE id = $1", notice.id)
                )
        if notice.url is None or await self._deliver(notice):
            await self._database.write(
                lambda c: c.run("DELETE FROM outbox WHERE id = $1", notice.id)
            )
        else:
            self._put_off(notice.id)

    async def _deliver(self, notice: Notice) -> bool:
        def failed(error: CallFailed, pause: float | None) -> None:
            log.warning("webhook_failed", account=notice.account, error=str(error), retry=pause)

        with suppress(CallFailed):
            for one in tries(self._pauses, CallFailed, failed):
                async with one, self._places:
                    await self._post(notice)
                    return True
        return False

    async def _post(self, notice: Notice) -> None:
        """Raises `CallFailed`."""
        assert notice.url is not None
        body = notice.body()
        headers = {"content-type": "application/json", **notice.signed(body)}
        with await self._client.send("POST", notice.url, headers=headers, body=body):
            pass  # its status is all that is wanted of the answer


def pending(connection: Connection, *, after: int, limit: int) -> list[Notice]:
    """What is in the outbox, the oldest first, to be sent to where its account says now."""
    rows = connection.rows(
        "SELECT o.id, m.name, m.appid, o.available, o.threshold, o.at, o.logged, l.url, l.secret "
        "FROM outbox o JOIN members m ON m.id = o.wallet_id "
        "JOIN alerts l ON l.wallet_id = o.wallet_id WHERE o.id > $1 ORDER BY o.id LIMIT $2",
        after,
        limit,
    )
    return [Notice(*row) for row in rows]


def _tokens(micro: int) -> str:
    whole, part = divmod(micro, MICRO)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")
