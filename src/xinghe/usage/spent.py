"""What each member has spent of some wallets in a time, from the sums of usage."""

from __future__ import annotations

import msgspec

from xinghe.ledger import spans
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection
from xinghe.usage.pieces import pieces
from xinghe.usage.reading import Narrow, Reading
from xinghe.usage.scope import Source, by_index


class Spent(msgspec.Struct):
    """`spend` in micro-Tokens."""

    spend: int = 0
    requests: int = 0


def spent(
    connection: Connection, wallets: tuple[int, ...], since: int, until: int
) -> dict[int, Spent]:
    """By the member's id; an hour counts for the time in which it begins."""
    found: dict[int, Spent] = {}
    source, since = Source(wallets), -(-since // HOUR) * HOUR
    with by_index(connection):
        closed = spans.closed(connection)
        for piece in pieces(closed, since, until, together=False):
            sql = Reading(source, piece, closed, piece.since, 0).rows(
                connection, Narrow(), piece.until
            )
            sql.add("AND u.outcome = '' GROUP BY u.member_id")
            for member, spend, requests in connection.rows(
                "SELECT u.member_id, CAST(sum(u.spend) AS BIGINT), "  # noqa: S608
                f"CAST(sum(u.requests) AS BIGINT) FROM {sql.text}",
                *sql.values,
            ):
                sums = found.setdefault(member, Spent())
                sums.spend += piece.sign * spend
                sums.requests += piece.sign * requests
    return found
