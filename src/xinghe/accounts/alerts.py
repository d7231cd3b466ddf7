"""When an account's balance is low: whom to tell.

The books put a notice into the outbox, in the transaction that makes the balance fall; `outbox`
sends it.
"""

import base64
import secrets

import msgspec

from xinghe.accounts import rules, tables
from xinghe.accounts.audit import record
from xinghe.storage import Connection, Database

PREFIX = "whsec_"
"""What a secret begins with in Standard Webhooks; base64 of the key follows."""


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


def _read(connection: Connection, wallet_id: int) -> Alert | None:
    row = connection.row(
        "SELECT threshold, url, secret FROM alerts WHERE wallet_id = $1", wallet_id
    )
    return None if row is None else Alert(*row)
