"""Granted Tokens, lot by lot.

Spending takes the lot that expires soonest; lots without an expiry come last, the oldest first.
Amounts are micro-Tokens. Every function is part of the caller's transaction and keeps
available + held = Σ entries = Σ lots.remaining.
"""

from __future__ import annotations

import apsw

_ENTRY = (
    "INSERT INTO entries (account_id, at, kind, amount, balance_after, note) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


def credit(
    connection: apsw.Connection,
    account_id: int,
    amount: int,
    *,
    kind: str,
    at: int,
    expires_at: int | None = None,
    note: str = "",
) -> None:
    """Add a lot to an account, with its entry."""
    balance = connection.execute(
        "UPDATE accounts SET available = available + ? WHERE id = ? RETURNING available + held",
        (amount, account_id),
    ).get
    connection.execute(
        "INSERT INTO lots (account_id, kind, amount, remaining, expires_at, created_at, note) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (account_id, kind, amount, amount, expires_at, at, note),
    )
    connection.execute(_ENTRY, (account_id, at, kind, amount, balance, note))


def draw(connection: apsw.Connection, account_id: int, amount: int, *, held_since: int) -> None:
    """Take an amount out of the lots; the balance and the entry are the caller's.

    `held_since` is when the amount was set aside. What had expired by then was spared for older
    holds: it is taken only when the books are off, rather than leave the hold open for ever.
    """
    rows = connection.execute(
        "SELECT id, remaining FROM lots WHERE account_id = ? AND remaining > 0 "
        "ORDER BY coalesce(expires_at <= ?, 0), expires_at IS NULL, expires_at, id",
        (account_id, held_since),
    )
    for lot, remaining in list(rows):
        if amount == 0:
            return
        part = min(amount, remaining)
        connection.execute("UPDATE lots SET remaining = remaining - ? WHERE id = ?", (part, lot))
        amount -= part
    if amount:
        raise ValueError(f"the lots of account {account_id} hold {amount} less than its balance")


def expire(connection: apsw.Connection, account_id: int, at: int) -> int:
    """Sweep an account's expired lots, with an `expiry` entry each; returns the amount.

    A hold was promised lots that were valid when it was reserved. So an expired lot keeps, until
    they resolve, what the open holds from before its expiry could still take, and no more.
    `available` never falls below zero, whatever an older program left open.
    """
    rows = connection.execute(
        "SELECT id, remaining, expires_at FROM lots "
        "WHERE account_id = ? AND remaining > 0 AND expires_at <= ? ORDER BY expires_at, id",
        (account_id, at),
    )
    expired: list[tuple[int, int, int]] = list(rows)
    if not expired:
        return 0
    query = "SELECT available FROM accounts WHERE id = ?"
    available: int = connection.execute(query, (account_id,)).get
    swept = spared = 0
    for lot, remaining, expires_at in expired:
        kept = min(remaining, _held_before(connection, account_id, expires_at) - spared)
        spared += kept
        part = min(remaining - kept, available - swept)
        if part:
            _sweep(connection, account_id, lot, part, at)
            swept += part
    return swept


def _held_before(connection: apsw.Connection, account_id: int, moment: int) -> int:
    total: int = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM holds "
        "WHERE account_id = ? AND state = 'open' AND created_at < ?",
        (account_id, moment),
    ).get
    return total


def _sweep(connection: apsw.Connection, account_id: int, lot: int, amount: int, at: int) -> None:
    connection.execute("UPDATE lots SET remaining = remaining - ? WHERE id = ?", (amount, lot))
    balance = connection.execute(
        "UPDATE accounts SET available = available - ? WHERE id = ? RETURNING available + held",
        (amount, account_id),
    ).get
    connection.execute(_ENTRY, (account_id, at, "expiry", -amount, balance, f"lot {lot}"))
