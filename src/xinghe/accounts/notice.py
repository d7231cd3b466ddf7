"""One notice of a low balance: its row in the outbox, and the form in which it is sent."""

from __future__ import annotations

import datetime
import hashlib
import hmac

import apsw
import msgspec

from xinghe.core import MICRO

SIGNATURE = "X-Xinghe-Signature"


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

    def fields(self) -> dict[str, str]:
        """For the log."""
        return {
            "account": self.account,
            "appid": self.appid,
            "available": _tokens(self.available),
            "threshold": _tokens(self.threshold),
        }


def signature(body: bytes, secret: str) -> str:
    """The value of the header by which a receiver knows that a body is from here."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def pending(connection: apsw.Connection, *, after: int, limit: int) -> list[Notice]:
    """What is in the outbox, the oldest first, to be sent to where its account says now."""
    rows = connection.execute(
        "SELECT o.id, a.name, a.appid, o.available, o.threshold, o.at, o.logged, l.url, l.secret "
        "FROM outbox o JOIN accounts a ON a.id = o.account_id "
        "JOIN alerts l ON l.account_id = o.account_id WHERE o.id > ? ORDER BY o.id LIMIT ?",
        (after, limit),
    )
    return [Notice(*row) for row in rows]


def mark_logged(connection: apsw.Connection, notice_id: int) -> None:
    connection.execute("UPDATE outbox SET logged = 1 WHERE id = ?", (notice_id,))


def delete(connection: apsw.Connection, notice_id: int) -> None:
    connection.execute("DELETE FROM outbox WHERE id = ?", (notice_id,))


def _tokens(micro: int) -> str:
    whole, part = divmod(micro, MICRO)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")
