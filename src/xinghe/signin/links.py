"""One-time links: whoever runs the service comes in by one, without a password.

A link is a code of 128 random bits, kept as a hash. It works once, for ten minutes, and until the
next is made.
"""

from __future__ import annotations

import re
import secrets

from xinghe.accounts import AccountError
from xinghe.accounts.audit import record
from xinghe.core import MICRO
from xinghe.signin.sessions import Owner, digest
from xinghe.storage import Connection, Database, now

LASTS = 600 * MICRO
"""Microseconds."""
PATH = "/console/link?code="
"""Of the page that takes a code."""

_CODE = re.compile(r"[A-Za-z0-9_-]{22}")
_OPERATOR = (
    "SELECT id, appid FROM members WHERE operator = 1 AND disabled_at IS NULL "
    "AND deleted_at IS NULL ORDER BY id LIMIT 1"
)
_TAKEN = (
    "SELECT m.id, m.appid, m.name, m.operator, l.expires_at FROM sign_in_links l "
    "JOIN members m ON m.id = l.member_id WHERE l.digest = $1 AND m.disabled_at IS NULL "
    "AND m.deleted_at IS NULL"
)


async def new_link(database: Database, *, actor: str) -> str:
    """The code of a link for the first operator; those before it work no more.

    Raises `AccountError` where nobody is an operator.
    """
    code = secrets.token_urlsafe(16)

    def operation(connection: Connection) -> None:
        row = connection.row(_OPERATOR)
        if row is None:
            raise AccountError("there is no operator: xinghe member operator NAME yes makes one")
        connection.run("DELETE FROM sign_in_links")
        connection.run(
            "INSERT INTO sign_in_links (digest, member_id, expires_at) VALUES ($1, $2, $3)",
            digest(code),
            row[0],
            now() + LASTS,
        )
        record(connection, actor, "member.link", row[1])

    await database.write(operation)
    return code


def take(connection: Connection, code: str) -> Owner | None:
    """Whom a code lets in, which it does this once; None for one that lets nobody in."""
    if not _CODE.fullmatch(code):
        return None
    row = connection.row(_TAKEN, digest(code))
    if row is None or not connection.run(
        "DELETE FROM sign_in_links WHERE digest = $1", digest(code)
    ):
        return None
    return None if row[4] <= now() else Owner(row[0], row[1], row[2], bool(row[3]))
