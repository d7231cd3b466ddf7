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
    """`spend` in micro-Tokens; `requests` were charged, others `failed`."""

    spend: int = 0
    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


_OF = {
    "spend": "u.spend",
    "requests": "CASE WHEN u.outcome = '' THEN u.requests ELSE 0 END",
    "failed": "CASE WHEN u.outcome = '' THEN 0 ELSE u.requests END",
    "prompt_tokens": "u.prompt_tokens",
    "completion_tokens": "u.completion_tokens",
}
"""Of what each is the sum."""
_SUMS = ", ".join(f"CAST(sum({each}) AS BIGINT)" for each in _OF.values())


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
            sql.add("GROUP BY u.member_id")
            for member, *sums in connection.rows(
                f"SELECT u.member_id, {_SUMS} FROM {sql.text}",  # noqa: S608
                *sql.values,
            ):
                before = found.setdefault(member, Spent())
                for name, value in zip(_OF, sums, strict=True):
                    setattr(before, name, getattr(before, name) + piece.sign * value)
    return {member: each for member, each in found.items() if each != Spent()}
