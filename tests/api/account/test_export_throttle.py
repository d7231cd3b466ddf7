"""Exports take turns, page by page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.api.account.test_forms import Line, Wire
from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.account.forms import send_rows


async def test_one_page_is_made_at_a_time_and_each_export_has_its_turn() -> None:
    turns, order, at_work = ExportThrottle(), [], 0

    async def pages(name: int) -> AsyncIterator[Sequence[Line]]:
        nonlocal at_work
        for _ in range(3):
            at_work += 1
            assert at_work == 1
            await asyncio.sleep(0)
            order.append(name)
            at_work -= 1
            yield [Line("a", 1)]  # type: ignore[arg-type]

    exports = [
        send_rows(Wire().exchange, "csv", Line, pages(name), "lines", turns) for name in range(4)
    ]
    await asyncio.gather(*exports)
    assert order == [0, 1, 2, 3] * 3


async def test_where_others_wait_nothing_is_made_for_as_long_as_a_page_took() -> None:
    turns = ExportThrottle()

    async def export() -> None:
        async with turns.turn():
            await asyncio.sleep(0)
            time.sleep(0.02)  # noqa: ASYNC251 (the work of a page)

    exports = [asyncio.create_task(export()) for _ in range(3)]
    began, idle = time.perf_counter(), 0
    while not all(each.done() for each in exports):
        idle += 1
        await asyncio.sleep(0)
    assert time.perf_counter() - began >= 3 * 0.02 + 2 * 0.02
    assert idle > 10


async def test_who_is_gone_while_he_waits_keeps_nobody() -> None:
    turns = ExportThrottle()
    async with turns.turn():
        gone = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    async with asyncio.timeout(5), turns.turn():
        pass
