"""What an upstream is sent by its deployment's settings, and what its refusals come to."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from PIL import Image

from tests.engines.tape import STREAM_HEAD, playing, refusal
from tests.engines.test_upstream import ANSWER, HELLO, ask, deltas_of, engine_at
from tests.pictures.render import data_url, encoded
from xinghe.catalog import UpstreamDeployment
from xinghe.core import (
    Message,
    Picture,
    Sampling,
    ToolCall,
)
from xinghe.engines import EngineBusy, EngineFailed, EngineRefused
from xinghe.engines.prompts import PIECE, wire_messages

ALL = Sampling(0.5, 0.6, 1.2, 0.1, 0.2, 7)
DRAWN = {
    "temperature": 0.5,
    "top_p": 0.6,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "seed": 7,
    "repetition_penalty": 1.2,
}
STANDING = {
    "model": "m",
    "messages": [{"role": "user", "content": "你好 world"}],
    "stream": True,
}
OPTIONS = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"max_tokens": 16, **OPTIONS, **DRAWN}),
        (
            {"length_field": "max_completion_tokens", "sampling": ["top_p"]},
            {"max_completion_tokens": 16, **OPTIONS, "top_p": 0.6},
        ),
        ({"length_field": "none", "stream_options": False, "sampling": []}, {}),
        (
            {"sampling": [], "extra": {"temperature": 1, "thinking": {"type": "disabled"}}},
            {"max_tokens": 16, **OPTIONS, "temperature": 1, "thinking": {"type": "disabled"}},
        ),
        (
            {"sampling": [], "extra": {"stream_options": {"include_usage": False}}},
            {"max_tokens": 16, "stream_options": {"include_usage": False}},
        ),
    ],
)
async def test_fields_by_deployment(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = msgspec.convert({"engine": "upstream", "url": "http://h", "model": "m", **fields},
                           UpstreamDeployment)  # fmt: skip
    given = {name: getattr(spec, name) for name in fields}
    async with playing([STREAM_HEAD, ANSWER]) as tape, engine_at(tape.url, **given) as engine:
        await ask(engine, ALL)
    assert tape.requests == [STANDING | expected]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "none"])
async def test_thoughts_by_deployment(name: str) -> None:
    called = Message("assistant", "", tool_calls=(ToolCall("1", "f", "{}"),), thought="嗯",
                     has_content=False)  # fmt: skip
    async with (
        playing([STREAM_HEAD, ANSWER]) as tape,
        engine_at(tape.url, thought_field=name) as engine,
    ):
        await ask(engine, messages=[*HELLO, called, Message("tool", "x", tool_call_id="1")])
    sent = tape.requests[0]["messages"][1]
    assert sent["content"] is None
    assert {key for key in sent if key.startswith("reason")} == {name} - {"none"}
    assert sent.get(name) == (None if name == "none" else "嗯")


async def test_a_thought_that_is_not_sent_costs_nothing() -> None:
    thought = Message("assistant", "好", thought="长" * 1000)
    prompts = []
    for name in ("reasoning", "none"):
        async with engine_at("http://127.0.0.1:1", thought_field=name) as engine:
            prompts.append(await engine.prepare([*HELLO, thought, *HELLO]))
    with_it, without = prompts
    assert with_it.tokens > 500 > without.tokens
    assert with_it.bound > 1000 > without.bound


@pytest.mark.parametrize("status", [401, 429])
async def test_a_refusal_may_be_compressed(status: int) -> None:
    with pytest.raises(EngineRefused if status == 401 else EngineBusy):
        await deltas_of(refusal(status, b"\x1f\x8b\x08", "Content-Encoding: gzip"))


async def test_headers_by_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", "sk-azure")
    headers = {"api-key": "$AZURE_KEY", "X-Title": "Xinghe", "authorization": "Key 1"}
    async with playing([STREAM_HEAD, ANSWER]) as tape:
        async with engine_at(tape.url, headers=headers, key="sk-1") as engine:
            await ask(engine)
        monkeypatch.setenv("AZURE_KEY", "bad\nkey")
        async with engine_at(tape.url, headers=headers) as engine:
            with pytest.raises(EngineFailed, match="characters that no header can hold"):
                await ask(engine)
    head = tape.heads[0].lower()
    assert b"\r\napi-key: sk-azure\r\n" in head
    assert b"\r\nx-title: xinghe\r\n" in head
    assert head.count(b"\r\nauthorization: ") == 1
    assert b"\r\nauthorization: key 1\r\n" in head


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("headers", {"Host": "h"}),
        ("headers", {"content-length": "3"}),
        ("headers", {"a b": "c"}),
        ("headers", {"a": "b\r\nc: d"}),
        ("headers", {"a": "键"}),
        ("extra", {"messages": []}),
        ("extra", {"stream": False}),
        ("sampling", ["top_k"]),
        ("length_field", "max_length"),
    ],
)
def test_settings_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({"engine": "upstream", "url": "http://h", "model": "m", field: value},
                        UpstreamDeployment)  # fmt: skip


@pytest.mark.parametrize(("form", "mode"), [("PNG", "LA"), ("PNG", "L"), ("JPEG", "L")])
async def test_a_picture_that_cannot_be_decoded_is_told_of(form: str, mode: str) -> None:
    whole = encoded(Image.effect_noise((40, 30), 90).convert(mode), form)
    kind = f"image/{form.lower()}"
    damaged = Picture(whole[: len(whole) * 2 // 3], kind, 40, 30)
    sound = Picture(encoded(Image.effect_noise((40, 30), 90), form), kind, 40, 30)
    message = Message("user", "?", parts=(damaged, sound, "?"))
    async with playing([STREAM_HEAD, ANSWER]) as tape, engine_at(tape.url, vision=True) as engine:
        await ask(engine, messages=[message])
    told, picture, text = tape.requests[0]["messages"][0]["content"]
    assert told == {"type": "text", "text": "[图片1:40×30像素,内容无法识读]"}
    assert picture["image_url"]["url"] == data_url(sound.data, kind)
    assert text == {"type": "text", "text": "?"}


async def test_pictures_are_encoded_a_piece_a_turn() -> None:
    """Each picture behind its text, in order; others have their turn in between."""
    datas = [bytes([at]) * (2 * PIECE + at) for at in range(3)]
    pictures = [Picture(data, "image/png", 40, 30) for data in datas]
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(others())
    first = Message("user", "", parts=(pictures[0], "?", pictures[1]))
    last = Message("user", "", parts=(pictures[2],))
    sent = await wire_messages([first, Message("assistant", "好"), last])
    counting.cancel()
    assert turns > 2 * 3
    urls = [data_url(data, "image/png") for data in datas]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    assert [each["content"] for each in sent] == [
        [shown[0], {"type": "text", "text": "?"}, shown[1]], "好", [shown[2]],
    ]  # fmt: skip
