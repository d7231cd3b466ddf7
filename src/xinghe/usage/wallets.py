"""What is left: wallets with their lots."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinghe.storage import Connection

LOTS = 200
"""Of one wallet that are told, those that expire first."""


class Lot(msgspec.Struct, frozen=True):
    """What is left of a grant; amounts in micro-Tokens, times in microseconds UTC."""

    kind: str
    amount: int
    remaining: int
    expires_at: int | None
    created_at: int
    note: str


class Wallet(msgspec.Struct, frozen=True):
    """`group` is the name of the one whose it is; None of a member's own."""

    id: int
    group: str | None
    available: int
    held: int


def wallets(connection: Connection, ids: Iterable[int]) -> list[Wallet]:
    """In the order that they are asked for."""
    found = []
    for each in ids:
        row = connection.row(
            "SELECT w.id, g.name, w.available, w.held FROM wallets w "
            "LEFT JOIN groups g ON g.wallet_id = w.id WHERE w.id = $1",
            each,
        )
        if row is not None:
            found.append(Wallet(*row))
    return found


def lots(connection: Connection, wallet_id: int) -> list[Lot]:
    """What a wallet has, in the order in which it is spent."""
    found: list[Lot] = []
    for condition in ("IS NOT NULL", "IS NULL"):
        rows = connection.rows(
            "SELECT kind, amount, remaining, expires_at, created_at, note FROM lots "  # noqa: S608
            f"WHERE wallet_id = $1 AND remaining > 0 AND expires_at {condition} "
            f"ORDER BY expires_at, id LIMIT {LOTS - len(found):d}",
            wallet_id,
        )
        found += [Lot(*row) for row in rows]
    return found


def booked(
    connection: Connection, wallet_ids: Iterable[int], since: int, until: int
) -> tuple[int, int]:
    """What was granted to wallets in a time, and what expired; both positive."""
    granted = expired = 0
    for each in wallet_ids:
        rows = connection.rows(
            "SELECT amount FROM entries WHERE wallet_id = $1 AND kind != 'usage' "
            "AND at >= $2 AND at < $3",
            each,
            since,
            until,
        )
        granted += sum(amount for (amount,) in rows if amount > 0)
        expired -= sum(amount for (amount,) in rows if amount < 0)
    return granted, expired
