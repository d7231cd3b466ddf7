"""Requests that failed in the last days, page by page, the newest first."""

from __future__ import annotations

import msgspec

from xinghe.storage import Connection
from xinghe.usage.pages import EVER, Found, Page, Position, together
from xinghe.usage.scope import Scope, Source, Sql, by_index

LOOKED_AT, OF_MANY = 5_000, 200
"""Rows that are looked through for what a filter matches, of all sources together; of each of many
at least.
"""

_FIELDS = (
    "f.id, f.wallet_id, f.at, f.request_id, f.operation, f.model, f.status, f.code, f.total_ms, "
    "m.appid, m.name, t.public_id, t.name"
)
_NAMED = "JOIN members m ON m.id = f.member_id JOIN tokens t ON t.id = f.token_id"


class Row(msgspec.Struct, frozen=True):
    """One request; `at` in microseconds UTC. `wallet_id` is the first that would have paid."""

    id: int
    wallet_id: int
    at: int
    request_id: str
    operation: str
    model: str
    status: int
    code: str
    total_ms: int
    appid: str
    member_name: str | None
    token: str
    token_name: str

    @property
    def position(self) -> Position:
        return Position(self.at, self.id)


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: from `since` on, before `until` (microseconds)."""

    since: int = 0
    until: int = EVER
    token: int | None = None
    member: int | None = None
    model: str | None = None


def page(
    connection: Connection, scope: Scope, filters: Filters, *, after: Position | None, limit: int
) -> Page[Row]:
    """At most `limit` requests behind a position."""
    before = min(after or Position(EVER, 0), Position(filters.until, 0))
    sources = [one for each in scope.sources(filters.member) for one in each.apart()]
    looked_at = max(OF_MANY, LOOKED_AT // (len(sources) or 1))
    with by_index(connection):
        return together(
            sources,
            lambda source, floor, most: _read(connection, source, filters, floor, most, looked_at),
            before,
            limit,
        )


def _read(
    connection: Connection,
    source: Source,
    filters: Filters,
    before: Position,
    most: int,
    looked_at: int,
) -> Found[Row]:
    """At most so many behind a position; for a filter, so many are looked at."""
    narrow = [
        (column, value)
        for column, value in (("token_id", filters.token), ("model", filters.model))
        if value is not None
    ]
    looked_at = looked_at if narrow else most

    def looked(fields: str, order: str) -> Sql:
        sql = Sql(f"SELECT {fields} FROM failures x WHERE")  # noqa: S608
        source.add(connection, sql, "x")
        sql.add("AND x.at >= ? AND x.at <= ?", filters.since, before.at)
        sql.add("AND (x.at < ? OR x.id < ?)", before.at, before.id)
        return sql.add(f"ORDER BY x.at DESC, x.id DESC {order}")

    sql = looked("x.*", f"LIMIT {looked_at:d}")
    sql.text = f"SELECT {_FIELDS} FROM ({sql.text}) f {_NAMED} WHERE 1 = 1"  # noqa: S608
    for column, value in narrow:
        sql.add(f"AND f.{column} = ?", value)
    sql.add(f"ORDER BY f.at DESC, f.id DESC LIMIT {most:d}")
    rows = [Row(*row) for row in connection.rows(sql.text, *sql.values)]
    if len(rows) == most:
        return Found(rows, rows[-1].position)
    sql = looked("x.at, x.id", f"LIMIT 1 OFFSET {looked_at - 1:d}")
    last = connection.row(sql.text, *sql.values) if narrow else None
    return Found(rows, None if last is None else Position(*last))
