"""Granted Tokens, lot by lot.

Spending takes the lot that expires soonest; lots without an expiry come last, the oldest first.
What is bound to models is spent before (see `bound`). Amounts are micro-Tokens. Every function on
a connection is part of the caller's transaction and keeps available + held = Σ entries =
Σ lots.remaining; the sweeps on a database are batches.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import msgspec

from xinghe.ledger import bound
from xinghe.storage import Allowance, Connection, Database, in_batches, now

PAGE = 100
SWEEP_PAGE = 200


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


def expire(
    connection: Connection, wallet_id: int, at: int, allowance: Allowance | None = None
) -> tuple[int, bool]:
    """Sweep a wallet's expired lots, with an `expiry` entry each.

    Returns the amount, and whether that was all: an `allowance` may be used up before.

    A hold was promised lots that were valid when it was reserved. So an expired lot keeps, until
    they resolve, what the open holds from before its expiry could still take, and no more; one that
    is bound to models keeps what they have pinned. `available` never falls below zero, whatever an
    older program left open.
    """
    swept = 0
    for lot, part in _expiring(connection, wallet_id, at):
        if allowance is not None and not allowance.take():
            return swept, False
        _sweep(connection, wallet_id, lot, part, at)
        swept += part
    return swept, True


def due(connection: Connection, wallet_id: int, at: int) -> int:
    """What a sweep would take of the lots for all models."""
    parts = _expiring(connection, wallet_id, at)
    return sum(part for lot, part in parts if not lot.bound)


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


class _Expired(msgspec.Struct, frozen=True):
    """A lot that has expired; `promised` is what open holds from before that pin in all so far."""

    id: int
    remaining: int
    bound: bool
    pinned: int
    promised: int


def _expiring(connection: Connection, wallet_id: int, at: int) -> Iterator[tuple[_Expired, int]]:
    """Expired lots in their order, and what a sweep takes of each."""
    free: int = connection.value("SELECT available - bound FROM wallets WHERE id = $1", wallet_id)
    spared = 0
    for lot in _expired(connection, wallet_id, at):
        if lot.bound:
            part = lot.remaining - lot.pinned
        else:
            kept = min(lot.remaining, lot.promised - spared)
            spared += kept
            part = min(lot.remaining - kept, free)
            free -= part
        if part:
            yield lot, part


def _expired(connection: Connection, wallet_id: int, at: int) -> Iterator[_Expired]:
    """Expired lots in their order."""
    promised, seen = 0, -1
    position = (-1, -1)
    while True:
        # Page by page: nothing that is changed meanwhile is in an open cursor.
        page = connection.rows(
            "SELECT id, remaining, expires_at, models IS NOT NULL, pinned FROM lots "
            "WHERE wallet_id = $1 AND remaining > 0 AND expires_at <= $2 "
            "AND (expires_at, id) > ($3, $4) ORDER BY expires_at, id LIMIT $5",
            wallet_id,
            at,
            *position,
            PAGE,
        )
        for lot, remaining, expires_at, is_bound, pinned in page:
            if expires_at > seen:
                promised += _held_between(connection, wallet_id, seen, expires_at)
                seen = expires_at
            yield _Expired(lot, remaining, bool(is_bound), pinned, promised)
        if len(page) < PAGE:
            return
        position = (page[-1][2], page[-1][0])


def _held_between(connection: Connection, wallet_id: int, since: int, until: int) -> int:
    total: int = connection.value(
        "SELECT CAST(coalesce(sum(amount - pinned), 0) AS BIGINT) FROM holds "
        "WHERE wallet_id = $1 AND state = 'open' AND created_at >= $2 AND created_at < $3",
        wallet_id,
        since,
        until,
    )
    return total


def _sweep(connection: Connection, wallet_id: int, lot: _Expired, amount: int, at: int) -> None:
    connection.run("UPDATE lots SET remaining = remaining - $1 WHERE id = $2", amount, lot.id)
    book(
        connection,
        wallet_id,
        -amount,
        bound_part=-amount if lot.bound else 0,
        kind="expiry",
        at=at,
        note=f"lot {lot.id}",
    )


class _Sweeping(msgspec.Struct):
    """How far a sweep has come: the micro-Tokens swept, and behind which lot it goes on.

    What the lots of a wallet that is `done` have left, open holds pin: they are passed by.
    """

    swept: int = 0
    position: tuple[int, int] = (-1, -1)
    done: set[int] = msgspec.field(default_factory=set)


async def sweep(database: Database) -> int:
    """Sweep the expired lots of every wallet, whether anybody reserves on it or not.

    Returns the amount in micro-Tokens.
    """
    at = now()
    if not await database.read(partial(_due, at=at, position=(-1, -1), limit=1)):
        return 0
    return (await in_batches(database, partial(_expire_due, at=at), _Sweeping())).swept


async def sweep_wallet(database: Database, wallet_id: int, at: int) -> None:
    """Sweep what a wallet had expired at a moment."""

    def step(connection: Connection, allowance: Allowance, _: None) -> tuple[None, bool]:
        connection.lock([wallet_id])
        return None, expire(connection, wallet_id, at, allowance)[1]

    await in_batches(database, step, None)


def _expire_due(
    connection: Connection, allowance: Allowance, sweep: _Sweeping, *, at: int
) -> tuple[_Sweeping, bool]:
    sweep = msgspec.structs.replace(sweep, done=set(sweep.done))  # it may be done once more
    page = _due(connection, at, sweep.position, SWEEP_PAGE)
    connection.lock({wallet_id for _, wallet_id, _ in page} - sweep.done)
    for lot, wallet_id, expires_at in page:
        if wallet_id not in sweep.done:
            amount, whole = expire(connection, wallet_id, at, allowance)
            sweep.swept += amount
            if not whole:
                return sweep, False
            sweep.done.add(wallet_id)
        sweep.position = (expires_at, lot)
        if not allowance.take():
            return sweep, False
    return sweep, len(page) < SWEEP_PAGE


def _due(
    connection: Connection, at: int, position: tuple[int, int], limit: int
) -> list[tuple[int, int, int]]:
    """Expired lots behind a position: id, wallet and when it expired."""
    return connection.rows(
        "SELECT id, wallet_id, expires_at FROM lots WHERE remaining > 0 AND expires_at <= $1 "
        "AND (expires_at, id) > ($2, $3) ORDER BY expires_at, id LIMIT $4",
        at,
        *position,
        limit,
    )
