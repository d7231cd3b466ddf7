"""Taking Tokens out of a wallet otherwise than for use: back from one lot, or to another wallet.

What open holds were promised stays. Amounts are micro-Tokens, times microseconds UTC; both wallets
are locked by the caller, in whose transaction all of it is.
"""

import msgspec

from xinghe.ledger import bound, expiry, lots
from xinghe.storage import Connection

LOTS = 100
"""That one transfer takes from."""


class Shortage(Exception):
    """There is less to take than was asked for; `scattered`: at once, as it lies in many lots."""

    def __init__(self, available: int, *, scattered: bool = False) -> None:
        super().__init__(f"{available} micro-Tokens can be taken")
        self.available = available
        self.scattered = scattered


class _Lot(msgspec.Struct, frozen=True):
    id: int
    left: int
    expires_at: int | None


def removable(connection: Connection, wallet_id: int, lot: int, at: int) -> int:
    """What can be taken back of a lot: it is neither spent, nor expired, nor held."""
    row = connection.row(
        "SELECT l.remaining - l.pinned, l.models IS NOT NULL, l.expires_at, w.available - w.bound, "
        "w.held FROM lots l JOIN wallets w ON w.id = l.wallet_id "
        "WHERE l.id = $1 AND l.wallet_id = $2",
        lot,
        wallet_id,
    )
    if row is None:
        raise LookupError(f"wallet {wallet_id} has no lot {lot}")
    left, is_bound, expires_at, for_all, held = row
    if expires_at is not None and expires_at <= at:
        return 0  # what is left of it is held
    # The many that may have expired are looked at only where that could make a difference.
    if is_bound or lots.cover(connection, wallet_id, held + left, at):
        return int(left)
    return min(int(left), int(for_all) - expiry.due(connection, wallet_id, at))


def sweep(connection: Connection, wallet_id: int, amount: int, at: int) -> None:
    """What is done before up to an amount leaves a wallet. Raises `ManyExpired`."""
    if not expiry.on_the_way(connection, wallet_id, amount, at):
        raise expiry.ManyExpired(wallet_id, at)


def take_back(
    connection: Connection,
    wallet_id: int,
    lot: int,
    amount: int,
    *,
    kind: str,
    at: int,
    note: str = "",
) -> None:
    """Take an amount of a lot out of the wallet, with its entry. Raises `Shortage`."""
    most = removable(connection, wallet_id, lot, at)
    if amount > most:
        raise Shortage(most)
    is_bound = connection.value(
        "UPDATE lots SET remaining = remaining - $1 WHERE id = $2 RETURNING models IS NOT NULL",
        amount,
        lot,
    )
    lots.book(
        connection,
        wallet_id,
        -amount,
        bound_part=-amount if is_bound else 0,
        kind=kind,
        at=at,
        note=note,
    )


def transfer(
    connection: Connection,
    source: int,
    target: int,
    amount: int,
    *,
    at: int,
    notes: tuple[str, str],
) -> None:
    """Move Tokens that are for all models into another wallet, what expires soonest first.

    Each keeps its expiry; what expires together becomes one lot. `notes` are those of the two
    entries. Raises `Shortage`, also where the amount lies in more than `LOTS` lots, and
    `ManyExpired`.
    """
    sweep(connection, source, amount, at)
    free = connection.value("SELECT available - bound FROM wallets WHERE id = $1", source)
    parts: list[bound.Part] = []
    given: dict[int | None, int] = {}
    missing = amount
    for lot in _for_all(connection, source, at):
        part = min(lot.left, missing)
        parts.append(bound.Part(part, lot.id))
        given[lot.expires_at] = given.get(lot.expires_at, 0) + part
        missing -= part
        if not missing:
            break
    if missing or free < amount:
        raise Shortage(min(free, amount - missing), scattered=free >= amount)
    bound.take(connection, parts)
    lots.book(connection, source, -amount, kind="transfer", at=at, note=notes[0])
    connection.run_many(
        "INSERT INTO lots (wallet_id, kind, amount, remaining, expires_at, created_at, note) "
        "VALUES ($1, 'transfer', $2, $2, $3, $4, $5)",
        [(target, part, expires_at, at, notes[1]) for expires_at, part in given.items()],
    )
    lots.book(connection, target, amount, kind="transfer", at=at, note=notes[1])
    connection.run(
        "INSERT INTO transfers (at, source_id, target_id, amount) VALUES ($1, $2, $3, $4)",
        at,
        source,
        target,
        amount,
    )


def _for_all(connection: Connection, wallet_id: int, at: int) -> list[_Lot]:
    found: list[_Lot] = []
    for condition, *values in (("> $2", at), ("IS NULL",)):
        rows = connection.rows(
            "SELECT id, remaining, expires_at FROM lots WHERE wallet_id = $1 "  # noqa: S608
            f"AND remaining > 0 AND models IS NULL AND expires_at {condition} "
            f"ORDER BY expires_at, id LIMIT {LOTS - len(found):d}",
            wallet_id,
            *values,
        )
        found += [_Lot(*row) for row in rows]
    return found
