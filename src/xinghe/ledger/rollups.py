"""Hour by hour, what the usage entries say: written with each entry, in its transaction."""

from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection

_ADD = (
    "INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, requests, "
    "prompt_tokens, completion_tokens, cached_tokens, searches, spend) "
    "VALUES ($1, $2, $3, $4, $5, '', 1, $6, $7, $8, $9, $10) "
    "ON CONFLICT (wallet_id, hour, member_id, token_id, model, outcome) DO UPDATE SET "
    "requests = usage_hours.requests + 1, "
    "prompt_tokens = usage_hours.prompt_tokens + $6, "
    "completion_tokens = usage_hours.completion_tokens + $7, "
    "cached_tokens = usage_hours.cached_tokens + $8, "
    "searches = usage_hours.searches + $9, "
    "spend = usage_hours.spend + $10"
)


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
) -> None:
    """Add a request that was charged at a moment; `counts` are prompt, completion and cached
    tokens, and searches.
    """
    hour = at - at % HOUR
    connection.run(_ADD, wallet_id, hour, member_id, token_id, model, *counts, spend)
