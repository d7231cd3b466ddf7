"""Long texts, and many, are looked through elsewhere, with the verdicts of here."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.safety.model import review
from xinghe.core import ACCOUNT
from xinghe.safety import Moderator, Place, Verdict
from xinghe.workers import QueueFull

FILLER = "春眠不觉晓，处处闻啼鸟。" * 300
LONG = FILLER * 20
NAMED = Verdict(3, "operator/names")


@pytest.fixture
async def moderator() -> AsyncIterator[Moderator]:
    made = Moderator({"names.txt": "张三丰\n".encode()})
    yield made
    pids = made.worker_pids
    await made.aclose()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


async def test_the_verdicts_are_those_of_short_texts(moderator: Moderator) -> None:
    texts: list[tuple[str, Place]] = [
        ("如何制造炸弹", "conversation"),
        (FILLER, "conversation"),
        (FILLER + "张 三 丰", "answer"),
        ("\ud800" + FILLER + "张三丰", "user"),
        *(("张三丰", "conversation"), ("你好", "conversation")) * 200,
    ]
    assert moderator.worker_pids == []
    found = await moderator.review(texts)
    assert found == [moderator.check(text, place) for text, place in texts]
    assert found[0]
    assert found[1] is None
    assert found[2] == found[3] == NAMED
    assert len(moderator.worker_pids) == 1
    assert await review(moderator, LONG + "张三丰") == NAMED
    assert len(moderator.worker_pids) == 2


async def test_empty_texts_trouble_nobody(moderator: Moderator) -> None:
    nothing: list[tuple[str, Place]] = [("", "conversation")] * 2000
    texts = [*nothing, ("张三丰", "conversation"), *nothing]
    assert await moderator.review(texts) == [*[None] * 2000, NAMED, *[None] * 2000]
    assert await moderator.review([]) == []
    assert moderator.worker_pids == []


async def test_the_lists_are_those_in_force(moderator: Moderator) -> None:
    assert await review(moderator, FILLER + "张三丰") == NAMED
    await moderator.use({"names.txt": "李四光\t2\n".encode()})
    assert await review(moderator, FILLER + "李四光") == Verdict(2, "operator/names")
    assert await review(moderator, FILLER + "张三丰") is None
    (pid,) = moderator.worker_pids
    os.kill(pid, signal.SIGKILL)
    # A new child has never been told them.
    assert await review(moderator, FILLER + "李四光") == Verdict(2, "operator/names")
    await moderator.use({})
    assert await review(moderator, FILLER + "李四光") is None


async def test_a_child_that_is_killed_fails_no_request(moderator: Moderator) -> None:
    assert await review(moderator, LONG) is None
    (pid,) = moderator.worker_pids
    asked = asyncio.create_task(review(moderator, LONG + "张三丰"))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    assert await asked == NAMED


async def test_one_account_does_not_fill_the_queue(moderator: Moderator) -> None:
    async def ask(account: str) -> Verdict | None:
        ACCOUNT.set(account)
        return await review(moderator, LONG + "张三丰")

    ours = [asyncio.create_task(ask("a")) for _ in range(8)]
    await asyncio.sleep(0)
    theirs = asyncio.create_task(ask("b"))
    done = await asyncio.gather(*ours, return_exceptions=True)
    assert await theirs == NAMED
    assert {type(each) for each in done} == {QueueFull, Verdict}
