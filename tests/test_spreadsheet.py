"""CSV of strangers: whatever bytes they are, a table or a `SheetError` that says where."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.spreadsheet import FORMULA, MAX_BYTES, MAX_CELL, MAX_ROWS, SheetError, read, write

COLUMNS = {"name": ("姓名",), "role": ("角色",)}
CLASS = "姓名,角色\r\n张三,member\r\n李四,\r\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (CLASS.encode(), "utf-8"),
        (CLASS.encode("utf-8-sig"), "utf-8"),
        (CLASS.encode("gbk"), "gb18030"),
        (CLASS.encode("utf-16"), "utf-16-le"),
        (b"\xfe\xff" + CLASS.replace(",", "\t").encode("utf-16-be"), "utf-16-be"),
        (CLASS.encode("utf-32"), "utf-32-le"),
        (CLASS.replace(",", ";").encode(), "utf-8"),
        (CLASS.replace("\r\n", "\n").encode().strip(), "utf-8"),
        (CLASS.replace("\r\n", "\r").encode(), "utf-8"),
        (CLASS.replace("\r\n", "\r\n,\r\n\r\n").encode(), "utf-8"),
    ],
)
def test_what_spreadsheets_write(data: bytes, encoding: str) -> None:
    sheet = read(data, COLUMNS)
    assert sheet.encoding == encoding
    assert [row.cells for row in sheet.rows] == [
        {"name": "张三", "role": "member"},
        {"name": "李四", "role": ""},
    ]


def test_space_case_and_accents_do_not_matter() -> None:
    sheet = read('\ufeffNAME , Role\n"\u3000Jose\u0301 ",\xa0owner'.encode(), COLUMNS)
    assert sheet.rows[0].cells == {"name": "José", "role": "owner"}


def test_a_row_knows_its_line() -> None:
    sheet = read(b'\nname\n"a\nb"\n\nc\n', COLUMNS)
    assert [row.line for row in sheet.rows] == [3, 6]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no row below"),
        (b"\n\n", "no row below"),
        (b"name\n", "no row below"),
        (b"name,nick\na,b", "line 1: there is no column 'nick', allowed: name, 姓名, role"),
        (b"a,b,c\n" * 5, "line 1: there is no column 'a'"),
        ("name,姓名\na,b".encode(), "the column 'name' is there twice"),
        (b"name\na,b", "line 2: cell 2, 'b', is under no column"),
        (b"name,\na,b", "line 2: cell 2, 'b', is under no column"),
        (b'name\n"a', "line 2 is not CSV"),
        (b'name\n"a"b', "line 2 is not CSV"),
        (b"name\n" + b"x" * (MAX_CELL + 1), f"cell 1 has over {MAX_CELL} characters"),
        (b'name\n"' + b"x" * 200_000 + b'"', "line 2 is not CSV: field larger"),
        (b"name\n" + b"a\n" * (MAX_ROWS + 1), f"over {MAX_ROWS} rows"),
        (b"name\n" + b"a\n" * 100_000, f"over {MAX_ROWS} rows"),
        (b"x" * (MAX_BYTES + 1), f"over {MAX_BYTES} bytes"),
        (b"\xff\xfename", "there is no column '慮敭'"),
        (b"\xff\xfen", "byte 2 is not utf-16-le"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xff\x00", "that is a workbook"),
        (b"name\n\xff\xff\xff", "byte 5 is not UTF-8, byte 5 not GBK"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(SheetError) as refusal:
        read(data, COLUMNS)
    assert message in str(refusal.value)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    try:
        sheet = read(b"name,role\n" + data, COLUMNS)
    except SheetError:
        return
    assert all(set(row.cells) == {"name", "role"} for row in sheet.rows)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.integers(), min_size=2))
def test_what_was_written_is_read_back_and_is_no_formula(cells: list[str | int]) -> None:
    text = "".join(write(["a"], [cells]))
    assert text.endswith("\r\n")
    back = list(csv.reader(io.StringIO(text, newline="")))[1]
    for cell, got in zip(cells, back, strict=True):
        assert got.removeprefix("'" if str(cell) != got else "") == str(cell)
        assert isinstance(cell, int) or not got.startswith(FORMULA)


def test_how_values_are_written() -> None:
    rows: list[list[object]] = [
        [None, Decimal("-1.50"), ["a", "b"], -3, "=1+1", "-"],
        [["=a"], True, "", 0, "a", "b"],
    ]
    assert list(write(["甲", *"bcdef"], rows)) == [
        "甲,b,c,d,e,f\r\n",
        ",-1.50,\"a, b\",-3,'=1+1,'-\r\n",
        "'=a,True,,0,a,b\r\n",
    ]
