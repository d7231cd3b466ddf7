"""Short calls in threads of their own, account by account."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from xinghe.core import ACCOUNT
from xinghe.workers import QueueFull, Threads


class Gate:
    """Calls that go on when they are let; `seen` tells their order."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.seen: list[str] = []

    def pass_through(self, name: str) -> str:
        assert self.open.wait(20)
        self.seen.append(name)
        return name


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    made = Threads("test", threads=1, waiting=6, share=4)
    yield made
    made.close()


async def asked(threads: Threads, gate: Gate, account: str, name: str) -> str:
    ACCOUNT.set(account)
    return await threads.run(gate.pass_through, name)


async def begun(*calls: asyncio.Task[str]) -> None:
    for _ in calls:
        await asyncio.sleep(0)


async def test_accounts_take_turns_and_none_takes_all(threads: Threads) -> None:
    gate = Gate()
    calls = [asyncio.create_task(asked(threads, gate, "a", f"a{n}")) for n in range(6)]
    await begun(*calls)
    assert isinstance(calls[5].exception(), QueueFull)  # one works, four wait
    calls += [asyncio.create_task(asked(threads, gate, "b", f"b{n}")) for n in range(3)]
    await begun(*calls)
    assert isinstance(calls[4].exception(), QueueFull)  # six wait, and b has fewer than a
    calls += [asyncio.create_task(asked(threads, gate, "b", "b3"))]
    await begun(*calls)
    assert isinstance(calls[9].exception(), QueueFull)
    gate.open.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert gate.seen == ["a0", "a1", "b0", "a2", "b1", "a3", "b2"]


async def test_who_leaves_frees_the_place(threads: Threads) -> None:
    gate = Gate()
    calls = [asyncio.create_task(asked(threads, gate, "a", f"a{n}")) for n in range(5)]
    await begun(*calls)
    for call in calls:
        call.cancel()  # one of them has begun, and goes on
    await asyncio.wait(calls)
    more = [asyncio.create_task(asked(threads, gate, "a", f"more{n}")) for n in range(4)]
    await begun(*more)
    assert not any(call.done() for call in more)
    gate.open.set()
    assert await asyncio.gather(*more) == ["more0", "more1", "more2", "more3"]
    assert gate.seen == ["a0", "more0", "more1", "more2", "more3"]


async def test_who_leaves_in_the_moment_of_its_turn_passes_it_on(threads: Threads) -> None:
    gate = Gate()
    gate.open.set()
    for _ in range(50):
        calls = [asyncio.create_task(asked(threads, gate, "a", f"a{n}")) for n in range(4)]
        await calls[0]
        calls[1].cancel()
        calls[2].cancel()
        assert await calls[3] == "a3"


async def test_what_a_call_raises_is_told(threads: Threads) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: 1) == 1
