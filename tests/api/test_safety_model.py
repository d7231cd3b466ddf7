"""The operator's own moderation model is asked of questions, and of answers before they leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Call, Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.safety.model import BAD, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
HARMLESS = "这是一句无害的话,长到可以单独审核,后面还有一些别的内容,凑够四十个字以后才会送去。"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A service that asks the scripted moderation model."""
    async with serving() as model:
        settings = {
            **QUICK,
            "XINGHE_SAFETY__UPSTREAM__URL": model.url,
            "XINGHE_SAFETY__UPSTREAM__MODEL": "guard",
        }
        models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
        server = Server(tmp_path_factory.mktemp("asked"), models=models, settings=settings)
        await asyncio.to_thread(server.start)
        try:
            yield Api(server.url, await asyncio.to_thread(server.token))
        finally:
            await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_and_questions(asked: Api, stream: bool) -> None:
    script = Script([HARMLESS, f"然后来了一架{BAD}。", "再也没有别的。"], backwards=True)
    if stream:
        shown = await asyncio.to_thread(asked.stream, model=CHAT, messages=script.messages)
        content, reason = shown.content, shown.finish_reason
    else:
        reply = await asyncio.to_thread(asked.chat, model=CHAT, messages=script.messages)
        choice = answered(reply)["choices"][0]
        content, reason = choice["message"]["content"], choice["finish_reason"]
        assert (choice["flag"], choice["ban_round"]) == (4, -1)
    assert reason == "content_filter"
    assert content == HARMLESS

    safe = Script([HARMLESS, "就这样。"])
    reply = await asyncio.to_thread(asked.chat, model=CHAT, messages=safe.messages)
    choice = answered(reply)["choices"][0]
    assert (choice["message"]["content"], choice["flag"]) == (safe.text, 0)

    history = [{"role": "system", "content": BAD}, {"role": "user", "content": "好"}]
    refused(
        await asyncio.to_thread(asked.chat, model=CHAT, messages=history), 403,
        "unsafe_request", "system_unsafe", param="system",
    )  # fmt: skip


TOOL = {"type": "function", "function": {"name": "note", "parameters": {
    "type": "object", "properties": {"text": {"type": "string"}},
}}}  # fmt: skip
WROTE = f'{{"text": "{HARMLESS}'
UNSAFE = {
    "a thought": (Script(["好。"], thoughts=[HARMLESS, f"然后来了一架{BAD}。"]), HARMLESS),
    "the answer after a thought": (
        Script([HARMLESS, f"{BAD}。"], thoughts=["想。"]),
        "想。",
    ),
    "a call": (Script([], calls=[Call("note", [WROTE, f'{BAD}。"}}'])]), "call-of-upstream"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", UNSAFE)
async def test_each_stream_of_an_answer(asked: Api, where: str, stream: bool) -> None:
    """What comes before the finding is shown, and nothing of it or after it."""
    script, before = UNSAFE[where]
    script = msgspec.structs.replace(script, backwards=True)
    fields: dict[str, Any] = {"model": ABLE, "messages": script.messages, "tools": [TOOL]}
    if stream:
        read = await asyncio.to_thread(asked.stream, **fields)
        shown, reason = str(read.chunks), read.finish_reason
    else:
        (choice,) = answered(await asyncio.to_thread(asked.chat, **fields))["choices"]
        shown, reason = str(choice["message"]), choice["finish_reason"]
    assert reason == "content_filter"
    assert before in shown
    assert BAD not in shown
    assert "好。" not in shown


async def test_a_harmless_thought_and_call_arrive_whole(asked: Api) -> None:
    calls = [Call("note", [WROTE, '"}']), Call("note", ['{"text"', ': "二"}'], id="second")]
    script = Script([], thoughts=["先想", "一想"], calls=calls)
    fields: dict[str, Any] = {"model": ABLE, "messages": script.messages, "tools": [TOOL]}
    body = answered(await asyncio.to_thread(asked.chat, **fields))
    message = body["choices"][0]["message"]
    assert message["reasoning_content"] == "先想一想"
    made = [call["function"]["arguments"] for call in message["tool_calls"]]
    assert made == ["".join(call.arguments) for call in calls]
    read = await asyncio.to_thread(asked.stream, **fields)
    assert read.finish_reason == "function_call"
