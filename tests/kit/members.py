"""Members, made by statements alone."""

from __future__ import annotations

from xinghe.storage import Connection


def member(connection: Connection, name: str) -> int:
    """A member with an empty wallet; returns the id of both."""
    wallet: int = connection.value("INSERT INTO wallets (created_at) VALUES (0) RETURNING id")
    connection.run(
        "INSERT INTO members (id, appid, name, created_at) VALUES ($1, $2, $2, 0)", wallet, name
    )
    return wallet
