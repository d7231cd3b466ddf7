"""The operator's own moderation model is asked of questions, and of answers before they leave."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.safety.model import BAD, serving

HARMLESS = "这是一句无害的话,长到可以单独审核,后面还有一些别的内容,凑够四十个字以后才会送去。"


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_and_questions(make_server: MakeServer, stream: bool) -> None:
    async with serving() as model:
        settings = {
            "XINGHE_SAFETY__UPSTREAM__URL": model.url,
            "XINGHE_SAFETY__UPSTREAM__MODEL": "guard",
        }
        server = await asyncio.to_thread(make_server, settings=settings)
        api = Api(server.url, await asyncio.to_thread(server.token))

        script = Script([HARMLESS, f"然后来了一架{BAD}。", "再也没有别的。"], backwards=True)
        if stream:
            shown = await asyncio.to_thread(api.stream, model=CHAT, messages=script.messages)
            content, reason = shown.content, shown.finish_reason
        else:
            reply = await asyncio.to_thread(api.chat, model=CHAT, messages=script.messages)
            choice = answered(reply)["choices"][0]
            content, reason = choice["message"]["content"], choice["finish_reason"]
            assert (choice["flag"], choice["ban_round"]) == (4, -1)
        assert reason == "content_filter"
        assert content == HARMLESS

        safe = Script([HARMLESS, "就这样。"])
        reply = await asyncio.to_thread(api.chat, model=CHAT, messages=safe.messages)
        choice = answered(reply)["choices"][0]
        assert (choice["message"]["content"], choice["flag"]) == (safe.text, 0)

        history = [{"role": "system", "content": BAD}, {"role": "user", "content": "好"}]
        refused(
            await asyncio.to_thread(api.chat, model=CHAT, messages=history), 403,
            "unsafe_request", "system_unsafe", param="system",
        )  # fmt: skip
