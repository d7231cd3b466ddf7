"""What was used in a time, a line for each price: read from the entries, page by page.

The sums of usage know no prices. So the entries of the wallets are read once in the order of time,
in steps that hold nobody up, and summed by whatever makes a line.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from xinghe.storage import Connection
from xinghe.usage.bill.lines import Lines
from xinghe.usage.pages import Position
from xinghe.usage.scope import by_index

PAGE = 10_000
"""Entries that one statement sums."""
SECONDS = 0.03
"""After which a step has done enough."""


def last_entries(connection: Connection, wallets: Iterable[int]) -> dict[int, int]:
    """The number of the last entry of each wallet that has any.

    Entries are neither changed nor deleted, and who writes one has its wallet locked: what a wallet
    has up to that number stays the same for ever.
    """
    query = "SELECT max(id) FROM entries WHERE wallet_id = $1"
    found = {wallet: connection.value(query, wallet) for wallet in wallets}
    return {wallet: last for wallet, last in found.items() if last is not None}


class Charges:
    """Reads what some wallets paid from `since` on, before `until`, up to the `last` entry of each.

    So it is all of one moment, without a transaction that is open all the while.
    """

    def __init__(self, last: Mapping[int, int], since: int, until: int) -> None:
        self.lines = Lines()
        self._last = last
        self._left = sorted(last, reverse=True)
        self._since, self._until = since, until
        self._at = Position(since, 0)

    def step(self, connection: Connection) -> bool:
        """Read a part; whether that was all."""
        end = time.monotonic() + SECONDS
        with by_index(connection):
            while self._left:
                self._page(connection, self._left[-1])
                if time.monotonic() > end:
                    break
        return not self._left

    def _page(self, connection: Connection, wallet: int) -> None:
        at, upto = self._at, self._last[wallet]
        last = connection.row(_LAST, wallet, at.at, at.id, self._until, upto, PAGE - 1)
        end = Position(self._until, 0) if last is None else Position(*last)
        self.lines.add(connection.rows(_SUMMED, wallet, at.at, at.id, end.at, end.id, upto))
        if last is None:
            self._left.pop()
            end = Position(self._since, 0)
        self._at = end


# Behind a plus sign: read, and not looked up. The index is that of the time.
_LAST = (
    "SELECT x.at, x.id FROM entries x WHERE x.wallet_id = $1 AND (x.at, x.id) > ($2, $3) "
    "AND x.at < $4 AND +x.id <= $5 ORDER BY x.at, x.id LIMIT 1 OFFSET $6"
)
_COUNTS = ("x.prompt_tokens", "x.cached_tokens", "x.completion_tokens", "x.searches", "-x.amount")
_SUMMED = (
    "SELECT coalesce(x.member_id, x.wallet_id), x.wallet_id, coalesce(x.model, ''), "  # noqa: S608
    "coalesce(x.token_id, 0), coalesce(x.input_rate, -1), coalesce(x.cached_rate, -1), "
    "coalesce(x.output_rate, -1), coalesce(x.search_rate, -1), count(*), "
    + ", ".join(f"CAST(sum({each}) AS BIGINT)" for each in _COUNTS)
    + ", min(x.at), max(x.at) FROM entries x WHERE x.wallet_id = $1 "
    "AND (x.at, x.id) > ($2, $3) AND (x.at, x.id) <= ($4, $5) AND +x.id <= $6 "
    "AND x.kind = 'usage' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
)
