"""Servers that take connections and say nothing: those that are frozen, and those that work."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.outbound.replicas.peer import Peer, ask, peers, pool_of
from xinghe.outbound.replicas import Away, Pool

MINUTES = 300.0
"""The silence that is allowed: no test waits for it."""
ONE = [1, pytest.param(2, marks=pytest.mark.slow)]
TWO = [pytest.param(1, marks=pytest.mark.slow), 2]
"""How many replicas there are."""


async def until(pool: Pool, *states: str) -> None:
    """Wait until all its replicas are in one of these states."""
    async with asyncio.timeout(20):
        while any(one.state(pool.clock()) not in states for one in pool.replicas):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def served_again(pool: Pool) -> None:
    async with asyncio.timeout(2):
        while True:
            try:
                await ask(pool)
                return
            except Away:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", ONE)
async def test_idle_ones_that_answer_no_probe_are_away_until_they_do(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.outbound.replicas.probes.WHILE_WELL", 1.0)
    async with peers(number) as there, pool_of(*there, silence=MINUTES) as pool:
        for each in there:
            each.delay = 0.0
        await asyncio.gather(*(ask(pool) for _ in range(4)))
        assert await pool.ready()
        async with asyncio.timeout(5):
            while any(one.answers == "never" for one in pool.replicas):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        for each in there:
            each.freeze()
        async with asyncio.timeout(30):
            while any(one.breaker.cause != "frozen" for one in pool.replicas):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        before = [each.asked for each in there]
        for _ in range(20):
            with pytest.raises(Away):
                await ask(pool)
        assert [each.asked for each in there] == before, "at once: nobody was asked"
        for each in there:
            each.thaw()
        await served_again(pool)


@pytest.mark.parametrize("number", TWO)
async def test_what_waits_for_frozen_ones_is_told_so(number: int) -> None:
    """They are known to answer probes while requests wait: now they do not."""
    async with peers(number) as there, pool_of(*there, silence=MINUTES) as pool:
        for each in there:
            each.delay = 0.3
        await asyncio.gather(*(ask(pool) for _ in range(8)))
        assert [one.answers for one in pool.replicas] == ["always"] * number
        for each in there:
            each.freeze()
        asking = [asyncio.create_task(ask(pool)) for _ in range(6)]
        async with asyncio.timeout(30):
            told = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(each) for each in told} == {Away}
        with pytest.raises(Away):
            await ask(pool)
        for each in there:
            each.thaw()
        await served_again(pool)


async def busy(peer: Peer) -> None:
    """Wait until it works."""
    while not peer.at_work:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", ONE)
async def test_one_that_answers_no_probe_while_it_works_is_not_away(number: int) -> None:
    async with peers(number) as there, pool_of(*there, silence=MINUTES) as pool:
        for each in there:
            each.single = True
        await asyncio.gather(*(ask(pool) for _ in range(4)))
        assert await pool.ready()
        for each in there:
            each.delay = 10.0
        first = [asyncio.create_task(ask(pool)) for _ in there]
        for each in there:
            await busy(each)
        await until(pool, "away", "trial")
        for each in there:
            each.delay = 0.01
        began = time.monotonic()
        assert await ask(pool), "it waits for its turn"
        assert time.monotonic() - began > 1.0
        assert set(await asyncio.gather(*first)) <= {each.origin for each in there}
        await served_again(pool)
