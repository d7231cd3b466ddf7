"""A stretch of sums that is being read, and the statement that finds it."""

from __future__ import annotations

import msgspec

from xinghe.ledger.spans import HELD, Closed
from xinghe.storage import Connection
from xinghe.usage.pieces import Piece
from xinghe.usage.scope import Source, Sql, rollups


class Narrow(msgspec.Struct):
    """What is counted alone: of a token, of a model; of a `column` with ids, those from one on, up
    to `most` if that is set.
    """

    token: int | None = None
    model: str | None = None
    column: str | None = None
    first: int = 0
    most: int | None = None


class Reading(msgspec.Struct, eq=False):
    """A piece of what a source says, which was read before `at`; `length` is what is tried next."""

    source: Source
    piece: Piece
    closed: Closed
    at: int
    length: int

    @property
    def column(self) -> str:
        """When a row begins."""
        return "hour" if self.piece.table == "usage_hours" else "since"

    def rows(self, connection: Connection, narrow: Narrow, until: int) -> Sql:
        """From `at` on, before `until`: what comes behind FROM; the table is `u`."""
        piece = self.piece
        sql = Sql(
            rollups(
                connection, self.source, token=narrow.token, model=narrow.model, table=piece.table
            )
        )
        sql.add("WHERE")
        self.source.add(connection, sql, "u", narrow.token)
        if piece.table == "usage_groups":
            sql.add(f"AND u.span = '{piece.span}'")
        sql.add(f"AND u.{self.column} >= ? AND u.{self.column} < ?", self.at, until)
        if narrow.model is not None:
            sql.add("AND u.model = ?", narrow.model)
        if piece.held is not None:
            held = msgspec.structs.astuple(self.closed)
            sql.add(f"AND {'' if piece.held else 'NOT '}{HELD}", *held)
        # Behind a plus sign: read, and not looked up.
        if narrow.first:
            sql.add(f"AND +u.{narrow.column} >= ?", narrow.first)
        if narrow.most is not None:
            sql.add(f"AND +u.{narrow.column} <= ?", narrow.most)
        return sql
