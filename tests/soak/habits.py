"""What clients do all day: each habit asks once, and checks what must hold whatever happens."""

from __future__ import annotations

import base64
import io
import json
import random
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from PIL import Image

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.models import ABLE, CHAT
from tests.kit.raw import Connection, Reply
from tests.kit.script import Call, Script

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "count", "parameters": SCHEMA}}
LINES = ["人工智能", "今天天气很好。", "speed of light", "\n", "1,2,3,", "图书馆在三楼,", "再见"]


class Broken(Exception):
    """Told as the contract says, and allowed only where a part of the service was just killed."""


def _said(chance: random.Random, most: int = 30) -> list[str]:
    return [chance.choice(LINES) for _ in range(chance.randint(1, most))]


def _right(reply: Reply) -> Any:
    """The body of an answer, or `Broken` for a fault of ours that is told as the contract says."""
    if reply.status in {500, 503}:
        assert reply.json["error"]["type"] == "Internal_error", reply.text
        raise Broken
    assert reply.status == 200, reply.text
    return reply.json


def whole(api: Api, chance: random.Random) -> None:
    script = Script(_said(chance))
    body = _right(api.chat(model=CHAT, messages=script.messages))
    assert body["choices"][0]["message"]["content"] == script.text


def streamed(api: Api, chance: random.Random) -> None:
    script = Script(_said(chance), wire=chance.choice(["plain", "one_write", "bytewise", "crlf"]))
    stream = api.stream(model=CHAT, messages=script.messages)
    if stream.errors or not stream.done:
        raise Broken
    assert stream.content == script.text


def left(api: Api, chance: random.Random) -> None:
    script = Script(_said(chance, 60), rate=50)
    with api.streaming(model=CHAT, messages=script.messages) as (_, live):
        for _ in range(chance.randint(1, 10)):
            next(live, None)


def slowly_read(api: Api, chance: random.Random) -> None:
    script = Script(_said(chance), times=200)
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        for event in live:
            stream.take(event)
            time.sleep(chance.random() / 100)
    if stream.errors or not stream.done:
        raise Broken
    assert stream.content == script.text


def called(api: Api, chance: random.Random) -> None:
    arguments = json.dumps({"n": chance.randint(-5, 5)})
    script = Script([], calls=[Call("count", list(arguments))])
    body = _right(api.chat(model=ABLE, messages=script.messages, tools=[TOOL]))
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == arguments


def formed(api: Api, chance: random.Random) -> None:
    script = Script(list(json.dumps({"n": chance.randint(-5, 5)})))
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    body = _right(api.chat(model=ABLE, messages=script.messages, response_format=form))
    assert body["choices"][0]["message"]["content"] == script.text


def searched(api: Api, chance: random.Random) -> None:
    script = Script(_said(chance, 5))
    messages = [
        {"role": "system", "content": script.prompt},
        {"role": "user", "content": "怎样安装?"},
    ]
    search = {"enable": True, "enable_trace": True, "enable_citation": chance.random() < 0.5}
    body = _right(api.chat(model=ABLE, messages=messages, web_search=search))
    assert body["choices"][0]["finish_reason"] in ("normal", "stop")


def generated(api: Api, chance: random.Random) -> None:
    messages = [{"role": "user", "content": chance.choice(LINES[:3])}]
    body = _right(api.chat(model="ernie-3.5-8k", messages=messages, max_tokens=8))
    assert 1 <= body["usage"]["completion_tokens"] <= 8


def shown(api: Api, chance: random.Random) -> None:
    out = io.BytesIO()
    size = chance.randint(20, 200), chance.randint(20, 200)
    Image.new("RGB", size, chance.choice(["red", "white", "navy"])).save(out, "PNG")
    url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    content = [
        {"type": "text", "text": "看"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    system = {"role": "system", "content": Script(["好"]).prompt}
    messages = [system, {"role": "user", "content": content}]
    body = _right(api.chat(model=ABLE, messages=messages))
    assert body["choices"][0]["message"]["content"] == "好"


def embedded(api: Api, chance: random.Random) -> None:
    texts = [chance.choice(LINES[:3]) for _ in range(chance.randint(1, 16))]
    body = _right(api.post("/embeddings", {"input": texts}))
    assert len(body["data"]) == len(texts)
    assert all(len(one["embedding"]) == 384 for one in body["data"])


def ranked(api: Api, chance: random.Random) -> None:
    documents = ["月亮", "图书馆开放时间", "how to cook rice"]
    chance.shuffle(documents)
    body = _right(api.post("/rerank", {"query": "图书馆几点开门", "documents": documents}))
    assert documents[body["results"][0]["index"]] == "图书馆开放时间"


def drawn(api: Api, chance: random.Random) -> None:
    form = chance.choice(["url", "b64_json"])
    asked = {"prompt": "一只白猫, 红帽子", "size": "768x768", "response_format": form}
    body = _right(api.post("/images/generations", asked | {"model": "Stable-Diffusion-XL"}))
    if form == "url":
        path = "/images/" + body["data"][0]["url"].rsplit("/", 1)[1]
        with Connection(api.url) as connection:
            connection.request("GET", path)
            assert connection.reply().body.startswith(b"\x89PNG")


def wrong(api: Api, chance: random.Random) -> None:
    bodies: list[dict[str, Any]] = [
        {"model": "no-such-model"},
        {"model": CHAT, "temperature": 9},
        {"model": CHAT, "messages": []},
        {"model": CHAT, "max_tokens": 0},
    ]
    reply = api.chat(**chance.choice(bodies))
    assert reply.status in (400, 404), reply.text


def sent_again(api: Api, chance: random.Random) -> None:
    script = Script(_said(chance))
    headers = {**api.headers, "Idempotency-Key": script.id}
    data = json.dumps({"model": CHAT, "messages": script.messages}).encode()
    first, second = (api.send("POST", "/chat/completions", data, headers) for _ in range(2))
    assert _right(first)["id"] == _right(second)["id"]


HABITS: dict[Callable[[Api, random.Random], None], int] = {
    whole: 6, streamed: 6, left: 3, slowly_read: 1, called: 2, formed: 2, searched: 1, shown: 1,
    generated: 1, embedded: 2, ranked: 1, drawn: 1, wrong: 2, sent_again: 1,
}  # fmt: skip
"""And how often each, beside the others."""

Seen: TypeAlias = dict[str, list[int]]


def live(api: Api, seed: int, until: float, seen: Seen) -> None:
    """One client, until the clock (`time.monotonic`) says so; `seen` counts done and broken."""
    chance = random.Random(seed)
    habits, weights = list(HABITS), list(HABITS.values())
    while time.monotonic() < until:
        (habit,) = chance.choices(habits, weights)
        counts = seen.setdefault(habit.__name__, [0, 0])
        try:
            habit(api.at(chance.choice([DOCUMENTED, ALIAS, STRICT])), chance)
            counts[0] += 1
        except (Broken, ConnectionError, EOFError):
            counts[1] += 1
            time.sleep(0.5)
