"""Hour by hour, what the usage entries say: written with each entry, in its transaction."""

from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection

SUMMED = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "searches", "spend",
    "timed", "timed_tokens", "first_ms", "total_ms",
)  # fmt: skip
_ADD = (
    "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, first_at, "  # noqa: S608
    f"last_at, requests, {', '.join(SUMMED)}) VALUES ($1, $2, $3, $4, $5, '', $6, $6, 1, "
    f"{', '.join(f'${place}' for place in range(7, 7 + len(SUMMED)))}) "
    "ON CONFLICT (wallet_id, hour, member_id, token_id, model, outcome) DO UPDATE SET "
    "first_at = CASE WHEN $6 < usage_hours.first_at THEN $6 ELSE usage_hours.first_at END, "
    "last_at = CASE WHEN $6 > usage_hours.last_at THEN $6 ELSE usage_hours.last_at END, "
    "requests = usage_hours.requests + 1, "
    + ", ".join(f"{name} = usage_hours.{name} + ${7 + place}" for place, name in enumerate(SUMMED))
)


def add(
    connection: Connection,
    *,
    wallet_id: int,
    at: int,
    member_id: int,
    token_id: int,
    model: str,
    sums: tuple[int, ...],
) -> None:
    """Add a request that was charged at a moment; `sums` are those of `SUMMED`."""
    hour = at - at % HOUR
    connection.run(_ADD, wallet_id, hour, member_id, token_id, model, at, *sums)
