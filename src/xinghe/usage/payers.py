"""Pages of what many wallets paid: those of an organisation.

To ask each for its newest would be a hundred statements, and most of what they find too much. So
one tells of each wallet when its first, fourth, sixteenth newest was: then it is known from when on
there are enough of all together, and only those are read.
"""

from __future__ import annotations

from collections.abc import Iterator

from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, among
from xinghe.usage.lines import FIELDS, NAMED, Filters, Line
from xinghe.usage.pages import ROUNDS, Page, Position, cut
from xinghe.usage.scope import Source, Sql, rollups

LOOKED_AT = 5_000
"""Entries that one statement goes through for a model; fewer are tried if there are more."""
APART = 4


def page(
    connection: Connection,
    wallets: tuple[int, ...],
    filters: Filters,
    before: Position,
    limit: int,
) -> Page[Line]:
    """At most `limit` entries before a position."""
    lines: list[Line] = []
    floor: Position | None = before
    if filters.kind not in (None, "usage") and filters.model is not None:
        return Page([], None)  # those are of no model
    for _ in range(ROUNDS):
        if floor is None or len(lines) > limit:
            break
        positions, floor = _found(connection, wallets, filters, floor, limit + 1 - len(lines))
        lines += _lines(connection, positions)
    return cut(lines, floor, limit)


def _found(
    connection: Connection,
    wallets: tuple[int, ...],
    filters: Filters,
    before: Position,
    most: int,
) -> tuple[list[Position], Position | None]:
    """Where so many are, or fewer, and down to where all was looked at; None: to the end."""
    source, tried = Source(wallets), most if filters.model is not None else 0
    positions: list[Position] | None = None
    since: int | None = None
    while tried and positions is None:
        since = _hour(connection, source, filters, before, tried)
        positions = _of_model(connection, source, filters, since, before)
        tried //= APART
    if positions is None:
        # Of a model, in hours in which there is very much of others.
        enough = most if filters.model is None else LOOKED_AT // APART**2
        since = _moment(connection, source, filters, before, enough)
        positions = _of_time(connection, source, filters, since, before)
    positions.sort(reverse=True)
    if len(positions) > most:
        return positions[:most], positions[most - 1]
    if since is None or since <= filters.since:
        return positions, None
    return positions, Position(since, 0)


def _lines(connection: Connection, positions: list[Position]) -> list[Line]:
    some, ids = among(connection, "e.id", "$1", [each.id for each in positions])
    rows = connection.rows(f"SELECT {FIELDS} FROM entries e {NAMED} WHERE {some}", ids)  # noqa: S608
    return sorted((Line(*row) for row in rows), key=lambda line: line.position, reverse=True)


def _ranks(wallets: int, most: int) -> Iterator[int]:
    """Which of the newest it is asked for: 1 is the newest."""
    rank = max(1, most // wallets)
    while rank < most:
        yield rank
        rank *= APART
    yield most


def _since(
    connection: Connection, source: Source, newest: tuple[str, tuple[object, ...]], most: int
) -> int | None:
    """From when on there are so many of all wallets together; None: there never are.

    `newest` finds the moments of a wallet `w`, the newest first.
    """
    ranks = list(_ranks(len(source.wallets), most))
    sql = Sql("SELECT 0")
    for rank in ranks:
        sql.add(f", ({newest[0]} LIMIT 1 OFFSET {rank - 1:d})", *newest[1])
    sql.add("FROM wallets w WHERE")
    sql.add(*among(connection, "w.id", "?", source.wallets))
    gains = [rank - before for before, rank in zip([0, *ranks], ranks, strict=False)]
    moments = [
        (at, gain)
        for _, *found in connection.rows(sql.text, *sql.values)
        for at, gain in zip(found, gains, strict=True)
        if at is not None
    ]
    for at, gain in sorted(moments, reverse=True):
        most -= gain
        if most <= 0:
            return int(at)
    return None


def _within(filters: Filters, since: int, before: Position) -> tuple[str, tuple[object, ...]]:
    """Conditions on entries `x`."""
    # As the partial index says it.
    beside = "" if filters.kind in (None, "usage") else "AND x.kind != 'usage' "
    return (
        f"AND x.at >= ? AND x.at <= ? AND (x.at < ? OR x.id < ?) {beside}",
        (since, before.at, before.at, before.id),
    )


def _moment(
    connection: Connection, source: Source, filters: Filters, before: Position, most: int
) -> int | None:
    """From when on there are so many entries."""
    within, values = _within(filters, filters.since, before)
    text = f"SELECT x.at FROM entries x WHERE x.wallet_id = w.id {within}"  # noqa: S608
    return _since(connection, source, (f"{text} ORDER BY x.at DESC, x.id DESC", values), most)


def _hour(
    connection: Connection, source: Source, filters: Filters, before: Position, most: int
) -> int | None:
    """From which hour on there are so many sums of a model, of one request at least each."""
    table = rollups(connection, source, token=None, model=filters.model)
    text = (
        f"SELECT u.hour FROM {table} WHERE u.wallet_id = w.id AND u.model = ? "  # noqa: S608
        "AND u.outcome = '' AND u.hour > ? AND u.hour <= ? ORDER BY u.hour DESC"
    )
    values = (filters.model, filters.since - HOUR, _last_hour(before))
    return _since(connection, source, (text, values), most)


def _last_hour(before: Position) -> int:
    """The last moment at which an hour may begin in which there is something before a position."""
    return before.at if before.id > 0 else before.at - 1


def _of_time(
    connection: Connection, source: Source, filters: Filters, since: int | None, before: Position
) -> list[Position]:
    sql = Sql("SELECT x.at, x.id FROM entries x WHERE")
    source.add(connection, sql, "x")
    within, values = _within(filters, filters.since if since is None else since, before)
    sql.add(within, *values)
    for column, value in (("model", filters.model), ("kind", filters.kind)):
        if value is not None:
            sql.add(f"AND x.{column} = ?", value)
    return [Position(*row) for row in connection.rows(sql.text, *sql.values)]


def _of_model(
    connection: Connection, source: Source, filters: Filters, since: int | None, before: Position
) -> list[Position] | None:
    """Where the sums of a model say that there is some; None: there is too much beside it."""
    table = rollups(connection, source, token=None, model=filters.model)
    sql = Sql("SELECT x.at, x.id, CASE WHEN x.model = ? THEN 1 ELSE 0 END", filters.model)
    sql.add("FROM (SELECT u.wallet_id, min(u.first_at) AS begin, max(u.last_at) AS finish")
    sql.add(f"FROM {table} WHERE")
    source.add(connection, sql, "u")
    first = filters.since - HOUR + 1 if since is None else since
    sql.add("AND u.model = ? AND u.outcome = ''", filters.model)
    sql.add(
        "AND u.hour >= ? AND u.hour <= ? GROUP BY u.wallet_id, u.hour) s", first, _last_hour(before)
    )
    sql.add("CROSS JOIN entries x WHERE x.wallet_id = s.wallet_id")
    sql.add("AND x.at >= s.begin AND x.at <= s.finish")
    within, values = _within(filters, filters.since, before)
    sql.add(f"{within} LIMIT {LOOKED_AT + 1:d}", *values)
    rows = connection.rows(sql.text, *sql.values)
    if len(rows) > LOOKED_AT:
        return None
    return [Position(at, number) for at, number, fits in rows if fits]
