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

PAGE = 100


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


def free(connection: Connection, wallet_id: int, model: str, amount: int, at: int) -> list[Part]:
    """Where up to `amount` for a model can be taken from: what expires soonest comes first.

    It is neither pinned nor was it expired at that moment.
    """
    lots = [
        _free(connection, wallet_id, models, at)
        for models in _scopes(connection, wallet_id)
        if model in (read(models) or ())
    ]
    parts: list[Part] = []
    for _, lot, left in heapq.merge(*lots):
        if amount <= 0:
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
    for condition, *values in (("expires_at > $3", at), ("expires_at IS NULL",)):
        position = (-1, -1)
        while True:
            n = 2 + len(values)
            page = connection.rows(
                "SELECT coalesce(expires_at, 0), id, remaining - pinned FROM lots "  # noqa: S608
                f"WHERE wallet_id = $1 AND models = $2 AND {condition} AND remaining > 0 "
                f"AND remaining > pinned AND (coalesce(expires_at, 0), id) > (${n + 1}, ${n + 2}) "
                f"ORDER BY expires_at, id LIMIT {PAGE:d}",
                wallet_id,
                models,
                *values,
                *position,
            )
            for expires_at, lot, left in page:
                yield expires_at if values else math.inf, lot, left
            if len(page) < PAGE:
                break
            position = page[-1][0], page[-1][1]
