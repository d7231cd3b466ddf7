"""Expired lots, which are swept: what is left of them leaves the wallet, with an entry each.

Whoever takes Tokens out of a wallet sweeps a few of them on the way; the many go in batches, so
that no transaction holds a wallet for long. Amounts are micro-Tokens, times microseconds UTC.
"""

import math
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar

import msgspec

from xinghe.ledger import lots
from xinghe.storage import Allowance, Connection, Database, in_batches, now

ON_THE_WAY = 20
"""Lots that one transaction sweeps beside what it is for."""
PAGE = 100
SWEEP_PAGE = 200

T = TypeVar("T")


class ManyExpired(Exception):
    """How much a wallet has is not known before more of what had expired at a moment is swept."""

    def __init__(self, wallet_id: int, at: int) -> None:
        super().__init__(f"the wallet {wallet_id} has more expired lots than are swept at once")
        self.wallet_id = wallet_id
        self.at = at


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


def on_the_way(connection: Connection, wallet_id: int, amount: int, at: int) -> bool:
    """Sweep some expired lots before an amount of what is for all models leaves the wallet, or is
    held; whether that is as good as all of them.
    """
    if expire(connection, wallet_id, at, Allowance(ON_THE_WAY, math.inf))[1]:
        return True
    # Nobody touches what has expired if valid lots hold the amount and all that is promised.
    held = connection.value("SELECT held FROM wallets WHERE id = $1", wallet_id)
    return lots.cover(connection, wallet_id, held + amount, at)


async def swept(database: Database, change: Callable[[], Awaitable[T]]) -> T:
    """What a change returns; once it raises `ManyExpired`, after the wallet is swept."""
    while True:
        try:
            return await change()
        except ManyExpired as many:
            await sweep_wallet(database, many.wallet_id, many.at)


class _Expired(msgspec.Struct, frozen=True):
    """A lot that has expired; `promised` is what open holds from before that pin in all so far."""

    id: int
    remaining: int
    bound: bool
    pinned: int
    promised: int


def _expiring(connection: Connection, wallet_id: int, at: int) -> Iterator[tuple[_Expired, int]]:
    """Expired lots in their order, and what a sweep takes of each."""
    free: int | None = None
    spared = 0
    for lot in _expired(connection, wallet_id, at):
        if free is None:
            look = "SELECT available - bound FROM wallets WHERE id = $1"
            free = int(connection.value(look, wallet_id))
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
    lots.book(
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
