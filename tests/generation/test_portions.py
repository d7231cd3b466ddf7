"""What was held back until it was checked goes on in portions: others have their turn between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta
from xinghe.engines import MOST_TEXT
from xinghe.generation.runner import processed

END = FinishDelta(FinishReason.NORMAL)
TEXT = TextDelta("x" * 100)


async def held(deltas: Sequence[Delta]) -> list[Delta]:
    return [*deltas]


async def test_the_processors_behind_one_that_held_all_back_are_given_portions() -> None:
    given: list[list[Delta]] = []
    turns = 0

    def next_one(deltas: list[Delta]) -> list[Delta]:
        given.append(deltas)
        return deltas

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.ensure_future(others())
    everything: list[Delta] = [*[TEXT] * 1000, END]
    assert await processed(everything, [held, next_one]) == everything
    beside.cancel()
    assert [each for portion in given for each in portion] == everything
    assert max(len(portion) for portion in given) <= MOST_TEXT // 100 + 1
    assert turns >= len(given) - 2 > 50


async def test_nothing_comes_behind_an_end() -> None:
    def ends(deltas: list[Delta]) -> list[Delta]:
        return [deltas[0], END]

    assert await processed([TEXT] * 1000, [held, ends]) == [TEXT, END]
