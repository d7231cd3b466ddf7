"""Hour by hour, what the usage entries say: written with each entry, in its transaction."""

import msgspec

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
    sums: tuple[int, ...] = (prompt, completion, cached, told.reasoning_tokens, searches, spend)
    if told.first_ms is None:
        sums += (0, 0, 0, 0)
    else:
        sums += (1, completion, told.first_ms, told.total_ms or 0)
    hour = at - at % HOUR
    connection.run(_ADD, wallet_id, hour, member_id, token_id, model, at, *sums)


_MODULUS = 1_000_003
# Of both tables: where each row belongs, and what is summed of it.
_ENTRIES = (
    f"SELECT e.wallet_id, e.at - e.at % {HOUR} AS hour, coalesce(e.member_id, e.wallet_id) AS "  # noqa: S608
    "member_id, e.token_id, e.model, 1 AS requests, e.prompt_tokens, e.completion_tokens, "
    "e.cached_tokens, e.reasoning_tokens, e.searches, -e.amount AS spend, "
    "CASE WHEN e.first_ms IS NULL THEN 0 ELSE 1 END AS timed, "
    "CASE WHEN e.first_ms IS NULL THEN 0 ELSE e.completion_tokens END AS timed_tokens, "
    "coalesce(e.first_ms, 0) AS first_ms, "
    "CASE WHEN e.first_ms IS NULL THEN 0 ELSE coalesce(e.total_ms, 0) END AS total_ms "
    "FROM entries e WHERE e.kind = 'usage' AND e.token_id IS NOT NULL AND e.model IS NOT NULL"
)
_HOURS = (
    "SELECT wallet_id, hour, member_id, token_id, model, requests, "  # noqa: S608
    f"{', '.join(SUMMED)} FROM usage_hours WHERE outcome = ''"
)
_FACTORS = dict(zip(("requests", *SUMMED), (3, 5, 7, 11, 13, 17, 1, 19, 23, 29, 31), strict=True))


def disagreements(connection: Connection, most: int) -> list[tuple[int, int, str, str]]:
    """Where the sums are not what the entries say: wallet, hour, and both.

    All is first held together as one figure: a sum over each table in which what a row says is
    weighted by where it belongs. Only where those differ is it looked for what is off.
    """
    weight = (
        f"(hour / {HOUR} * 31 + wallet_id * 17 + member_id * 13 + token_id * 7 + length(model))"
    )
    # An amount may be as large as the column holds.
    said = " + ".join(f"{name} % {_MODULUS} * {factor}" for name, factor in _FACTORS.items())
    figure = f"CAST(coalesce(sum(({said}) % {_MODULUS} * ({weight} % 997 + 1)), 0) AS BIGINT)"
    one, other = (
        connection.value(f"SELECT {figure} % {_MODULUS} FROM ({table}) t")  # noqa: S608
        for table in (_ENTRIES, _HOURS)
    )
    if one == other:
        return []
    names = ("requests", *SUMMED)
    sums = ", ".join(f"sum({name}) AS {name}" for name in names)
    both = f"SELECT 1 AS side, t.* FROM ({_ENTRIES}) t UNION ALL SELECT 2, t.* FROM ({_HOURS}) t"  # noqa: S608
    keys = "wallet_id, hour, member_id, token_id, model"
    by_side = f"SELECT side, {keys}, {sums} FROM ({both}) b GROUP BY side, {keys}"  # noqa: S608
    told = " || ' ' || ".join(f"CAST({name} AS BIGINT)" for name in names)
    lines = f"SELECT side, {keys}, {told} AS told FROM ({by_side}) s"  # noqa: S608
    return connection.rows(
        "SELECT wallet_id, hour, coalesce(max(CASE side WHEN 1 THEN told END), 'nothing'), "  # noqa: S608
        "coalesce(max(CASE side WHEN 2 THEN told END), 'nothing') "
        f"FROM ({lines}) l GROUP BY {keys} HAVING count(*) = 1 OR min(told) != max(told) "
        f"ORDER BY wallet_id, hour LIMIT {most:d}"
    )
