"""Floods of other servers leave most of the event loop to everybody else."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from tests.attack.watch import hostile_upstream
from xinghe.outbound import CallFailed, EventStream, Server
from xinghe.outbound.response import (
    A_CHARACTER,
    A_READ,
    AHEAD,
    OWN_SHARE,
    OWN_SHARES,
    Flood,
    Pace,
    Response,
)

LONGEST = 20.0
"""Seconds, on a busy machine."""


def _burn(pace: Pace, seconds: float) -> None:
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        pass
    pace.spent += time.perf_counter() - began


def _pace(flood: Flood) -> Pace:
    """Of one answer more that the running loop reads."""
    return Pace(asyncio.get_running_loop().time, flood)


async def test_an_answer_that_comes_as_ordinary_ones_do_never_waits() -> None:
    pace = _pace(Flood())
    for _ in range(40):
        pace.spent += A_READ
        assert pace.wait() == 0
        await asyncio.sleep(0.005)


async def test_long_texts_wait_for_what_is_done_with_them() -> None:
    flood = Flood()
    ordinary, long = _pace(flood), _pace(flood)
    ordinary.spent += A_CHARACTER * 100 * 20  # a hundred pieces that came at once
    assert ordinary.wait() == 0
    long.spent += A_CHARACTER * 100 * 1_000
    assert long.wait() >= 0.4


async def test_those_that_take_much_wait_one_behind_the_other() -> None:
    waits, flood = [], Flood()
    for _ in range(8):
        pace = _pace(flood)
        _burn(pace, 2 * AHEAD * OWN_SHARE)
        waits.append(pace.wait())
    assert waits[0] >= 0.04
    assert waits == sorted(waits)
    assert waits[-1] >= 0.2
    # Who comes with an ordinary answer meanwhile is not held up.
    assert _pace(flood).wait() == 0


async def test_of_very_many_each_has_its_part_of_the_loop() -> None:
    flood = Flood(answers=100)
    answers = [_pace(flood) for _ in range(flood.answers)]
    part = AHEAD * OWN_SHARES / len(answers)
    answers[0].spent += part * 0.9
    assert answers[0].wait() == 0
    answers[1].spent += part * 1.1
    assert answers[1].wait() > 0
    flood.answers = 2
    answers[2].spent += part * 1.1
    assert answers[2].wait() == 0


async def test_a_flood_of_empty_lines_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: dict[int, list[tuple[float, float]]] = {}
    told, wait, rest = dict[int, float](), Pace.wait, Response.rest

    def noted(pace: Pace) -> float:
        told[id(pace)] = seconds = wait(pace)
        return seconds

    async def rested(answer: Response) -> None:
        began = time.monotonic()
        await rest(answer)
        took = time.monotonic() - began
        waits.setdefault(id(answer), []).append((told[id(answer.pace)], took))

    async def drink(url: str) -> None:
        server = Server(url + "/v1", connect=10, silence=10)
        body = {"stream": True, "messages": "hurt:chat:more_bare_lines"}
        try:
            with (
                suppress(CallFailed),
                await server.call("POST", "/chat/completions", body) as answer,
            ):
                events = EventStream(answer, 16_384)
                while await events.next():
                    pass
        finally:
            await server.aclose()

    monkeypatch.setattr(Pace, "wait", noted)
    monkeypatch.setattr(Response, "rest", rested)
    with hostile_upstream() as url:
        crowd = [asyncio.create_task(drink(url)) for _ in range(12)]

        def have_all_waited() -> bool:
            return len(waits) == 12 and all(any(told for told, _ in own) for own in waits.values())

        end = time.monotonic() + LONGEST
        while not have_all_waited() and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    assert len(waits) == 12
    for own in waits.values():
        assert max(seconds for seconds, _ in own) > 0
        assert all(took > seconds - 0.01 for seconds, took in own)
