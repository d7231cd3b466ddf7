"""The local corpus: documents in passages, found by their terms and, where there are any, vectors.

A database file of its own: the command line writes it while the service reads.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import quote

import apsw
import msgspec

from xinghe.search.terms import Passage, terms
from xinghe.storage import StorageUnavailable, now
from xinghe.storage.sqlite import ENVIRONMENT, connect, prepare
from xinghe.workers import Threads

T = TypeVar("T")

FILE_NAME = "search.db"
DOCUMENTATION = "documentation"
"""The collection that the project's own pages are in."""
WAITING, SHARE = 256, 32
"""Reads and writes that wait: in all, and of one account."""
READ, WRITE = "BEGIN", "BEGIN IMMEDIATE"
SERVED_AT = "/documentation/"
"""Where the service shows documents that have no URL of their own."""


class Collection(msgspec.Struct, frozen=True):
    """Documents that were indexed under one name; `url` is what their paths are appended to."""

    name: str
    public: bool
    url: str
    documents: int
    passages: int
    indexed_at: int


class Stamp(msgspec.Struct, frozen=True):
    """By what a file is known to be unchanged."""

    origin: str
    size: int
    modified: int


class Document(msgspec.Struct, frozen=True):
    """A document to be stored."""

    path: str
    title: str
    stamp: Stamp
    passages: tuple[Passage, ...]


class Corpus:
    """One connection, used by one thread at a time; made by `Corpus.open`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._threads = Threads("corpus", waiting=WAITING, share=SHARE)
        self.coming: asyncio.Task[None] | None = None
        """What a service brings in while it serves already: readers wait for it."""

    @classmethod
    def open(cls, directory: Path, *, create: bool = True) -> Self:
        """Open, and where needed make or migrate, `<directory>/search.db`.

        Raises `StorageError`, also when there is none and `create` is false.
        """
        file = prepare(directory, create=create, name=FILE_NAME, package="xinghe.search")
        return cls(connect(file))

    def close(self) -> None:
        self._threads.close()
        with self._lock:
            self._connection.close()

    async def read(self, operation: Callable[[apsw.Connection], T]) -> T:
        """Read in a thread: a large corpus takes its time. Not before what is `coming` is here."""
        if self.coming is not None and not self.coming.done():
            await asyncio.wait({self.coming})
        return await self._threads.run(self._do, READ, operation)

    async def write(self, operation: Callable[[apsw.Connection], T]) -> T:
        """Write in a thread."""
        return await self._threads.run(self._do, WRITE, operation)

    def _do(self, begin: str, operation: Callable[[apsw.Connection], T]) -> T:
        """One transaction: all of it is done, or nothing. Raises `StorageUnavailable`."""
        with self._lock:
            try:
                self._connection.execute(begin)
                result = operation(self._connection)
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, ENVIRONMENT):
                    raise StorageUnavailable(f"{FILE_NAME} cannot be used: {error}") from error
                raise
            return result

    def collections(self) -> list[Collection]:
        """All of them, by name."""
        return self._do(
            READ,
            lambda connection: [
                Collection(name, bool(public), url, documents, passages, at)
                for name, public, url, documents, passages, at in connection.execute(
                    "SELECT name, public, url, count(DISTINCT d.id), count(p.id), indexed_at "
                    "FROM collections c LEFT JOIN documents d ON d.collection_id = c.id "
                    "LEFT JOIN passages p ON p.document_id = d.id GROUP BY c.id ORDER BY name"
                )
            ],
        )

    def put_collection(self, name: str, *, public: bool, url: str) -> int:
        """Make a collection, or change what is said of one; returns its id."""

        def put(connection: apsw.Connection) -> int:
            return int(
                connection.execute(
                    "INSERT INTO collections (name, public, url, indexed_at) "
                    "VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                    "public = excluded.public, url = excluded.url, "
                    "indexed_at = excluded.indexed_at RETURNING id",
                    (name, int(public), url, now()),
                ).get
            )

        return self._do(WRITE, put)

    def stamps(self, collection: int) -> dict[str, Stamp]:
        """The documents of a collection by path."""
        return self._do(
            READ,
            lambda connection: {
                path: Stamp(origin, size, modified)
                for path, origin, size, modified in connection.execute(
                    "SELECT path, origin, size, modified FROM documents WHERE collection_id = ?",
                    (collection,),
                )
            },
        )

    def put(self, collection: int, documents: Sequence[Document]) -> None:
        """Store documents, all or none, each in place of the one at its path."""

        def store(connection: apsw.Connection) -> None:
            for document in documents:
                _store(connection, collection, document)

        self._do(WRITE, store)

    def drop(self, collection: int, paths: Sequence[str]) -> None:
        """Forget documents."""

        def forget(connection: apsw.Connection) -> None:
            for path in paths:
                _delete(connection, collection, path)

        self._do(WRITE, forget)

    def remove(self, name: str) -> bool:
        """Forget a whole collection; false if there was none of that name."""

        def forget(connection: apsw.Connection) -> bool:
            connection.execute("DELETE FROM collections WHERE name = ?", (name,))
            return connection.changes() > 0

        return self._do(WRITE, forget)

    async def page(self, address: str) -> str | None:
        """The text of the public document that is served at this path; `None` if there is none."""
        name, slash, path = address.partition("/")
        if not slash:
            name, path = DOCUMENTATION, address
        rows = await self.read(
            lambda connection: list(
                connection.execute(
                    "SELECT p.text FROM collections c JOIN documents d ON d.collection_id = c.id "
                    "JOIN passages p ON p.document_id = d.id "
                    "WHERE c.name = ? AND c.public AND c.url = '' AND d.path = ? "
                    "ORDER BY p.position",
                    (name, path),
                )
            )
        )
        return "".join(str(text) for (text,) in rows) or None


def address(collection: str, url: str, path: str, base_url: str) -> str:
    """The URL of a document; `base_url` is where the service itself is reached."""
    if url:
        return url + quote(path)
    inner = path if collection == DOCUMENTATION else f"{collection}/{path}"
    return base_url.rstrip("/") + SERVED_AT + quote(inner)


def _store(connection: apsw.Connection, collection: int, document: Document) -> None:
    _delete(connection, collection, document.path)
    stamp = document.stamp
    number = connection.execute(
        "INSERT INTO documents (collection_id, path, origin, title, size, modified) "
        "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (collection, document.path, stamp.origin, document.title, stamp.size, stamp.modified),
    ).get
    title = " ".join(terms(document.title))
    for position, passage in enumerate(document.passages):
        passage_id = connection.execute(
            "INSERT INTO passages (document_id, position, heading, text) "
            "VALUES (?, ?, ?, ?) RETURNING id",
            (number, position, passage.heading, passage.text),
        ).get
        heading, body = (" ".join(terms(text)) for text in (passage.heading, passage.text))
        connection.execute(
            "INSERT INTO terms (rowid, title, heading, body) VALUES (?, ?, ?, ?)",
            (passage_id, title, heading, body),
        )


def _delete(connection: apsw.Connection, collection: int, path: str) -> None:
    connection.execute(
        "DELETE FROM documents WHERE collection_id = ? AND path = ?", (collection, path)
    )
