"""Reading the books: the entries, the newest first, and what they sum up to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from xinghe.storage import Connection

_COLUMNS = (
    "e.id, (SELECT m.name FROM members m WHERE m.id = coalesce(e.member_id, e.wallet_id)), "
    "(SELECT g.name FROM groups g WHERE g.wallet_id = e.wallet_id), e.at, e.kind, e.amount, "
    "e.balance_after, e.request_id, e.hold_id, "
    "e.model, e.token_id, (SELECT t.name FROM tokens t WHERE t.id = e.token_id), "
    "e.prompt_tokens, e.completion_tokens, e.cached_tokens, "
    "e.search_tokens, e.searches, e.input_rate, e.output_rate, e.cached_rate, e.search_rate, "
    "e.note, e.reasoning_tokens, e.wait_ms, e.first_ms, e.total_ms, e.finish"
)

PORTION = 2_000_000
"""Rows that one statement reads: while it runs, SQLite can't begin its write-ahead log anew."""
EVER = 2**62
_SUMS = ", ".join(
    f"CAST(sum(e.{column}) AS BIGINT)"
    for column in (
        "amount", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens",
        "searches",
    )
)  # fmt: skip


class Entry(msgspec.Struct, frozen=True):
    """One line of the books; amounts and rates in micro-Tokens, `at` in microseconds UTC.

    `group` is set where its wallet is a group's, `member` names who used it or whose wallet it is.
    """

    id: int
    member: str | None
    group: str | None
    at: int
    kind: str
    amount: int
    balance_after: int
    request_id: str | None
    hold_id: str | None
    model: str | None
    token_id: int | None
    token_name: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    search_tokens: int
    searches: int
    input_rate: int | None
    output_rate: int | None
    cached_rate: int | None
    search_rate: int | None
    note: str
    reasoning_tokens: int
    wait_ms: int | None
    first_ms: int | None
    total_ms: int | None
    finish: str | None


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: from `since` on, before `until` (microseconds)."""

    wallet_id: int | None = None
    since: int = 0
    until: int = EVER
    token_id: int | None = None
    model: str | None = None

    def where(self, *, behind: object = 0, upto: object = EVER) -> tuple[str, list[object]]:
        """The condition on an entry `e`, whose id is between these, and its values.

        Of what does not narrow anything nothing is said: databases would take it for a narrow
        range, and pass by the index of the wallet.
        """
        wallet = self.wallet_id
        narrowing: list[tuple[bool, str, object]] = [
            (self.since > 0, "e.at >= $?", self.since),
            (self.until < EVER, "e.at < $?", self.until),
            (behind != 0, "e.id > $?", behind),
            (upto != EVER, "e.id <= $?", upto),
            # A range: for one value, PostgreSQL may go through the entries of all by their ids.
            (wallet is not None, "e.wallet_id BETWEEN $? AND $?", wallet),
            (self.token_id is not None, "e.token_id = $?", self.token_id),
            (self.model is not None, "e.model = $?", self.model),
        ]
        told = [(text, value) for narrows, text, value in narrowing if narrows]
        tests = [text.replace("?", str(at)) for at, (text, _) in enumerate(told, 1)]
        return " AND ".join(tests) or "1 = 1", [value for _, value in told]


ALL = Filters()


class Sums(msgspec.Struct):
    """Of the entries of a `kind`; the amount in micro-Tokens."""

    kind: str
    entries: int = 0
    amount: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    searches: int = 0

    def add(self, *more: int) -> None:
        for name, value in zip(self.__struct_fields__[1:], more, strict=True):
            setattr(self, name, getattr(self, name) + value)


def latest(connection: Connection, filters: Filters = ALL, *, limit: int) -> list[Entry]:
    """The last `limit` of those entries, the newest first."""
    where, values = filters.where()
    order = "e.id DESC" if filters.wallet_id is None else "e.wallet_id DESC, e.id DESC"
    query = f"SELECT {_COLUMNS} FROM entries e WHERE {where} ORDER BY {order} LIMIT {limit:d}"  # noqa: S608
    return [Entry(*row) for row in connection.rows(query, *values)]


def sums(connection: Connection, filters: Filters) -> list[Sums]:
    """Of each kind that there is among those entries, read piece by piece."""
    found: dict[str, Sums] = {}
    ends = [0, *portions(connection, "entries", 0), EVER]
    for behind, upto in pairwise(ends):
        where, values = filters.where(behind=behind, upto=upto)
        query = f"SELECT e.kind, count(*), {_SUMS} FROM entries e WHERE {where} GROUP BY e.kind"  # noqa: S608
        for kind, *more in connection.rows(query, *values):
            found.setdefault(kind, Sums(kind)).add(*more)
    return [found[kind] for kind in sorted(found)]


def portions(connection: Connection, table: str, first: object) -> Iterator[object]:
    """Ids of a table, `PORTION` rows between one and the next, as long as there are so many."""
    following = f"SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2"  # noqa: S608
    while upto := connection.value(following, first, PORTION):
        yield upto
        first = upto
