"""The forms of an answer that is a list: JSON in pages; CSV and JSON Lines, also of all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias

import msgspec
import structlog

from xinghe import spreadsheet
from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.exchange import Exchange, Headers
from xinghe.core import ClientGone

Format: TypeAlias = Literal["json", "csv", "jsonl"]

MEDIA: dict[str, Format] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
}
"""What a client may ask for in `Accept`."""
TYPES = {
    "csv": b"text/csv; charset=utf-8; header=present",
    "jsonl": b"application/jsonl; charset=utf-8",
}
MARK = "\ufeff"
"""Begins a CSV file: without it, Excel reads Chinese as GBK."""
_JSON = msgspec.json.Encoder(decimal_format="number")

log = structlog.get_logger(__name__)


def form_of(exchange: Exchange, asked: Format | None) -> Format:
    """What the parameter `format` says, else `Accept`, else JSON."""
    if asked is not None:
        return asked
    best, form = 0.0, "json"
    for each in (exchange.header(b"accept") or "").split(","):
        media, *parameters = (part.strip().lower() for part in each.split(";"))
        if media in MEDIA and (quality := _quality(parameters)) > best:
            best, form = quality, MEDIA[media]
    return form  # type: ignore[return-value]


def _quality(parameters: Sequence[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


async def send_json(exchange: Exchange, answer: msgspec.Struct) -> None:
    """Amounts are exact: as numbers with all their decimals."""
    await exchange.send_json(_JSON.encode(answer))


async def send_rows(
    exchange: Exchange,
    form: Format,
    shape: type[msgspec.Struct],
    pages: AsyncIterator[Sequence[msgspec.Struct]],
    name: str,
    turns: ExportThrottle,
) -> None:
    """Stream rows of one shape, page by page, each made in its turn.

    What breaks it off cuts the connection off: half a file must not look like a whole one.
    """
    file = f'attachment; filename="xinghe-{name}.{form}"'
    headers: Headers = [
        (b"content-type", TYPES[form]),
        (b"content-disposition", file.encode()),
    ]

    async def made(*, begins: bool = False) -> bytes | None:
        async with turns.turn():
            rows = await anext(pages, None)
            if rows is None and not begins:
                return None
            return _encoded(form, shape, rows or [], begins=begins)

    data = await made(begins=True)  # a refusal has a status of its own
    await exchange.start(200, headers)
    try:
        while data is not None:
            await _send(exchange, data)
            data = await made()
    except ClientGone:
        raise
    except Exception:
        log.exception("export_broken_off", request_id=exchange.request_id)
        exchange.error_code = "internal_error"
        exchange.abort()
        return
    await exchange.send({"type": "http.response.body", "body": b""})


async def _send(exchange: Exchange, data: bytes) -> None:
    if data:
        await exchange.send({"type": "http.response.body", "body": data, "more_body": True})


def _encoded(
    form: Format,
    shape: type[msgspec.Struct],
    rows: Sequence[msgspec.Struct],
    *,
    begins: bool = False,
) -> bytes:
    if form == "jsonl":
        return _JSON.encode_lines(rows)
    head = shape.__struct_encode_fields__
    lines = spreadsheet.write(head, ([_cell(cell) for cell in _cells(row)] for row in rows))
    text = "".join(lines if begins else islice(lines, 1, None))
    return (MARK + text if begins else text).encode()


def _cells(row: msgspec.Struct) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)


def _cell(cell: Any) -> Any:
    """Counts by name, say errors by their codes, in one cell."""
    if isinstance(cell, dict):
        return " ".join(f"{name}={count}" for name, count in cell.items())
    return cell
