"""The SQLite file in parts: rows of a table that follow each other in the order of their keys.

What a part holds is told by a digest. So whatever was written meanwhile, and by whomever, a look
at the file says which parts are the same still, and only the others are copied again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from xinghe.storage.backup import KEYS, PAGES, columns_of
from xinghe.storage.connection import Connection

ROWS = 5000
"""Of a part, but where rows are large."""

Row: TypeAlias = tuple[Any, ...]
Key: TypeAlias = tuple[Any, ...]


class Part(msgspec.Struct, frozen=True):
    """The `rows` behind the part before, up to a key."""

    upto: Key
    rows: int
    digest: bytes


class Span(msgspec.Struct, frozen=True):
    """What lies behind one key and not behind another; None: from the first, to the last."""

    behind: Key | None
    upto: Key | None


class Table:
    """One table of a database, its rows in the order of their keys."""

    def __init__(self, session: Connection, name: str) -> None:
        self.name = name
        # In an order that is the same in both databases.
        self.columns = sorted(column for column, _ in columns_of(session, name))
        self._places = [self.columns.index(each) for each in KEYS[name]]
        self.size = PAGES.get(name, ROWS)
        self._session = session

    def pages(self, span: Span) -> Iterator[list[Row]]:
        """All rows of a span, at most `size` at once."""
        names, key = ", ".join(self.columns), ", ".join(KEYS[self.name])
        while True:
            where, values = between(self.name, span)
            rows = self._session.rows(
                f"SELECT {names} FROM {self.name} {where} ORDER BY {key} LIMIT {self.size:d}",  # noqa: S608
                *values,
            )
            if rows:
                yield rows
            if len(rows) < self.size:
                return
            span = Span(self.key(rows[-1]), span.upto)

    def key(self, row: Row) -> Key:
        return tuple(row[place] for place in self._places)

    def part(self, rows: Sequence[Row]) -> Part:
        return Part(self.key(rows[-1]), len(rows), digest(rows)[0])

    def compared(self, parts: Sequence[Part]) -> tuple[list[Part], list[Span]]:
        """Of parts that were copied, in their order: those that are another thing now, and where
        rows are that lie in none of the others.
        """
        stale, spans, behind = list[Part](), list[Span](), None
        for part in parts:
            span = Span(behind, part.upto)
            if self._is_same(part, span):
                behind = part.upto
                continue
            stale.append(part)
            if spans and spans[-1].upto == behind:
                span = Span(spans.pop().behind, part.upto)
            spans.append(span)
            behind = part.upto
        if spans and spans[-1].upto == behind:
            behind = spans.pop().behind
        return stale, [*spans, Span(behind, None)]

    def _is_same(self, part: Part, span: Span) -> bool:
        page = next(self.pages(span), [])
        # With a row more than fits a page, the last of it would be another.
        return len(page) == part.rows and self.part(page) == part


def between(table: str, span: Span, collate: str = "") -> tuple[str, list[Any]]:
    """The condition that a row is in a span, and its values."""
    key, values, conditions = KEYS[table], list[Any](), list[str]()
    for sign, edge in ((">", span.behind), ("<=", span.upto)):
        if edge is None:
            continue
        names = ", ".join(
            name + (collate if isinstance(value, str) else "")
            for name, value in zip(key, edge, strict=True)
        )
        places = ", ".join(f"${len(values) + 1 + at}" for at in range(len(key)))
        conditions.append(f"({names}) {sign} ({places})")
        values += edge
    return ("WHERE " + " AND ".join(conditions)) if conditions else "", values


def digest(rows: Sequence[Row]) -> tuple[bytes, bool]:
    """What tells these rows from others, and whether a text of them may hold a NUL."""
    packed = msgspec.json.encode(rows)
    return hashlib.blake2b(packed, digest_size=16).digest(), rb"\u0000" in packed
