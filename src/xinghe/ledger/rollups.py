"""Hour by hour, what the usage entries say: written with each entry, in its transaction."""

import msgspec

from xinghe.ledger import spans
from xinghe.ledger.spans import LATE, SUMS
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, now

_KEY = "wallet_id, hour, member_id, token_id, model, outcome"
# The coarser sums say beside it how far they go.
_UPTO = "RETURNING (SELECT upto FROM usage_closed)"
_SUMMED = SUMS[1:]
_CHARGED = (
    f"INSERT INTO usage_hours ({_KEY}, first_at, last_at, {', '.join(SUMS)}) "  # noqa: S608
    f"VALUES ($1, $2, $3, $4, $5, $6, $7, $7, {', '.join(f'${8 + n}' for n in range(len(SUMS)))}) "
    f"ON CONFLICT ({_KEY}) DO UPDATE SET "
    "first_at = CASE WHEN $7 < usage_hours.first_at THEN $7 ELSE usage_hours.first_at END, "
    "last_at = CASE WHEN $7 > usage_hours.last_at THEN $7 ELSE usage_hours.last_at END, "
    + ", ".join(f"{name} = usage_hours.{name} + ${8 + n}" for n, name in enumerate(SUMS))
    + f" {_UPTO}"
)
_FAILED = (
    f"INSERT INTO usage_hours ({_KEY}, requests) VALUES ($1, $2, $3, $4, $5, $6, $7) "  # noqa: S608
    f"ON CONFLICT ({_KEY}) DO UPDATE SET requests = usage_hours.requests + $7 {_UPTO}"
)


class Told(msgspec.Struct, frozen=True):
    """What is told beside a charge: how an answer ended, and when, in ms since it was asked for.

    `first_ms` is to the first token that came; times that nobody knows are None.
    """

    finish: str | None = None
    reasoning_tokens: int = 0
    wait_ms: int | None = None
    first_ms: int | None = None
    total_ms: int | None = None


NOTHING_TOLD = Told()


def add(
    connection: Connection,
    *,
    wallet_id: int,
    at: int,
    member_id: int,
    token_id: int,
    model: str,
    counts: tuple[int, int, int, int],
    spend: int,
    told: Told = NOTHING_TOLD,
) -> None:
    """Add a request that was charged at a moment; `counts` are prompt, completion and cached
    tokens, and searches.
    """
    prompt, completion, cached, searches = counts
    sums: tuple[int, ...] = (1, prompt, completion, cached, told.reasoning_tokens, searches, spend)
    if told.first_ms is None:
        sums += (0, 0, 0, 0)
    else:
        sums += (1, completion, told.first_ms, told.total_ms or 0)
    key = (wallet_id, at - at % HOUR, member_id, token_id, model, "")
    _add(connection, _CHARGED, key, (at, *sums), sums, late=now() - at > LATE)


def add_failed(
    connection: Connection, key: tuple[int, int, int, int, str, str], requests: int
) -> None:
    """Add requests that failed: of a wallet, hour, member, token, model, with an error's code."""
    sums = (requests, *(0 for _ in _SUMMED))
    _add(connection, _FAILED, key, (requests,), sums, late=now() - key[1] - HOUR > LATE)


def _add(
    connection: Connection,
    statement: str,
    key: tuple[int, int, int, int, str, str],
    values: tuple[int, ...],
    sums: tuple[int, ...],
    *,
    late: bool,
) -> None:
    closed = spans.closed(connection, kept=True) if late else None
    upto = connection.value(statement, *key, *values)
    if key[1] < upto:
        spans.add(connection, closed or spans.closed(connection), key, sums)
