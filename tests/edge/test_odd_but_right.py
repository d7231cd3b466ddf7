"""What looks like an attack and is a right request: taken, and passed on unharmed."""

from __future__ import annotations

import json

import pytest

from tests.edge.conftest import body
from tests.kit.api import STRICT, Api
from tests.kit.expect import answered
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.upstream import Upstream

INJECTED = "x\r\nSet-Cookie: stolen=1\r\n\r\n<html>"


def test_names_of_unknown_fields_cannot_write_headers(api: Api) -> None:
    reply = api.chat(model=CHAT, **{INJECTED: 1, "名字": 2, "a,b": 3})
    answered(reply)
    assert "set-cookie" not in reply.headers
    named = reply.headers["x-ignored-parameters"]
    assert named.isascii()
    assert len(named.split(", ")) == 3


def test_thousands_of_unknown_fields_make_a_short_header(api: Api) -> None:
    reply = api.chat(model=CHAT, **{"x" * 1000 + str(i): i for i in range(500)})
    answered(reply)
    assert len(reply.headers["x-ignored-parameters"]) < 4000


@pytest.mark.parametrize(
    "text",
    ["\x00", "\u2028\u2029", "a\r\n\r\ndata: [DONE]\n\n", "👩‍👩‍👧", "\ufeff", "\u202e", "\x7f"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_any_character_passes_both_ways(
    api: Api, upstream: Upstream, text: str, stream: bool
) -> None:
    script = Script(pieces=["前", text, "后"])
    messages = [{"role": "system", "content": f"s{text}"}, *script.messages]
    if stream:
        assert api.stream(model=CHAT, messages=messages).content == script.text
    else:
        answer = answered(api.chat(model=CHAT, messages=messages))
        assert answer["choices"][0]["message"]["content"] == script.text
    assert upstream.received(script).body["messages"] == messages


def test_escaped_pair_of_surrogates_is_one_character(api: Api, upstream: Upstream) -> None:
    script = Script(pieces=["😀"])
    data = json.dumps({"model": CHAT, "messages": script.messages}, ensure_ascii=True).encode()
    answered(api.send("POST", "/chat/completions", data))
    assert upstream.received(script).ended


def test_white_space_around_the_body(api: Api) -> None:
    answered(api.send("POST", "/chat/completions", b" \r\n\t" + body() + b"\n" * 1000))


def test_null_is_as_good_as_absent(api: Api) -> None:
    names = ["temperature", "stop", "stream", "stream_options", "tools", "tool_choice", "n", "seed"]
    names += ["max_tokens", "max_completion_tokens", "response_format", "web_search", "user"]
    for mount in (api, api.at(STRICT)):
        reply = mount.chat(model=CHAT, **dict.fromkeys([*names, "logit_bias", "unknown"]))
        answered(reply)
        assert "x-ignored-parameters" not in reply.headers
