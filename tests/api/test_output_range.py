"""`max_completion_tokens` and its alias: the model's own range and default, not a generic one."""

from __future__ import annotations

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.expect import answered, malformed
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.upstream import Upstream


@pytest.mark.parametrize("field", ["max_completion_tokens", "max_tokens"])
@pytest.mark.parametrize(
    ("model", "value", "most"),
    [
        ("ernie-speed-8k", 2049, 2048),
        ("ernie-speed-128k", 4097, 4096),
        ("ernie-4.5-turbo-32k", 12289, 12288),
        ("ernie-speed-8k", 1, 2048),
        ("ernie-speed-8k", 0, 2048),
        ("ernie-speed-8k", -5, 2048),
    ],
)
def test_out_of_range(api: Api, field: str, model: str, value: int, most: int) -> None:
    malformed(api.chat(model=model, **{field: value}), field, value, 2, most, param=field)


@pytest.mark.parametrize("field", ["max_completion_tokens", "max_tokens"])
@pytest.mark.parametrize("value", [2049, 32_000, 10**9, 2**63 - 1])
@pytest.mark.parametrize("stream", [False, True])
def test_strict_brings_a_length_down_to_the_models_own_and_says_so(
    api: Api, upstream: Upstream, field: str, value: int, stream: bool
) -> None:
    script = Script(["好"])
    asked = {field: value, "stream": stream}
    reply = api.at(STRICT).chat(model=CHAT, messages=script.messages, **asked)
    assert reply.status == 200
    assert reply.headers["x-adjusted-parameters"] == f"{field}=2048"
    assert upstream.received(script).body["max_tokens"] == 2048
    malformed(api.chat(model=CHAT, **asked), field, value, 2, 2048, param=field)


def test_strict_adjusts_nothing_that_is_in_range(api: Api) -> None:
    reply = api.at(STRICT).chat(model=CHAT, max_tokens=1)
    answered(reply)
    assert "x-adjusted-parameters" not in reply.headers
    for value in (0, -5):
        malformed(api.at(STRICT).chat(model=CHAT, max_tokens=value), "max_tokens", value)


@pytest.mark.parametrize("field", ["max_completion_tokens", "max_tokens"])
def test_bounds_the_answer(api: Api, field: str) -> None:
    script = Script(pieces=list("一二三四五六"))
    body = answered(api.chat(model=CHAT, messages=script.messages, **{field: 2}))
    assert body["choices"][0]["message"]["content"] == "一二"
    assert body["usage"]["completion_tokens"] == 2


def test_default_is_the_models_own(api: Api, upstream: Upstream) -> None:
    script = Script()
    answered(api.chat(model=CHAT, messages=script.messages))
    body = upstream.received(script).body
    assert 1024 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_upstream_that_ignores_the_bound_is_cut(api: Api, upstream: Upstream) -> None:
    # A token may be any text, so what is bounded is what the upstream was asked for.
    script = Script(pieces=["x"] * 8)
    stream = api.stream(model=CHAT, messages=script.messages, max_tokens=3)
    assert stream.finish_reason == "length"
    assert stream.content == "xxx"
    assert upstream.received(script).body.get("stream") is True


def test_wrong_type(api: Api) -> None:
    values: tuple[object, ...] = ("10", 2.5, True, [])
    for value in values:
        malformed(api.chat(model=CHAT, max_tokens=value), "max_tokens")
