"""When an account's balance is low, and whom to tell."""

from __future__ import annotations

import secrets

import apsw
import msgspec

from xinghe.accounts import rules, tables
from xinghe.storage import Database, now


class Alert(msgspec.Struct, frozen=True):
    """A threshold in micro-Tokens; with a webhook `url`, what is sent is signed with `secret`."""

    threshold: int
    url: str | None = None
    secret: str | None = None


class Alerts:
    """One alert an account; a notice is due when its balance falls from the threshold or above
    to below it. What open holds pin counts as balance: they give most of it back.

    Every method raises `AccountError` if there is no such account, and `StorageError`.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def get(self, account: str) -> Alert | None:
        """An account's alert."""
        return await self._database.read(lambda c: _read(c, tables.account(c, account).id))

    async def put(self, account: str, threshold: int, url: str | None = None) -> Alert:
        """Set the alert as a whole; the secret is a new one unless the URL stays the same."""
        rules.check_amount(threshold, field="threshold")
        rules.check_webhook(url)
        fresh = secrets.token_urlsafe(32)

        def operation(connection: apsw.Connection) -> Alert:
            owner = tables.account(connection, account)
            before = _read(connection, owner.id)
            secret = before.secret if before is not None and before.url == url else fresh
            alert = Alert(threshold, url, secret if url is not None else None)
            # Not INSERT OR REPLACE: that would take along what is still to be sent.
            connection.execute(
                "INSERT INTO alerts (account_id, threshold, url, secret) VALUES (?1, ?2, ?3, ?4) "
                "ON CONFLICT DO UPDATE SET threshold = ?2, url = ?3, secret = ?4",
                (owner.id, threshold, url, alert.secret),
            )
            detail = f"{threshold} micro-Tokens, webhook={url}"
            self._record(connection, owner.appid, detail)
            return alert

        return await self._database.write(operation)

    async def remove(self, account: str) -> None:
        """Take the alert away, and what it had still to send."""

        def operation(connection: apsw.Connection) -> None:
            owner = tables.account(connection, account)
            connection.execute("DELETE FROM alerts WHERE account_id = ?", (owner.id,))
            self._record(connection, owner.appid, "none")

        await self._database.write(operation)

    def _record(self, connection: apsw.Connection, subject: str, detail: str) -> None:
        tables.record(
            connection,
            at=now(),
            actor=self._actor,
            action="account.alert",
            subject=subject,
            detail=detail,
        )


def _read(connection: apsw.Connection, account_id: int) -> Alert | None:
    row = connection.execute(
        "SELECT threshold, url, secret FROM alerts WHERE account_id = ?", (account_id,)
    ).get
    return None if row is None else Alert(*row)
