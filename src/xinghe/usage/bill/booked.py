"""What wallets had at a moment, and what was booked beside use in a time."""

from __future__ import annotations

import msgspec

from xinghe.ledger import spans
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection
from xinghe.usage.pieces import pieces
from xinghe.usage.reading import Narrow, Reading
from xinghe.usage.scope import Source, Sql


class Booked(msgspec.Struct, frozen=True, array_like=True):
    """Entries of one kind that are no use, all of them credits or all debits; micro-Tokens."""

    kind: str
    entries: int
    amount: int


def balance(connection: Connection, wallets: tuple[int, ...], at: int, *, groups: bool) -> int:
    """The sum of all entries before a moment; `groups`: the wallets are those of groups.

    It is several statements: see `by_index`.
    """
    hour = at // HOUR * HOUR
    source = Source(wallets)
    spent = _spent(connection, source, hour, groups=groups)
    rest = Sql("SELECT CAST(coalesce(sum(x.amount), 0) AS BIGINT) FROM entries x WHERE")
    source.add(connection, rest, "x")
    rest.add("AND x.kind = 'usage' AND x.at >= ? AND x.at < ?", hour, at)
    used: int = connection.value(rest.text, *rest.values) if hour < at else 0
    other = sum(each.amount for each in booked(connection, wallets, 0, at))
    return other + used - spent


def booked(
    connection: Connection, wallets: tuple[int, ...], since: int, until: int
) -> list[Booked]:
    """What was no use, from a moment on and before another: credits before debits, by kind."""
    sql = Sql(
        "SELECT x.kind, count(*), CAST(sum(x.amount) AS BIGINT), "
        "CASE WHEN x.amount < 0 THEN 1 ELSE 0 END AS debit FROM entries x WHERE"
    )
    Source(wallets).add(connection, sql, "x")
    sql.add("AND x.kind != 'usage' AND x.at >= ? AND x.at < ?", since, until)
    sql.add("GROUP BY x.kind, debit ORDER BY debit, x.kind")
    return [Booked(*row[:3]) for row in connection.rows(sql.text, *sql.values)]


def _spent(connection: Connection, source: Source, hour: int, *, groups: bool) -> int:
    """All that was used before an hour, by the sums of usage."""
    closed, spent = spans.closed(connection), 0
    for piece in pieces(closed, 0, hour, together=groups) if hour > 0 else ():
        reading = Reading(source, piece, closed, piece.since, 0)
        sql = reading.rows(connection, Narrow(), piece.until)
        spent += piece.sign * connection.value(
            f"SELECT CAST(coalesce(sum(u.spend), 0) AS BIGINT) FROM {sql.text}",  # noqa: S608
            *sql.values,
        )
    return spent
