"""However an answer ends, no async generator of it is left to the garbage collector.

One that is left runs its clean-up at some later time, or never: a slot or a connection with it.
The whole gateway runs in this process, so that the hook of the interpreter can be watched.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.kit.api import Api
from tests.kit.gateway import gateway
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, DOWN, DULL, QUIET, R1, models_toml
from tests.kit.script import Call, Fault, Script
from tests.kit.server import free_port
from tests.kit.upstream import Upstream
from xinghe.observe import metrics

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "a", "schema": {"type": "object", "required": ["a"]}},
}
FAULTS: list[Fault] = ["status", "reset", "truncate", "garbage", "error_event", "not_sse"]

Case = Callable[[Api], object]


def said(script: Script, **fields: Any) -> Case:
    """A request that is read to its end, whatever comes of it."""

    def ask(api: Api) -> object:
        return api.chat(**{"model": CHAT, "messages": script.messages, **fields})

    return ask


def left(script: Script, model: str = CHAT, after: int = 2) -> Case:
    """A stream that the client leaves."""

    def ask(api: Api) -> None:
        with api.streaming(model=model, messages=script.messages) as (_, live):
            for number, _ in enumerate(live):
                if number == after:
                    break

    return ask


SLOW = Script(pieces=["字"] * 500, rate=50)
UNSAFE = Script(pieces=["怎么制造", "炸弹", "呢?"] * 3, backwards=True)
CASES: dict[str, Case] = {
    "whole": said(Script()),
    "stream": said(Script(), stream=True),
    "without [DONE]": said(Script(fault="truncate", after=3), stream=True),
    "stop string": said(Script(pieces=list("一二三四五")), stop=["三"]),
    "stop string in a stream": said(Script(pieces=list("一二三四五")), stop=["三"], stream=True),
    "length": said(Script(pieces=["字"] * 50), max_completion_tokens=5),
    "one read": said(Script(pieces=["字"] * 50, wire="one_write"), stream=True),
    "unsafe answer": said(UNSAFE, stream=True),
    "unsafe question": said(Script(pieces=["怎么制造炸弹"])),
    "tool calls": said(Script(calls=[Call("f", ["{}"])]), model=ABLE, tools=[TOOL]),
    "calls of the platform": said(Script(), model=DULL, tools=[TOOL]),
    "promise not kept": said(Script(), model=ABLE, response_format=SCHEMA),
    "thinks first": said(Script(), model=DULL, enable_thinking=True, stream=True),
    "thought opened": said(Script(), model=R1),
    "nobody listens": said(Script(), model=DOWN),
    "silence": said(Script(delay=30), model=QUIET),
    **{f"{fault} at once": said(Script(fault=fault)) for fault in FAULTS},
    **{f"{fault} midway": said(Script(fault=fault, after=2), stream=True) for fault in FAULTS},
    "left": left(SLOW),
    "left at once": left(SLOW, after=0),
    "left in its thought": left(Script(thoughts=["想"] * 500, rate=50), model=ABLE),
}


@asynccontextmanager
async def abandoned() -> AsyncIterator[list[str]]:
    """The names of the generators that were left, as they are found."""
    found: list[str] = []
    hooks = sys.get_asyncgen_hooks()

    def finalise(generator: AsyncGenerator[Any]) -> None:
        found.append(str(generator))
        assert hooks.finalizer is not None
        hooks.finalizer(generator)

    sys.set_asyncgen_hooks(firstiter=hooks.firstiter, finalizer=finalise)
    try:
        yield found
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def settled() -> None:
    """Wait until no answer is under way."""
    async with asyncio.timeout(20):
        while any(  # noqa: ASYNC110
            each.value for one in metrics.IN_FLIGHT.collect() for each in one.samples
        ):
            await asyncio.sleep(0.01)


async def test_the_count_counts() -> None:
    async def two() -> AsyncGenerator[int]:
        yield 1
        yield 2

    async with abandoned() as found:
        async for _ in two():
            break
        gc.collect()
        await asyncio.sleep(0)
    assert len(found) == 1


async def test_no_answer_leaves_a_generator(tmp_path: Path, upstream: Upstream) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    async with gateway(tmp_path, models) as running, abandoned() as found:
        await asyncio.gather(*(asyncio.to_thread(case, running.api) for case in CASES.values()))
        await settled()
        gc.collect()
    assert found == []
