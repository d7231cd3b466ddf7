"""Lots that are bound to models: they pay for these alone, and before all others.

What a hold may need of them is set aside in the lots themselves: a pin. So no two holds count on
the same Tokens, whichever models the lots of a wallet are bound to. Amounts are micro-Tokens; every
function is part of the caller's transaction, and whoever calls keeps `wallets.bound`, which is what
these lots have left beside the pins.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import msgspec

from xinghe.storage import Connection

FIRST_PAGE, PAGE = 4, 100
"""Lots that are looked at at once: most often the first one has enough."""
LAST = 2**62
"""Behind the id of every lot."""
LOTS = 100
"""That one hold pins."""


class Part(NamedTuple):
    """An amount in a lot."""

    amount: int
    lot: int


def written(models: Iterable[str] | None) -> str | None:
    """The models of a lot as its column has them; the same for the same models."""
    return None if models is None else msgspec.json.encode(sorted(set(models))).decode()


@lru_cache(maxsize=1000)
def read(models: str | None) -> tuple[str, ...] | None:
    """What `written` has written."""
    return None if models is None else msgspec.json.decode(models, type=tuple[str, ...])


def free(
    connection: Connection,
    wallet_id: int,
    model: str,
    amount: int,
    at: int,
    *,
    most: int | None = None,
) -> list[Part]:
    """Where up to `amount` for a model can be taken from: what expires soonest comes first.

    It is neither pinned nor was it expired at that moment. It lies in at most so many lots.
    """
    lots = [
        _free(connection, wallet_id, models, at)
        for models in _scopes(connection, wallet_id)
        if model in (read(models) or ())
    ]
    parts: list[Part] = []
    for _, lot, left in heapq.merge(*lots):
        if amount <= 0 or len(parts) == most:
            break
        parts.append(Part(min(left, amount), lot))
        amount -= left
    return parts


def total(parts: Iterable[Part]) -> int:
    return sum(part.amount for part in parts)


def pin(connection: Connection, hold_id: str, parts: Iterable[Part]) -> None:
    """Set parts of lots aside for a hold."""
    connection.run_many("UPDATE lots SET pinned = pinned + $1 WHERE id = $2", parts)
    connection.run_many(
        "INSERT INTO pins (hold_id, amount, lot_id) VALUES ($1, $2, $3)",
        [(hold_id, part.amount, part.lot) for part in parts],
    )


def unpin(connection: Connection, hold_id: str) -> None:
    """Have the lots free what they have set aside for a hold."""
    parts = connection.rows("SELECT amount, lot_id FROM pins WHERE hold_id = $1", hold_id)
    connection.run("DELETE FROM pins WHERE hold_id = $1", hold_id)
    connection.run_many("UPDATE lots SET pinned = pinned - $1 WHERE id = $2", parts)


def take(connection: Connection, parts: Iterable[Part]) -> None:
    """Take parts out of their lots."""
    connection.run_many("UPDATE lots SET remaining = remaining - $1 WHERE id = $2", parts)


def _scopes(connection: Connection, wallet_id: int) -> list[str]:
    """What the lots of a wallet are bound to, each once."""
    # From one to the next in the index: many lots are of few packages.
    rows = connection.rows(
        "WITH RECURSIVE each(models) AS ("
        "SELECT min(models) FROM lots "
        "WHERE wallet_id = $1 AND remaining > 0 AND models IS NOT NULL "
        "UNION ALL SELECT (SELECT min(l.models) FROM lots l "
        "WHERE l.wallet_id = $1 AND l.remaining > 0 AND l.models IS NOT NULL "
        "AND l.models > each.models) FROM each WHERE each.models IS NOT NULL"
        ") SELECT models FROM each WHERE models IS NOT NULL",
        wallet_id,
    )
    return [models for (models,) in rows]


def _free(
    connection: Connection, wallet_id: int, models: str, at: int
) -> Iterator[tuple[float, int, int]]:
    """Lots of one scope in the order of spending: when they expire, id, and what is free."""
    begin = (
        "SELECT expires_at, id, remaining - pinned FROM lots WHERE wallet_id = $1 AND models = $2 "
        "AND remaining > 0 AND remaining > pinned AND "
    )
    size, until, lot = FIRST_PAGE, at, LAST
    while True:
        page = connection.rows(
            f"{begin}(expires_at, id) > ($3, $4) ORDER BY expires_at, id LIMIT {size:d}",
            wallet_id,
            models,
            until,
            lot,
        )
        yield from page
        if len(page) < size:
            break
        size, until, lot = PAGE, page[-1][0], page[-1][1]
    size, lot = FIRST_PAGE, -1
    while True:
        page = connection.rows(
            f"{begin}expires_at IS NULL AND id > $3 ORDER BY id LIMIT {size:d}",
            wallet_id,
            models,
            lot,
        )
        yield from ((math.inf, each, left) for _, each, left in page)
        if len(page) < size:
            break
        size, lot = PAGE, page[-1][1]
