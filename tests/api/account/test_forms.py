"""Lists as CSV and JSON Lines: streamed page by page, exact, and safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.account.forms import Format, form_of, send_rows
from xinghe.api.body import BodyBudget
from xinghe.api.dialect import Dialect
from xinghe.api.exchange import ABORT, Exchange


class Line(msgspec.Struct):
    name: str | None
    amount: Decimal
    errors: dict[str, int] = {}


PAGES = [
    [Line("=1+1", Decimal("-0.000028")), Line('星,"河"', Decimal(7000), {"b": 1, "a": 2})],
    [Line(None, Decimal("1000000000000.000001"))],
]


class Wire:
    """An exchange whose answer is gathered here."""

    def __init__(self, accept: str = "") -> None:
        self.sent: list[dict[str, Any]] = []
        self.aborted = False
        scope = {
            "method": "GET",
            "path": "/v1/account",
            "headers": [(b"accept", accept.encode())] if accept else [],
            "extensions": {ABORT: {"abort": self.abort}},
        }
        self.exchange = Exchange(scope, self.receive, self.send, Dialect.OPENAI, BodyBudget(1))

    async def receive(self) -> Any:
        raise AssertionError

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def abort(self) -> None:
        self.aborted = True

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def pages(made: Sequence[Sequence[Line]], fails: bool = False) -> AsyncIterator[Any]:
    for page in made:
        yield page
    if fails:
        raise RuntimeError("the database went away")


async def sent(form: Format, made: Sequence[Sequence[Line]] = PAGES) -> Wire:
    wire = Wire()
    await send_rows(wire.exchange, form, Line, pages(made), "lines", ExportThrottle())
    return wire


async def test_csv() -> None:
    wire = await sent("csv")
    head = dict(wire.sent[0]["headers"])
    assert head[b"content-type"].startswith(b"text/csv")
    assert head[b"content-disposition"] == b'attachment; filename="xinghe-lines.csv"'
    # Without the mark, Excel would not read it as UTF-8.
    assert wire.body.startswith("\ufeffname,amount,errors\r\n".encode())
    rows = list(csv.reader(io.StringIO(wire.body.decode("utf-8-sig"), newline="")))
    assert rows[1:] == [
        ["'=1+1", "-0.000028", ""],
        ['星,"河"', "7000", "b=1 a=2"],
        ["", "1000000000000.000001", ""],
    ]
    # The head, each page, the end.
    assert [bool(message.get("more_body")) for message in wire.sent[1:]] == [True, True, False]


async def test_json_lines() -> None:
    wire = await sent("jsonl")
    assert dict(wire.sent[0]["headers"])[b"content-type"].startswith(b"application/jsonl")
    lines = [json.loads(line, parse_float=Decimal) for line in wire.body.splitlines()]
    assert [line["amount"] for line in lines] == [line.amount for page in PAGES for line in page]
    assert lines[1] == {"name": '星,"河"', "amount": 7000, "errors": {"b": 1, "a": 2}}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_nothing(form: Format) -> None:
    wire = await sent(form, [])
    assert wire.body.decode("utf-8-sig") == ("name,amount,errors\r\n" if form == "csv" else "")


async def test_what_breaks_off_does_not_look_whole() -> None:
    wire = Wire()
    await send_rows(
        wire.exchange, "csv", Line, pages(PAGES[:1], fails=True), "lines", ExportThrottle()
    )
    assert wire.aborted
    assert wire.sent[-1]["more_body"]
    # Before anything has left, it is an answer like any other.
    with pytest.raises(RuntimeError):
        await send_rows(
            Wire().exchange, "csv", Line, pages([], fails=True), "lines", ExportThrottle()
        )


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("text/html, text/csv;q=0.5, */*;q=0.1", "csv"),
        ("text/csv;q=0.5, application/json", "json"),
        ("application/x-ndjson", "jsonl"),
        ("Application/JSONL; q=1", "jsonl"),
        ("text/csv;q=0", "json"),
        ("text/csv;q=high", "json"),
    ],
)
def test_accept(accept: str, form: str) -> None:
    exchange = Wire(accept).exchange
    assert form_of(exchange, None) == form
    assert form_of(exchange, "jsonl") == "jsonl"
