"""The entries of the books, page by page, the newest first, under any filter.

Where a filter matches little, the roll-ups tell in which stretches of time there is something to
be found. One statement looks at a bounded number of entries, so a page may hold fewer than were
asked for: then `next` says where to go on. The pages of many wallets together are made in `payers`.
"""

from __future__ import annotations

from collections.abc import Iterator

from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection
from xinghe.usage import payers
from xinghe.usage.lines import FIELDS, NAMED, Filters, Line
from xinghe.usage.pages import EVER, Found, Page, Position, cut, together
from xinghe.usage.scope import Scope, Source, Sql, by_index, rollups

LOOKED_AT = 5_000
"""Entries that one statement goes through."""
AT_FIRST = 500
"""As many are looked through for a filter before it is asked where it matches."""
STRETCHES = 50
"""Hours in which one page looks for what a filter matches."""
SAME = 100
"""Requests of one id that are looked at."""


def page(
    connection: Connection, scope: Scope, filters: Filters, *, after: Position | None, limit: int
) -> Page[Line]:
    """At most `limit` entries behind a position."""
    before = min(after or Position(EVER, 0), Position(filters.until, 0))
    with by_index(connection):
        if filters.request_id is not None:
            lines = of_request(connection, scope, filters.request_id)
            fitting = [each for each in lines if _fits(each, filters) and each.position < before]
            return cut(fitting, None, limit)
        sources = scope.sources(filters.member)
        if any(each.member is None and len(each.wallets) > 1 for each in sources):
            return payers.page(connection, scope.wallets, filters, before, limit)
        return together(
            sources,
            lambda source, floor, most: _read(connection, source, filters, floor, most),
            before,
            limit,
        )


def of_request(connection: Connection, scope: Scope, request_id: str) -> list[Line]:
    """The entries of a request: ids are short enough to collide."""
    rows = connection.rows(
        f"SELECT {FIELDS} FROM entries e {NAMED} "  # noqa: S608
        f"WHERE e.request_id = $1 LIMIT {SAME}",
        request_id,
    )
    lines = (Line(*row) for row in rows)
    mine = [line for line in lines if scope.holds(line.wallet_id, line.member_id)]
    return sorted(mine, key=lambda line: line.position, reverse=True)


def _fits(line: Line, filters: Filters) -> bool:
    return (
        line.at >= filters.since
        and filters.kind in (None, line.kind)
        and filters.model in (None, line.model)
        and filters.member in (None, line.member_id)
        and filters.token in (None, line.token_id)
    )


def _read(
    connection: Connection, source: Source, filters: Filters, before: Position, most: int
) -> Found[Line]:
    """At most so many lines behind a position."""
    if filters.kind not in (None, "usage") and (source.member is not None or filters.narrow):
        return Found([])  # nobody else's wallet pays for those, and no model is asked for them
    # Most filters match much: then the next entries are the quickest way to a page.
    found = _stretch(
        connection,
        source,
        filters,
        filters.since,
        before,
        most,
        LOOKED_AT if not filters.narrow else AT_FIRST,
    )
    if found.floor is None or not filters.narrow or len(found.rows) == most:
        return found
    lines, before = found.rows, found.floor
    stretches = list(_stretches(connection, source, filters, before))
    for first, last in stretches:
        end = min(before, Position(last + 1, 0))
        found = _stretch(connection, source, filters, first, end, most - len(lines), LOOKED_AT)
        lines += found.rows
        if found.floor is not None:
            return Found(lines, found.floor)
    return Found(lines, Position(stretches[-1][0], 0) if len(stretches) == STRETCHES else None)


def _stretches(
    connection: Connection, source: Source, filters: Filters, before: Position
) -> Iterator[tuple[int, int]]:
    """From when to when there is something, hour by hour, the last first."""
    table = rollups(connection, source, token=filters.token, model=filters.model)
    sql = Sql(f"SELECT min(u.first_at), max(u.last_at) FROM {table} WHERE")  # noqa: S608
    source.add(connection, sql, "u", filters.token)
    sql.add("AND u.hour > ? AND u.hour <= ?", filters.since - HOUR, before.at)
    if filters.model is not None:
        sql.add("AND u.model = ?", filters.model)
    sql.add(f"AND u.outcome = '' GROUP BY u.hour ORDER BY u.hour DESC LIMIT {STRETCHES}")
    for first, last in connection.rows(sql.text, *sql.values):
        yield max(first, filters.since), last


def _stretch(
    connection: Connection,
    source: Source,
    filters: Filters,
    since: int,
    before: Position,
    most: int,
    left: int,
) -> Found[Line]:
    """At most so many of a stretch of time, for which at most `left` are looked at."""

    def looked_at(fields: str, order: str) -> Sql:
        sql = Sql(f"SELECT {fields} FROM entries x WHERE")  # noqa: S608
        source.add(connection, sql, "x")
        if filters.kind not in (None, "usage"):
            sql.add("AND x.kind != 'usage'")  # as the partial index says it
        sql.add("AND x.at >= ? AND x.at <= ?", since, before.at)
        sql.add("AND (x.at < ? OR x.id < ?)", before.at, before.id)
        return sql.add(f"ORDER BY x.at DESC, x.id DESC {order}")

    lines: list[Line] = []
    size = min(2 * most, left)
    while True:
        sql = looked_at("x.*", f"LIMIT {size:d}")
        sql.text = f"SELECT {FIELDS} FROM ({sql.text}) e {NAMED} WHERE 1 = 1"  # noqa: S608
        filters.add(sql)
        sql.add(f"ORDER BY e.at DESC, e.id DESC LIMIT {most - len(lines):d}")
        lines += [Line(*row) for row in connection.rows(sql.text, *sql.values)]
        if len(lines) == most:
            return Found(lines, lines[-1].position)
        sql = looked_at("x.at, x.id", f"LIMIT 1 OFFSET {size - 1:d}")
        last = connection.row(sql.text, *sql.values)
        if last is None:
            return Found(lines)
        before, left = Position(*last), left - size
        if left <= 0:
            return Found(lines, before)
        size = min(8 * size, left)
