"""When an account's balance is low: whom to tell, and telling them.

The books put a notice into the outbox, in the transaction that makes the balance fall; it is sent
beside and after the requests.
"""

import asyncio
import base64
import datetime
import hmac
import secrets
from asyncio import FIRST_COMPLETED
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import msgspec
import structlog

from xinghe.accounts import rules, tables
from xinghe.accounts.audit import record
from xinghe.core import MICRO
from xinghe.outbound import CallFailed, Client, tries
from xinghe.regular import Regular
from xinghe.storage import Connection, Database, StorageError

PREFIX = "whsec_"
"""What a secret begins with in Standard Webhooks; base64 of the key follows."""
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


class Alert(msgspec.Struct, frozen=True):
    """A threshold in micro-Tokens; with a webhook `url`, what is sent is signed with `secret`."""

    threshold: int
    url: str | None = None
    secret: str | None = None


class Alerts:
    """One alert a member's wallet; a notice is due when its balance falls from the threshold or
    above to below it. What open holds pin counts as balance: they give most of it back.

    Every method raises `AccountError` if there is no such member, and `StorageError`.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def get(self, member: str) -> Alert | None:
        """A member's alert."""
        return await self._database.read(lambda c: _read(c, tables.member(c, member).id))

    async def put(self, member: str, threshold: int, url: str | None = None) -> Alert:
        """Set the alert as a whole. While the URL stays the same, so does a secret with `whsec_`;
        else it is a new one.
        """
        rules.check_amount(threshold, field="threshold")
        rules.check_webhook(url)
        fresh = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()

        def operation(connection: Connection) -> Alert:
            owner = tables.locked_member(connection, member)
            before = _read(connection, owner.id)
            same = before.secret if before is not None and before.url == url else None
            # Those of before Standard Webhooks are of another form.
            secret = same if same is not None and same.startswith(PREFIX) else fresh
            alert = Alert(threshold, url, secret if url is not None else None)
            # Not INSERT OR REPLACE: that would take along what is still to be sent.
            connection.run(
                "INSERT INTO alerts (wallet_id, threshold, url, secret) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (wallet_id) DO UPDATE SET threshold = $2, url = $3, secret = $4",
                owner.id,
                threshold,
                url,
                alert.secret,
            )
            detail = f"{threshold} micro-Tokens, webhook={url}"
            self._record(connection, owner.appid, detail)
            return alert

        return await self._database.write(operation)

    async def remove(self, member: str) -> None:
        """Take the alert away, and what it had still to send."""

        def operation(connection: Connection) -> None:
            owner = tables.locked_member(connection, member)
            connection.run("DELETE FROM alerts WHERE wallet_id = $1", owner.id)
            self._record(connection, owner.appid, "none")

        await self._database.write(operation)

    def _record(self, connection: Connection, subject: str, detail: str) -> None:
        record(connection, self._actor, "wallet.alert", subject, detail)


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


def _read(connection: Connection, wallet_id: int) -> Alert | None:
    row = connection.row(
        "SELECT threshold, url, secret FROM alerts WHERE wallet_id = $1", wallet_id
    )
    return None if row is None else Alert(*row)


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
