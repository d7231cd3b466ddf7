"""CSV as spreadsheets write and read it; what it holds was typed by strangers.

Reading knows the encodings and delimiters that Excel writes and is bounded; in what is written, no
text can become a formula.
"""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain

import msgspec

MAX_BYTES = 500_000
MAX_ROWS = 1_000
"""They all become one transaction, which others wait for."""
MAX_CELL = 1_000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a text for a formula, if it begins with it."""

_MARKS = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class SheetError(Exception):
    """A file that cannot be read as a table; the message says where and why."""


class Row(msgspec.Struct, frozen=True):
    """What stands in a row under each column that was asked for, without the space around it;
    `line` of the file, the first is 1.
    """

    line: int
    cells: dict[str, str]


class Sheet(msgspec.Struct, frozen=True):
    """A table, without its head and its empty rows, and the encoding that it was read in."""

    encoding: str
    rows: list[Row]


def read(data: bytes, columns: Mapping[str, Sequence[str]]) -> Sheet:
    """Read a table whose first row names its columns.

    `columns` are all that it may have, each with the other words that it may be called by; upper
    and lower case are one. A column may be missing; its cells are then empty. Raises `SheetError`.
    """
    if len(data) > MAX_BYTES:
        raise SheetError(f"the file is over {MAX_BYTES} bytes")
    if data.startswith(b"PK\x03\x04"):
        raise SheetError("that is a workbook (.xlsx): save it as CSV UTF-8")
    text, encoding = _decoded(data)
    head = text.partition("\n")[0]
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True
    )
    names: list[str] = []
    rows: list[Row] = []
    begin = 1
    try:
        for cells in lines:
            if not any(map(str.strip, cells)):
                pass
            elif not names:
                names = _names(begin, cells, columns)
            else:
                rows.append(Row(begin, _cells(begin, names, cells)))
            if len(rows) > MAX_ROWS:
                raise SheetError(f"there are over {MAX_ROWS} rows: divide the file")
            begin = lines.line_num + 1
    except csv.Error as error:
        raise SheetError(f"line {begin} is not CSV: {error}") from error
    if not rows:
        raise SheetError("there is no row below the names of the columns")
    return Sheet(encoding, rows)


def write(head: Sequence[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table line by line, as RFC 4180 has it; None is an empty cell, a list its members.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    line = io.StringIO()
    writer = csv.writer(line)
    for row in chain([head], rows):
        writer.writerow(map(_safe, row))
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _safe(cell: object) -> object:
    if isinstance(cell, list):
        cell = ", ".join(map(str, cell))
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _names(line: int, cells: list[str], columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Which column stands where; empty for one without a name."""
    known = {word: name for name, words in columns.items() for word in (name, *words)}
    names = []
    for cell in map(_tidy, cells):
        name = known.get(cell.lower(), "")
        if cell and not name:
            raise SheetError(
                f"line {line}: there is no column {cell[:40]!r}, allowed: {', '.join(known)}"
            )
        if name and name in names:
            raise SheetError(f"line {line}: the column {name!r} is there twice")
        names.append(name)
    return names


def _cells(line: int, names: list[str], cells: list[str]) -> dict[str, str]:
    found = dict.fromkeys(filter(None, names), "")
    for at, cell in enumerate(map(_tidy, cells)):
        if len(cell) > MAX_CELL:
            raise SheetError(f"line {line}: cell {at + 1} has over {MAX_CELL} characters")
        name = names[at] if at < len(names) else ""
        if name:
            found[name] = cell
        elif cell:
            raise SheetError(f"line {line}: cell {at + 1}, {cell[:40]!r}, is under no column")
    return found


def _tidy(cell: str) -> str:
    # The same name may be written with a letter and its accent as one character or as two.
    return unicodedata.normalize("NFC", cell[: MAX_CELL + 1].strip())


def _decoded(data: bytes) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding), encoding
            except UnicodeDecodeError as error:
                raise SheetError(f"byte {error.start + len(mark)} is not {encoding}") from error
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError as first:
        try:
            return data.decode("gb18030"), "gb18030"  # all of GBK and GB 2312 is in it
        except UnicodeDecodeError as error:
            raise SheetError(
                f"byte {first.start} is not UTF-8, byte {error.start} not GBK: save it as CSV UTF-8"
            ) from error
