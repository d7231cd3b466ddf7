"""The file of a backup, the same whichever database it is of.

It is JSON, a value a line, compressed by gzip: a `Header`; for each table a `Table`, then lists of
its rows, each a list of values in the order of the columns (bytes in base64); at the end a
`Summary`.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec

from xinghe.storage.connection import StorageError

FORMAT = 1
LEVEL = 1
"""Of gzip: the others take much longer and save little."""
LONGEST = 512 * 1024 * 1024
"""Bytes of a line: half as much again as eight of the largest answers that are kept by default."""
LONGEST_HEADER = 1024
MOST_VALUES = 4_000_000
"""Commas of a line; what they part takes much more memory than it takes here."""

Rows: TypeAlias = list[list[Any]]
Progress: TypeAlias = Callable[[str, int], None]
"""Told how many rows of a table are done, page by page; what it raises ends the task."""


class BackupError(StorageError):
    """A file that cannot be used; the message says which and why."""


class Header(msgspec.Struct, frozen=True):
    """`tables` is the version of the database's tables, `at` a moment in microseconds UTC."""

    xinghe_backup: int
    tables: int
    program: str
    at: int


class Table(msgspec.Struct, frozen=True):
    """`last` is the greatest id that was ever given, where the database keeps it."""

    table: str
    columns: list[str]
    last: int | None


class Summary(msgspec.Struct, frozen=True):
    """How many rows each table has, and the SHA-256 of all lines before this one."""

    rows: dict[str, int]
    sha256: str


Line: TypeAlias = Header | Table | Rows | Summary


class BackupWriter:
    """Writes the lines to a file that is open. Raises `OSError`."""

    def __init__(self, file: BinaryIO) -> None:
        self._stream = gzip.GzipFile("", "wb", LEVEL, file, 0)
        self._digest = hashlib.sha256()
        self._rows: dict[str, int] = {}
        self._table = ""

    def write(self, line: Header | Table | Rows | list[tuple[Any, ...]]) -> None:
        if isinstance(line, Table):
            self._table = line.table
            self._rows[line.table] = 0
        elif isinstance(line, list):
            self._rows[self._table] += len(line)
        text = msgspec.json.encode(line) + b"\n"
        self._digest.update(text)
        self._stream.write(text)

    def finish(self) -> Summary:
        """Write the last line, and what waits to be compressed; the file stays open."""
        summary = Summary(self._rows, self._digest.hexdigest())
        self._stream.write(msgspec.json.encode(summary) + b"\n")
        self._stream.close()
        return summary


def read(file: Path) -> Iterator[Line]:
    """The lines of a backup; the last is the `Summary`, with which all of it agreed.

    Raises `BackupError`.
    """
    try:
        with gzip.open(file) as stream:
            yield from _lines(file, stream)
    except (EOFError, StopIteration) as error:
        raise BackupError(f"{file} is cut off: its end is missing") from error
    except (
        gzip.BadGzipFile, zlib.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError
    ) as error:  # fmt: skip
        raise BackupError(f"{file} is no backup of Xinghe, or damaged: {error}") from error
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror or error}") from error


def header(file: Path) -> Header:
    """What a backup says of itself; the rest of it is not looked at. Raises `BackupError`."""
    try:
        with gzip.open(file) as stream:
            return msgspec.json.decode(stream.readline(LONGEST_HEADER), type=Header)
    except (EOFError, gzip.BadGzipFile, zlib.error, msgspec.MsgspecError) as error:
        raise BackupError(f"{file} is no backup of Xinghe, or damaged: {error}") from error
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror or error}") from error


def verify(file: Path, progress: Progress | None = None) -> Summary:
    """Read a backup to its end. Raises `BackupError`."""
    done = 0
    for line in read(file):
        if isinstance(line, list) and progress is not None:
            done += len(line)
            progress("read again", done)
    assert isinstance(line, Summary)
    return line


def _lines(file: Path, stream: gzip.GzipFile) -> Iterator[Line]:
    digest, counts, table = hashlib.sha256(), dict[str, int](), ""
    text = _next(file, stream)
    header = msgspec.json.decode(text, type=Header)
    if header.xinghe_backup > FORMAT:
        raise BackupError(f"{file} was made by Xinghe {header.program}: use that, or a newer one")
    yield header
    while True:
        digest.update(text)
        text = _next(file, stream)
        if text.startswith(b"[") and counts:
            rows = msgspec.json.decode(text, type=Rows)
            counts[table] += len(rows)
            yield rows
        elif text.startswith(b'{"table"'):
            begun = msgspec.json.decode(text, type=Table)
            table = begun.table
            counts[table] = 0
            yield begun
        else:
            break
    summary = msgspec.json.decode(text, type=Summary)
    if summary != Summary(counts, digest.hexdigest()) or stream.read(1):
        raise BackupError(f"{file} is damaged: it is not what was written")
    yield summary


def _next(file: Path, stream: gzip.GzipFile) -> bytes:
    line = stream.readline(LONGEST)
    if len(line) == LONGEST or line.count(b",") > MOST_VALUES:
        raise BackupError(f"{file} is damaged: a line of it is too large")
    if not line.endswith(b"\n"):
        raise EOFError
    return line
