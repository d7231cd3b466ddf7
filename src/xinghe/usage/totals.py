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


class Totals(msgspec.Struct, frozen=True):
    """What was used (`used.timed` and the times are not told), granted, and what expired."""

    used: Sums
    granted: int
    expired: int


def of_lines(lines: list[Line]) -> Totals:
    used = [line for line in lines if line.kind == "usage"]
    beside = [line.amount for line in lines if line.kind != "usage"]
    sums = (
        len(used),
        sum(line.prompt_tokens for line in used),
        sum(line.completion_tokens for line in used),
        sum(line.cached_tokens for line in used),
        sum(line.reasoning_tokens for line in used),
        sum(line.searches for line in used),
        -sum(line.amount for line in used),
    )
    granted = sum(amount for amount in beside if amount > 0)
    return Totals(Sums(*sums), granted, granted - sum(beside))


def totals(connection: Connection, scope: Scope, filters: Filters) -> Totals | None:
    """None where it is too much to be summed at once. Not for a request's id."""
    used = Sums()
    if filters.kind in (None, "usage"):
        found = _used(connection, scope, filters)
        if found is None:
            return None
        used = found
    granted = expired = 0
    if filters.kind != "usage" and not filters.narrow:
        wallets = scope.wallets if scope.member is None else (scope.member,)
        granted, expired = _booked(connection, wallets, filters.since, filters.until)
    return Totals(
        used,
        granted if filters.kind in (None, "grant") else 0,
        expired if filters.kind in (None, "expiry") else 0,
    )


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


def _booked(
    connection: Connection, wallets: tuple[int, ...], since: int, until: int
) -> tuple[int, int]:
    """What was granted to wallets in a time, and what expired; both positive."""
    sql = Sql(
        "SELECT CAST(coalesce(sum(CASE WHEN x.amount > 0 THEN x.amount END), 0) AS BIGINT), "
        "CAST(coalesce(-sum(CASE WHEN x.amount < 0 THEN x.amount END), 0) AS BIGINT) "
        "FROM entries x WHERE"
    )
    Source(wallets).add(connection, sql, "x")
    sql.add("AND x.kind != 'usage' AND x.at >= ? AND x.at < ?", since, until)
    granted, expired = connection.rows(sql.text, *sql.values)[0]
    return granted, expired
