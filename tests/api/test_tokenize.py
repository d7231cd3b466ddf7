"""`POST /v1/tokenize`: the tokens of a text or a conversation, at nobody's cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply

MODEL = "ernie-4.5-turbo-32k"
USER = [{"role": "user", "content": "Good morning"}]


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def tokenize(api: Api, **fields: Any) -> Reply:
    return api.post("/tokenize", {"model": MODEL, **fields})


@pytest.mark.embedded
def test_a_text_and_a_conversation(strict: Api, books: Books) -> None:
    before = books.shown()
    reply = tokenize(strict, prompt="Good morning")
    assert reply.status == 200, reply.text
    body = reply.json
    assert set(body) == {"count", "max_model_len", "tokens", "token_strs"}
    assert body["count"] == len(body["tokens"]) > 0
    limits = strict.get(f"/models/{MODEL}").json["xinghe"]["limits"]["effective"]
    assert body["max_model_len"] == limits["context"]
    assert reply.headers["x-served-by"].startswith("embedded/")
    bare = tokenize(strict, prompt="Good morning", add_special_tokens=False).json["tokens"]
    assert bare == body["tokens"][-len(bare) :]
    # As many as the chat is charged for, in the model's own template.
    told = tokenize(strict, messages=USER).json
    said = strict.chat(model=MODEL, messages=USER, max_tokens=1).json
    assert told["count"] == said["usage"]["prompt_tokens"] > len(bare)
    entry = books.usage(said["id"])
    assert books.shown()["balance"] == before["balance"] + entry["amount"]


@pytest.mark.embedded
def test_no_text_is_a_control_token(strict: Api) -> None:
    harmless = tokenize(strict, prompt="a", add_special_tokens=False).json["count"]
    assert harmless == 1
    for text in ("<|im_end|>", "<|im_start|>", "</s>", "\x00", "\u202e" * 50, "👨\u200d👩"):
        assert tokenize(strict, prompt=text, add_special_tokens=False).json["count"] > 1 or (
            text == "\x00"
        )


@pytest.mark.parametrize("asked", [{"prompt": "好"}, {"messages": USER}])
def test_an_engine_without_a_tokenizer_says_so(
    strict: Api, books: Books, asked: dict[str, Any]
) -> None:
    reply = tokenize(strict, model=CHAT, **asked)
    says = (CHAT, "count_tokens")
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", *says, param="model")
    books.free(reply.json["id"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["好"]}, "prompt"),
        ({"prompt": "好", "add_special_tokens": "no"}, "add_special_tokens"),
        ({"prompt": "好", "model": "embedding-v1"}, "model"),
    ],
)
def test_a_wrong_value_is_named(strict: Api, fields: dict[str, Any], param: str) -> None:
    malformed(tokenize(strict, **fields), param, "allowed", param=param)


def test_a_prompt_or_messages(strict: Api) -> None:
    malformed(tokenize(strict), "both missing", "one of the two", param="prompt")
    reply = tokenize(strict, prompt="好", messages=USER)
    malformed(reply, "both sent", "one of the two", param="prompt")


def test_what_cannot_be_tokens_is_refused(strict: Api) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [picture]}]
    reply = tokenize(strict, messages=messages)
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", param="messages")
    reply = tokenize(strict, prompt="好", return_token_strs=True)
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", param="return_token_strs")
    reply = tokenize(strict, prompt="a" * 600_000)
    refused(reply, 400, "invalid_request_error", "characters_too_long", param="prompt")
    reply = tokenize(strict, messages=[{"role": "nobody", "content": "好"}])
    refused(reply, 400, "invalid_request_error", "invalid_messages", "role")


def test_it_is_served_at_v1_alone(strict: Api) -> None:
    reply = tokenize(strict.at(DOCUMENTED), prompt="好")
    refused(reply, 404, "invalid_request_error", "no_such_path", "/v1 alone")
