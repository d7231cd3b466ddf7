"""A PostgreSQL cluster for tests, and fresh databases in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from xinghe.storage import LocalServer, local_url
from xinghe.storage.postgresql.backend import PostgreSQLBackend

QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
}
"""What such a cluster need not survive."""


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For a test that does something to the file itself."""

ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Cluster:
    """A running server with its files in `<data>/postgresql`."""

    def __init__(self, data: Path, settings: Mapping[str, str] = QUICK) -> None:
        self.server = LocalServer(data, settings)
        self.server.start()
        self._data = data
        self._numbers = itertools.count()
        self._has_template = False

    @property
    def url(self) -> str:
        """Of its database `postgres`."""
        return local_url(self._data)

    def do(self, *statements: str, url: str = "") -> list[tuple[Any, ...]]:
        """Do each by itself, as the owner of all; what the last has found."""
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def database(self) -> str:
        """The URL of a new database with the tables of this program."""
        if not self._has_template:
            self.do("CREATE DATABASE made")
            PostgreSQLBackend.prepared(self._url("made"), create=True)
            self._has_template = True
        return self.empty("TEMPLATE made STRATEGY file_copy")

    def empty(self, options: str = "") -> str:
        """The URL of a new database, with nothing in it."""
        name = f"test_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name} {options}")
        return self._url(name)

    def _url(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?")


@contextmanager
def cluster(data: Path, settings: Mapping[str, str] = QUICK) -> Iterator[Cluster]:
    """One of a test's own."""
    running = Cluster(data, settings)
    try:
        yield running
    finally:
        running.server.stop()
