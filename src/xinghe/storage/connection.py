"""What an operation is given: the statements of one transaction, on either database.

SQL is written once for both. Parameters are `$1`, `$2`, …, which stand in this order where each
comes first: SQLite numbers them by their places. Truth values are the integers 0 and 1.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

Dialect: TypeAlias = Literal["sqlite", "postgresql"]

AWAY_SECONDS = 1.5
"""How long a read or a write waits for a database that is away: it may be about to come back."""
AWAY_PAUSE = 0.1


class StorageError(Exception):
    """The database cannot be used; the message says why and, where known, what to do."""


class StorageUnavailable(StorageError):
    """The database could not do it now (disk full, locked, unreadable); nothing was changed."""


class StorageRefused(StorageUnavailable):
    """This was not even handed in: the last commit failed, say; the next may be taken again."""


class StorageAway(StorageUnavailable):
    """No connection could be had, so nothing was begun; the same may succeed in a moment."""


class StorageContended(StorageUnavailable):
    """Another transaction was in the way; the same one may succeed at once."""


class StorageClosed(StorageError):
    """The database was closed; nothing was changed."""


class Locks(msgspec.Struct, frozen=True):
    """The wallets and budgets that an operation may change, by their ids.

    What is done for one `member` always comes to the same writer, in the order of handing in.
    """

    member: int
    wallets: tuple[int, ...] = ()
    budgets: tuple[int, ...] = ()


class Connection(Protocol):
    """Every statement raises `StorageUnavailable` where the database is at fault, and what its
    driver raises where the statement is: it breaks a rule of a table, say.
    """

    @property
    def dialect(self) -> Dialect:
        """For the few statements that cannot be the same."""

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All that a query finds."""

    def row(self, sql: str, *parameters: object) -> tuple[Any, ...] | None:
        """The first that it finds."""

    def value(self, sql: str, *parameters: object) -> Any:
        """The first column of that row; None where there is none."""

    def run(self, sql: str, *parameters: object) -> int:
        """How many rows a statement has changed."""

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """One statement for each row of parameters."""

    def lock(self, wallets: Iterable[int], budgets: Iterable[int] = ()) -> None:
        """Have no other transaction change these wallets and budgets before this one ends.

        Called once in a transaction, before its first statement on any of them: all take their
        locks in the same order, so none waits for one that waits for it. The writer has called it
        for an operation that comes with its `Locks`. SQLite has one writer, and nothing to lock.
        """

    def savepoint(self) -> AbstractContextManager[None]:
        """What is done within is undone if it raises; the transaction goes on."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Reads within see one moment."""


def among(
    connection: Connection, column: str, place: str, numbers: Iterable[int]
) -> tuple[str, str]:
    """A condition that a column is one of some numbers, and what stands for them in its place: the
    same statement however many there are.
    """
    some = ",".join(map(str, numbers))
    if connection.dialect == "sqlite":
        return f"{column} IN (SELECT value FROM json_each({place}))", f"[{some}]"  # noqa: S608
    return f"{column} = ANY ({place})", f"{{{some}}}"


class Session(Connection, Protocol):
    """A connection with its transactions, for the one thread that uses it.

    After a failure, the next `begin` connects anew where that is needed.
    """

    def begin(self, *, wait: bool = True) -> None:
        """Raises `StorageUnavailable`, without `wait` at once where SQLite has another writer."""

    def commit(self) -> None:
        """Return once it is on the disk. Raises `StorageUnavailable`."""

    def rollback(self) -> None:
        """Undo what was begun, if anything was; never raises."""

    def probe(self) -> None:
        """Within a transaction, the cheapest true write."""

    def interrupt(self) -> None:
        """From any thread: have what is running fail, soon; never raises."""

    def close(self) -> None:
        """Never raises."""


class Backend(Protocol):
    """One of the two databases, prepared: its tables are there, of this program's version."""

    @property
    def name(self) -> str:
        """What messages call it: the file, or the URL without what is secret."""

    @property
    def locks(self) -> bool:
        """Whether `lock` has anything to do: several transactions write at once."""

    @property
    def local(self) -> bool:
        """Whether it is a file of this process: only a commit takes long, never a statement."""

    @property
    def writers(self) -> int:
        """How many threads write; operations for one member always come to the same."""

    @property
    def readers(self) -> int:
        """How many threads read."""

    def session(self, *, read_only: bool = False, patient: bool = False) -> Session:
        """A connection of its own; of a `patient` one, nothing bounds how long a statement takes.

        Raises `StorageError`.
        """

    def at_hand(self) -> Session | None:
        """A connection to read single rows with on the event loop, which waits for nobody.

        None where every answer comes over a network. Raises `StorageError`.
        """
