"""Whose usage is looked at, and the statements that find it by an index on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from xinghe.storage import Connection, among
from xinghe.usage.pieces import Table

_BY_INDEX = (
    "enable_sort", "enable_incremental_sort", "enable_bitmapscan", "enable_seqscan",
    "enable_hashjoin",
)  # fmt: skip


class Source(msgspec.Struct, frozen=True):
    """What is read by one index: what `wallets` paid; or what others' wallets paid for a `member`,
    of which, if there are any, these `wallets` alone count.
    """

    wallets: tuple[int, ...] = ()
    member: int | None = None

    def apart(self) -> list[Source]:
        """The same of one wallet after another."""
        if self.member is not None:
            return [self]
        return [Source((wallet,)) for wallet in self.wallets]

    def add(self, connection: Connection, sql: Sql, table: str, token: int | None = None) -> None:
        """Its conditions. With a `token`, the roll-ups have an index of its own.

        A column behind a plus sign is read, and not looked up.
        """
        plus = "" if token is None else "+"
        if token is not None:
            sql.add(f"{table}.token_id = ? AND", token)
        if self.member is not None:
            # As the partial index of entries says it.
            sql.add(f"{plus}{table}.member_id = ? AND", self.member)
            sql.add(f"{table}.member_id != {table}.wallet_id")
            if not self.wallets:
                return
            sql.add("AND")
            plus = "+"
        if len(self.wallets) == 1:
            sql.add(f"{plus}{table}.wallet_id = ?", self.wallets[0])
        else:
            sql.add(*among(connection, f"{plus}{table}.wallet_id", "?", self.wallets))


class Scope(msgspec.Struct, frozen=True):
    """A `member` himself: his own wallet, and what others paid for him; or all of some `wallets`.

    A group's are its own and, of an organisation, those of its groups.
    """

    member: int | None = None
    wallets: tuple[int, ...] = ()

    def sources(self, member: int | None = None) -> list[Source]:
        """Where its usage stands, or that of one of its members."""
        if self.member is None:
            if member is not None:
                return [Source(self.wallets, member)] if self.wallets else []
            return [Source(self.wallets)] if self.wallets else []
        if member not in (None, self.member):
            return []
        return [Source((self.member,)), Source(member=self.member)]

    def holds(self, wallet: int, member: int | None) -> bool:
        """Whether an entry of a wallet, made for a member, belongs to it."""
        if self.member is not None:
            return self.member in (wallet, member)
        return wallet in self.wallets


class Sql:
    """A statement that is put together; each `?` becomes the next `$1`, `$2`, …"""

    def __init__(self, text: str, *values: object) -> None:
        self.text = ""
        self.values: list[object] = []
        self.add(text, *values)

    def add(self, text: str, *values: object) -> Sql:
        head, *tail = text.split("?")
        assert len(tail) == len(values)
        self.text += " " + head
        for value, rest in zip(values, tail, strict=True):
            self.values.append(value)
            self.text += f"${len(self.values)}{rest}"
        return self


def rollups(
    connection: Connection,
    source: Source,
    *,
    token: int | None,
    model: str | None,
    table: Table = "usage_hours",
) -> str:
    """The table of them as `u`; SQLite is told the index by which the least is read."""
    if connection.dialect != "sqlite" or table == "usage_groups":
        return f"{table} u"
    if token is not None:
        return f"{table} u INDEXED BY {table}_of_token"
    if source.member is not None:
        return f"{table} u INDEXED BY {table}_of_member"
    if model is not None and table == "usage_hours":
        return f"{table} u INDEXED BY usage_hours_of_model"
    return f"{table} u"


@contextmanager
def by_index(connection: Connection) -> Iterator[None]:
    """Reads within see one moment. PostgreSQL takes what an index has in order.

    It plans for a wallet of average size; to sort what a large one holds would take minutes.
    """
    with connection.snapshot():
        if connection.dialect == "postgresql":
            settings = ", ".join(f"set_config('{name}', 'off', true)" for name in _BY_INDEX)
            connection.rows(f"SELECT {settings}")
        yield
