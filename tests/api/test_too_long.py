"""Prompts that a model does not take: characters first, then tokens."""

from __future__ import annotations

import random

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import ABLE, TIGHT


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_characters_are_four_times_the_tokens(api: Api) -> None:
    reply = api.chat(model=TIGHT, messages=prompt("x" * 257))
    refused(
        reply,
        400,
        "invalid_request_error",
        "characters_too_long",
        "the max input characters is 256",
    )


def test_characters_of_all_messages_count(api: Api) -> None:
    turns = [
        {"role": "user", "content": "x" * 100},
        {"role": "assistant", "content": "x" * 100},
        {"role": "user", "content": "x" * 100},
    ]
    reply = api.chat(model=TIGHT, messages=turns)
    refused(reply, 400, "invalid_request_error", "characters_too_long", 256)


def test_characters_of_names_and_calls_count(api: Api) -> None:
    reply = api.chat(model=TIGHT, messages=[{**prompt("x" * 200)[0], "name": "x" * 57}])
    refused(reply, 400, "invalid_request_error", "characters_too_long", 257)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "x" * 65_536}}
    history = [
        *prompt("一"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "二"},
    ]
    reply = api.chat(model=ABLE, messages=history)
    refused(reply, 400, "invalid_request_error", "characters_too_long", 65_536, 65_539)


def test_all_characters_of_the_functions_are_told(api: Api) -> None:
    tools = [
        {"type": "function", "function": {"name": f"f{n}", "description": "x" * 40_000}}
        for n in range(3)
    ]
    reply = api.chat(model=ABLE, tools=tools)
    # With the names of the fields, of which each function has 37 characters.
    refused(
        reply, 400, "invalid_request_error", "characters_too_long", "functions have 120111", 65_536
    )


def test_characters_are_not_bytes(api: Api) -> None:
    # 200 Chinese characters are within the characters but far beyond 64 tokens.
    reply = api.chat(model=TIGHT, messages=prompt("好" * 200))
    refused(reply, 400, "invalid_request_error", "tokens_too_long", "Prompt tokens too long", 64)


def test_just_short_enough(api: Api) -> None:
    answered(api.chat(model=TIGHT, messages=prompt("x" * 10)))


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_counted_by_the_embedded_tokenizer(api: Api, stream: bool) -> None:
    rng = random.Random(7)
    text = "".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(9000))
    reply = api.chat(model="ernie-3.5-8k", messages=prompt(text), stream=stream)
    refused(reply, 400, "invalid_request_error", "tokens_too_long", "Prompt tokens too long", 5120)


def test_strict_mount_has_the_same_limits(api: Api) -> None:
    reply = api.at(STRICT).chat(model=TIGHT, messages=prompt("x" * 257))
    refused(reply, 400, "invalid_request_error", "characters_too_long", 256)


def test_a_refusal_leaves_no_hold(api: Api, books: Books) -> None:
    reply = api.chat(model=TIGHT, messages=prompt("好" * 200))
    books.free(reply.headers["x-request-id"])
