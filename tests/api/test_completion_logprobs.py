"""`logprobs` of `/v1/completions`: the older form, beside each token where it begins."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.api.test_completions import events
from tests.kit.api import STRICT, Api
from tests.kit.expect import refused
from tests.kit.models import CHAT, STEERED
from tests.kit.raw import Reply
from tests.kit.script import Script
from xinghe.api.completions.offsets import Offsets
from xinghe.core import TokenLogprob

PIECES = ["你", "\u2028", "\U0001f600", "好好", '"']
OFFSETS = [0, 1, 2, 3, 5]


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def complete(api: Api, script: Script | None = None, **fields: Any) -> Reply:
    asked = {"model": STEERED, "prompt": (script or Script(PIECES)).prompt, "max_tokens": 64}
    return api.post("/completions", asked | fields)


@pytest.mark.parametrize("most", [0, 1, 5])
def test_whole(strict: Api, most: int) -> None:
    (choice,) = complete(strict, logprobs=most).json["choices"]
    told = choice["logprobs"]
    assert (told["tokens"], told["text_offset"]) == (PIECES, OFFSETS)
    assert told["token_logprobs"] == [-0.5] * 5
    if most:
        assert all(token in top for token, top in zip(PIECES, told["top_logprobs"], strict=True))
        assert all(most <= len(top) <= most + 1 for top in told["top_logprobs"])
    else:
        assert told["top_logprobs"] is None


def test_a_stream_goes_on_counting(strict: Api) -> None:
    reply = complete(strict, logprobs=1, stream=True, n=2)
    assert "\u2028" not in reply.text
    found: dict[int, dict[str, list[Any]]] = {}
    for chunk in events(reply):
        for choice in chunk["choices"]:
            if told := choice["logprobs"]:
                assert "".join(told["tokens"]) == choice["text"]
                kept = found.setdefault(choice["index"], {"tokens": [], "text_offset": []})
                for name in kept:
                    kept[name] += told[name]
    assert found == {index: {"tokens": PIECES, "text_offset": OFFSETS} for index in (0, 1)}


def test_what_is_cut_off_and_what_was_thought_is_not_told(strict: Api) -> None:
    script = Script(["<think>", "想", "</think>", "答", "停", "后"])
    (choice,) = complete(strict, script, logprobs=0, stop="停").json["choices"]
    assert (choice["text"], choice["logprobs"]["tokens"]) == ("答", ["答"])
    assert choice["logprobs"]["text_offset"] == [0]


def test_unless_asked_nothing_is_told(strict: Api) -> None:
    assert complete(strict).json["choices"][0]["logprobs"] is None
    reply = complete(strict, model=CHAT, logprobs=1)
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", CHAT, param="logprobs")


def test_a_token_within_a_character_is_its_bytes() -> None:
    one, other = "好".encode()[:1], "好".encode()[1:]
    tokens = [TokenLogprob("\ufffd", each, -1.0) for each in (one, other)]
    told = Offsets(1).told([*tokens, TokenLogprob("a", b"a", -2.0)])
    assert told is not None
    assert told.tokens == ["bytes:\\xe5", "bytes:\\xa5\\xbd", "a"]
    assert told.text_offset == [0, 0, 1]


def test_official_client(strict: Api) -> None:
    with OpenAI(base_url=strict.url + STRICT, api_key=strict.token, max_retries=0) as client:
        made = client.completions.create(
            model=STEERED, prompt=Script(PIECES).prompt, max_tokens=64, logprobs=2
        )
    told = made.choices[0].logprobs
    assert told is not None
    assert told.tokens == PIECES
    assert told.text_offset == OFFSETS


@pytest.mark.embedded
def test_the_embedded_engine_has_them(strict: Api) -> None:
    asked = {"model": "ernie-3.5-8k", "max_tokens": 8, "temperature": 0, "logprobs": 2}
    prompts = ["介绍北京。", "介绍上海。"]
    choices = strict.post("/completions", {**asked, "prompt": prompts}).json["choices"]
    assert len(choices) == 2
    for choice in choices:
        told = choice["logprobs"]
        assert "".join(told["tokens"]).strip() == choice["text"].strip()
        assert len(told["tokens"]) == len(told["text_offset"]) == len(told["top_logprobs"])
