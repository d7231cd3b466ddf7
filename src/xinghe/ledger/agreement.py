"""Whether the sums of usage say what they are sums of: the hourly ones, and the coarser ones."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinghe.ledger import spans
from xinghe.ledger.spans import HELD, SUMS
from xinghe.ledger.windows import DAY, HOUR
from xinghe.storage import Connection

_MODULUS = 1_000_003
_FACTORS = dict(zip(SUMS, (3, 5, 7, 11, 13, 17, 1, 19, 23, 29, 31), strict=True))
_ALL = ", ".join(SUMS)
_TIMED = "CASE WHEN e.first_ms IS NULL THEN 0 ELSE"
_ENTRIES = (
    f"SELECT e.wallet_id, e.at - e.at % {HOUR} AS since, coalesce(e.member_id, e.wallet_id) AS "  # noqa: S608
    "member_id, e.token_id, e.model, 1 AS requests, e.prompt_tokens, e.completion_tokens, "
    "e.cached_tokens, e.reasoning_tokens, e.searches, -e.amount AS spend, "
    f"{_TIMED} 1 END AS timed, {_TIMED} e.completion_tokens END AS timed_tokens, "
    f"coalesce(e.first_ms, 0) AS first_ms, {_TIMED} coalesce(e.total_ms, 0) END AS total_ms "
    "FROM entries e WHERE e.kind = 'usage' AND e.token_id IS NOT NULL AND e.model IS NOT NULL"
)
_HOURS = (
    f"SELECT wallet_id, hour AS since, member_id, token_id, model, {_ALL} "  # noqa: S608
    "FROM usage_hours WHERE outcome = ''"
)
BY_MONTH = {
    "sqlite": "unixepoch(u.hour / 1000000, 'unixepoch', 'start of month') * 1000000",
    "postgresql": "CAST(extract(epoch FROM date_trunc('month', to_timestamp(u.hour / 1000000) "
    "AT TIME ZONE 'UTC')) AS BIGINT) * 1000000",
}


class Agreement(msgspec.Struct, frozen=True):
    """A `rule`: the rows of two queries are the same, once those of a key are summed.

    The first columns of both are the `key`, the others `SUMS`; of the key, `numbers` are integers
    and the rest are texts.
    """

    rule: str
    expected: str
    found: str
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    values: tuple[int, ...] = ()


def disagreements(connection: Connection, most: int) -> Iterator[tuple[str, int, int, str, str]]:
    """Where sums are off: the rule, a wallet, since when, and both figures."""
    for each in _agreements(connection):
        for row in _differences(connection, each, most):
            yield each.rule, *row


def _agreements(connection: Connection) -> list[Agreement]:
    key = ("wallet_id", "since", "member_id", "token_id")
    month = BY_MONTH[connection.dialect]
    held = HELD.replace("?", "${}").format(1, 2, 3)
    closed = msgspec.structs.astuple(spans.closed(connection))
    sums = ", ".join(f"u.{name}" for name in SUMS)
    by_span = " UNION ALL ".join(
        f"SELECT u.wallet_id, {since} AS since, '{span}' AS span, u.model, u.outcome, {sums} "  # noqa: S608
        f"FROM groups g JOIN usage_hours u ON u.wallet_id = g.wallet_id WHERE {held}"
        for span, since in (
            ("hour", "u.hour"),
            ("day", f"u.hour - u.hour % {DAY}"),
            ("month", month),
        )
    )
    return [
        Agreement(
            "the hourly sums say what the usage entries say", _ENTRIES, _HOURS, key, ("model",)
        ),
        Agreement(
            "the monthly sums of members say what the hourly ones say",
            f"SELECT u.wallet_id, {month} AS since, u.member_id, u.token_id, u.model, u.outcome, "  # noqa: S608
            f"{sums} FROM usage_hours u WHERE {held}",
            f"SELECT wallet_id, since, member_id, token_id, model, outcome, {_ALL} "  # noqa: S608
            "FROM usage_members",
            key,
            ("model", "outcome"),
            closed,
        ),
        Agreement(
            "the sums of groups say what the hourly ones say",
            by_span,
            f"SELECT wallet_id, since, span, model, outcome, {_ALL} FROM usage_groups",  # noqa: S608
            key[:2],
            ("span", "model", "outcome"),
            closed,
        ),
    ]


def _differences(
    connection: Connection, each: Agreement, most: int
) -> list[tuple[int, int, str, str]]:
    """All is first held together as one figure: a sum over both in which what a row says is
    weighted by where it belongs. Only where those differ is it looked for what is off.
    """
    places = [f"{name} * {factor}" for name, factor in zip(each.numbers[2:], (13, 7), strict=False)]
    places += [f"length({name})" for name in each.texts]
    weight = f"(since / {HOUR} * 31 + wallet_id * 17 + {' + '.join(places)})"
    # An amount may be as large as the column holds.
    said = " + ".join(f"{name} % {_MODULUS} * {factor}" for name, factor in _FACTORS.items())
    figure = f"CAST(coalesce(sum(({said}) % {_MODULUS} * ({weight} % 997 + 1)), 0) AS BIGINT)"
    one = connection.value(
        f"SELECT {figure} % {_MODULUS} FROM ({each.expected}) t",  # noqa: S608
        *each.values,
    )
    if one == connection.value(f"SELECT {figure} % {_MODULUS} FROM ({each.found}) t"):  # noqa: S608
        return []
    keys = ", ".join((*each.numbers, *each.texts))
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
    both = (
        f"SELECT 1 AS side, t.* FROM ({each.expected}) t "  # noqa: S608
        f"UNION ALL SELECT 2, t.* FROM ({each.found}) t"
    )
    by_side = f"SELECT side, {keys}, {sums} FROM ({both}) b GROUP BY side, {keys}"  # noqa: S608
    told = " || ' ' || ".join(f"CAST({name} AS BIGINT)" for name in SUMS)
    lines = f"SELECT side, {keys}, {told} AS told FROM ({by_side}) s"  # noqa: S608
    return connection.rows(
        "SELECT wallet_id, since, coalesce(max(CASE side WHEN 1 THEN told END), 'nothing'), "  # noqa: S608
        "coalesce(max(CASE side WHEN 2 THEN told END), 'nothing') "
        f"FROM ({lines}) l GROUP BY {keys} HAVING count(*) = 1 OR min(told) != max(told) "
        f"ORDER BY wallet_id, since LIMIT {most:d}",
        *each.values,
    )
