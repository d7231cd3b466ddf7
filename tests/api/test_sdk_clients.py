"""The official openai client, unmodified: sync, async, streaming, and its exceptions."""

from __future__ import annotations

import asyncio

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.kit.models import CHAT
from tests.kit.script import Script


def asking(script: Script) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": script.prompt}]


def test_sync(client: OpenAI) -> None:
    script = Script()
    answer = client.chat.completions.create(model=CHAT, messages=asking(script))
    assert answer.choices[0].message.content == script.text
    assert answer.usage is not None
    assert answer._request_id == answer.id


def test_sync_stream_read_unguarded(client: OpenAI) -> None:
    # As sample 5.2 of the source reads it: choices[0] of every chunk.
    script = Script(pieces=list("一二三"))
    stream = client.chat.completions.create(model=CHAT, messages=asking(script), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == script.text


def test_sync_stream_with_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model=CHAT,
        messages=asking(Script(prompt_tokens=10)),
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.prompt_tokens == 10


async def test_many_at_once(async_client: AsyncOpenAI) -> None:
    scripts = [Script(pieces=[str(i), "号"], rate=20) for i in range(16)]
    answers = await asyncio.gather(
        *(
            async_client.chat.completions.create(model=CHAT, messages=asking(script))
            for script in scripts
        )
    )
    assert [a.choices[0].message.content for a in answers] == [s.text for s in scripts]
    assert len({answer.id for answer in answers}) == 16


async def test_async_stream(async_client: AsyncOpenAI) -> None:
    script = Script(pieces=list("一二三"))
    stream = await async_client.chat.completions.create(
        model=CHAT, messages=asking(script), stream=True
    )
    assert [c.choices[0].delta.content async for c in stream if c.choices[0].delta.content]


def test_stream_helper_of_the_client(client: OpenAI) -> None:
    script = Script(pieces=list("一二三"))
    with client.chat.completions.stream(model=CHAT, messages=asking(script)) as stream:
        stream.until_done()
        final = stream.get_final_completion()
    assert final.choices[0].message.content == script.text


def test_errors_are_the_clients_own(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="ernie-9-9k", messages=asking(Script()))
    assert unknown.value.code == "no_such_model"
    with pytest.raises(openai.BadRequestError) as range_error:
        client.chat.completions.create(model=CHAT, messages=asking(Script()), temperature=1.5)
    assert range_error.value.param == "temperature"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()


def test_error_inside_a_stream_raises(client: OpenAI) -> None:
    script = Script(pieces=list("一二三"), rate=20, fault="reset", after=2)
    stream = client.chat.completions.create(model=CHAT, messages=asking(script), stream=True)
    with pytest.raises(openai.APIError):
        for _ in stream:
            pass


@pytest.mark.embedded
def test_embedded_stream_comes_in_pieces(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="ernie-3.5-8k",
        messages=[{"role": "user", "content": "写一首关于春天的诗。"}],
        max_completion_tokens=16,
        stream=True,
    )
    pieces = [c.choices[0].delta.content for c in stream if c.choices[0].delta.content]
    assert len(pieces) > 3
