"""The sums of all entries that a filter matches, from the roll-ups and two pieces of an hour."""

from __future__ import annotations

import msgspec

from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection
from xinghe.usage.lines import Filters, Line
from xinghe.usage.scope import Scope, Source, Sql
from xinghe.usage.series import SeriesParams, Summing, Sums

MOST = 20_000
"""Roll-ups after which it is too much."""
LOOKED_AT = 20_000
"""Entries of a piece of an hour that are summed one by one."""
_SUMS = ", ".join(
    f"CAST(coalesce(sum({column} * e.fits), 0) AS BIGINT)"
    for column in (
        "1", "e.prompt_tokens", "e.completion_tokens", "e.cached_tokens", "e.reasoning_tokens",
        "e.searches", "-e.amount",
    )
)  # fmt: skip


class Booked(msgspec.Struct, frozen=True):
    """What came and went beside what was used; each is positive."""

    granted: int = 0
    purchased: int = 0
    redeemed: int = 0
    received: int = 0
    sent: int = 0
    refunded: int = 0
    expired: int = 0


_OF = {
    "granted": ("grant", 1),
    "purchased": ("purchase", 1),
    "redeemed": ("code", 1),
    "received": ("transfer", 1),
    "sent": ("transfer", -1),
    "refunded": ("refund", -1),
    "expired": ("expiry", -1),
}
"""Of which entries each is the sum: their kind, and the sign of their amounts."""


class Totals(msgspec.Struct, frozen=True):
    """What was used (`used.timed` and the times are not told), and what was booked beside."""

    used: Sums
    booked: Booked


def of_lines(lines: list[Line]) -> Totals:
    used = [line for line in lines if line.kind == "usage"]
    sums = (
        len(used),
        sum(line.prompt_tokens for line in used),
        sum(line.completion_tokens for line in used),
        sum(line.cached_tokens for line in used),
        sum(line.reasoning_tokens for line in used),
        sum(line.searches for line in used),
        -sum(line.amount for line in used),
    )
    booked = {
        name: sum(
            sign * line.amount for line in lines if line.kind == kind and sign * line.amount > 0
        )
        for name, (kind, sign) in _OF.items()
    }
    return Totals(Sums(*sums), Booked(**booked))


def totals(connection: Connection, scope: Scope, filters: Filters) -> Totals | None:
    """None where it is too much to be summed at once. Not for a request's id."""
    used, booked = Sums(), Booked()
    if filters.kind in (None, "usage"):
        found = _used(connection, scope, filters)
        if found is None:
            return None
        used = found
    if filters.kind != "usage" and not filters.narrow:
        wallets = scope.wallets if scope.member is None else (scope.member,)
        booked = _booked(connection, wallets, filters)
    return Totals(used, booked)


def _used(connection: Connection, scope: Scope, filters: Filters) -> Sums | None:
    first, last = -(-filters.since // HOUR) * HOUR, filters.until // HOUR * HOUR
    pieces = [(filters.since, first), (last, filters.until)]
    found: list[Sums] = []
    if first > last:
        pieces = [(filters.since, filters.until)]
    elif first < last:
        asked = SeriesParams(
            since=first,
            until=last,
            interval="hour",
            model=filters.model,
            token=filters.token,
            member=filters.member,
        )
        summing = Summing(scope, asked, whole=True)
        while not summing.step(connection):
            if summing.work > MOST:
                return None
        found.append(summing.total()[0])
    for since, until in pieces:
        for source in scope.sources(filters.member) if since < until else ():
            piece = _piece(connection, source, filters, since, until)
            if piece is None:
                return None
            found.append(piece)
    rows = [msgspec.structs.astuple(each) for each in found]
    return Sums(*(sum(column) for column in zip(*rows, strict=True)))


def _piece(
    connection: Connection, source: Source, filters: Filters, since: int, until: int
) -> Sums | None:
    sql = Sql("SELECT x.*, CASE WHEN x.kind = 'usage'")
    for column, value in (("token_id", filters.token), ("model", filters.model)):
        if value is not None:
            sql.add(f"AND x.{column} = ?", value)
    sql.add("THEN 1 ELSE 0 END AS fits FROM entries x WHERE")
    source.add(connection, sql, "x")
    sql.add(f"AND x.at >= ? AND x.at < ? LIMIT {LOOKED_AT + 1}", since, until)
    row = connection.row(f"SELECT count(*), {_SUMS} FROM ({sql.text}) e", *sql.values)  # noqa: S608
    assert row is not None
    return None if row[0] > LOOKED_AT else Sums(*row[1:])


def _booked(connection: Connection, wallets: tuple[int, ...], filters: Filters) -> Booked:
    sql = Sql(
        "SELECT x.kind, "
        "CAST(coalesce(sum(CASE WHEN x.amount > 0 THEN x.amount END), 0) AS BIGINT), "
        "CAST(coalesce(-sum(CASE WHEN x.amount < 0 THEN x.amount END), 0) AS BIGINT) "
        "FROM entries x WHERE"
    )
    Source(wallets).add(connection, sql, "x")
    sql.add("AND x.kind != 'usage' AND x.at >= ? AND x.at < ?", filters.since, filters.until)
    sql.add("GROUP BY x.kind")
    found: dict[tuple[str, int], int] = {}
    for kind, came, went in connection.rows(sql.text, *sql.values):
        if filters.kind in (None, kind):
            found |= {(kind, 1): came, (kind, -1): went}
    return Booked(**{name: found.get(each, 0) for name, each in _OF.items()})
