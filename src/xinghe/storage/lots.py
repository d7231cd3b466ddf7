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


def draw(connection: apsw.Connection, account_id: int, amount: int) -> None:
    """Take an amount out of the lots; the balance and the entry are the caller's."""
    rows = connection.execute(
        "SELECT id, remaining FROM lots WHERE account_id = ? AND remaining > 0 "
        "ORDER BY expires_at IS NULL, expires_at, id",
        (account_id,),
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

    Open holds were promised the lots that expire soonest, so the expired part that they could
    still take stays until they resolve.
    """
    rows = connection.execute(
        "SELECT id, remaining FROM lots "
        "WHERE account_id = ? AND remaining > 0 AND expires_at <= ? ORDER BY expires_at, id",
        (account_id, at),
    )
    expired: list[tuple[int, int]] = list(rows)
    if not expired:
        return 0
    held: int = connection.execute("SELECT held FROM accounts WHERE id = ?", (account_id,)).get
    swept = left = max(0, sum(remaining for _, remaining in expired) - held)
    for lot, remaining in expired:
        part = min(left, remaining)
        if part == 0:
            break
        connection.execute("UPDATE lots SET remaining = remaining - ? WHERE id = ?", (part, lot))
        balance = connection.execute(
            "UPDATE accounts SET available = available - ? WHERE id = ? RETURNING available + held",
            (part, account_id),
        ).get
        connection.execute(_ENTRY, (account_id, at, "expiry", -part, balance, f"lot {lot}"))
        left -= part
    return swept
