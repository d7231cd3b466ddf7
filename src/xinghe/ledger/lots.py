"""Granted Tokens, lot by lot.

Spending takes the lot that expires soonest; lots without an expiry come last, the oldest first.
What is bound to models is spent before (see `bound`). Amounts are micro-Tokens. Every function is
part of the caller's transaction and keeps available + held = Σ entries = Σ lots.remaining. What
has expired is swept by `expiry`.
"""

from collections.abc import Iterable

from xinghe.ledger import bound
from xinghe.storage import Connection

PAGE = 100


def credit(
    connection: Connection,
    wallet_id: int,
    amount: int,
    *,
    kind: str,
    at: int,
    expires_at: int | None = None,
    models: Iterable[str] | None = None,
    note: str = "",
) -> int:
    """Add a lot to a wallet, with its entry; returns its id. It pays for these models alone."""
    lot: int = connection.value(
        "INSERT INTO lots (wallet_id, kind, amount, remaining, expires_at, models, created_at, "
        "note) VALUES ($1, $2, $3, $3, $4, $5, $6, $7) RETURNING id",
        wallet_id,
        kind,
        amount,
        expires_at,
        bound.written(models),
        at,
        note,
    )
    book(
        connection,
        wallet_id,
        amount,
        bound_part=0 if models is None else amount,
        kind=kind,
        at=at,
        note=note,
    )
    return lot


def book(
    connection: Connection,
    wallet_id: int,
    change: int,
    *,
    bound_part: int = 0,
    kind: str,
    at: int,
    note: str = "",
) -> None:
    """Add to what is available in a wallet, or take from it, with the entry; the lots are the
    caller's. `bound_part` is the part of the change that is of bound lots.
    """
    balance = connection.value(
        "UPDATE wallets SET available = available + $1, bound = bound + $2 WHERE id = $3 "
        "RETURNING available + held",
        change,
        bound_part,
        wallet_id,
    )
    connection.run(
        "INSERT INTO entries (wallet_id, at, kind, amount, balance_after, note) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        wallet_id,
        at,
        kind,
        change,
        balance,
        note,
    )


def draw(connection: Connection, wallet_id: int, amount: int, *, held_since: int) -> None:
    """Take an amount out of the lots for all models; balance and entry are the caller's.

    `held_since` is when the amount was set aside. What had expired by then was spared for older
    holds: it is taken only when the books are off, rather than leave the hold open for ever.
    """
    while amount:
        # One after the other: a wallet may have far more lots than a request takes from.
        found = _next(connection, wallet_id, held_since)
        if found is None:
            break
        lot, remaining = found
        part = min(amount, remaining)
        connection.run("UPDATE lots SET remaining = remaining - $1 WHERE id = $2", part, lot)
        amount -= part
    if amount:
        raise ValueError(f"the lots of wallet {wallet_id} hold {amount} less than its balance")


def _next(connection: Connection, wallet_id: int, held_since: int) -> tuple[int, int] | None:
    """The lot to take from, and what it has left."""
    for condition, *values in (("> $2", held_since), ("IS NULL",), ("<= $2", held_since)):
        row = connection.row(
            "SELECT id, remaining FROM lots WHERE wallet_id = $1 AND remaining > 0 "  # noqa: S608
            f"AND models IS NULL AND expires_at {condition} ORDER BY expires_at, id LIMIT 1",
            wallet_id,
            *values,
        )
        if row is not None:
            return row[0], row[1]
    return None


def cover(connection: Connection, wallet_id: int, amount: int, at: int) -> bool:
    """Whether lots for all models that are valid at a moment hold an amount.

    Few are looked at, else it is no.
    """
    for condition, *values in (("> $2", at), ("IS NULL",)):
        rows = connection.rows(
            "SELECT remaining FROM lots WHERE wallet_id = $1 AND remaining > 0 "  # noqa: S608
            f"AND models IS NULL AND expires_at {condition} LIMIT {PAGE}",
            wallet_id,
            *values,
        )
        for (remaining,) in rows:
            amount -= remaining
            if amount <= 0:
                return True
    return amount <= 0
