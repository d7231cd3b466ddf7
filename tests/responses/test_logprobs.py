"""How likely the tokens of an answer were: with `include`, whole and streamed, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT, STEERED
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.responses.kit import create, stream

INCLUDE = ["message.output_text.logprobs"]
PIECES = ["你", "\u2028", '"', "好"]


def told(tokens: list[dict[str, Any]]) -> str:
    return b"".join(bytes(each["bytes"]) for each in tokens).decode()


@pytest.mark.parametrize("top", [None, 0, 2, 20])
def test_whole(api: Api, upstream: Upstream, top: int | None) -> None:
    script = Script(PIECES, thoughts=["想"])
    asked = {} if top is None else {"top_logprobs": top}
    body = create(api, script, model=STEERED, include=INCLUDE, **asked).json
    (part,) = body["output"][-1]["content"]
    assert told(part["logprobs"]) == part["text"] == "".join(PIECES)
    assert {len(each["top_logprobs"]) for each in part["logprobs"]} == {top or 0}
    assert body["top_logprobs"] == (top or 0)
    sent = upstream.received(script).body
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, top or 0)


def test_a_stream_tells_them_with_the_text(api: Api) -> None:
    seen = stream(api, Script(PIECES), model=STEERED, include=INCLUDE, top_logprobs=1)
    for delta in seen.of("response.output_text.delta"):
        assert told(delta["logprobs"]) == delta["delta"]
        assert len(delta["logprobs"][0]["top_logprobs"]) == 1
    (done,) = seen.of("response.output_text.done")
    assert told(done["logprobs"]) == done["text"] == "".join(PIECES)
    assert seen.last["output"][0]["content"][0]["logprobs"] == done["logprobs"]


def test_nothing_is_told_unasked(api: Api) -> None:
    reply = create(api, Script(PIECES), model=STEERED, top_logprobs=3)
    assert reply.json["output"][0]["content"][0]["logprobs"] == []
    assert reply.headers["x-ignored-parameters"] == "top_logprobs"
    reply = create(api, Script(PIECES), model=CHAT, top_logprobs=0)
    assert "x-ignored-parameters" not in reply.headers


@pytest.mark.parametrize("streamed", [False, True])
def test_an_engine_that_does_not_tell_them(api: Api, books: Books, streamed: bool) -> None:
    reply = create(api, Script(), model=CHAT, include=INCLUDE, stream=streamed)
    kind, code = "invalid_request_error", "unsupported_parameter"
    refused(reply, 400, kind, code, CHAT, "logprobs", param="include")
    books.free(reply.json["id"])


@pytest.mark.parametrize("value", [-1, 21, 1.5, "2", [], 10**40])
def test_out_of_range(api: Api, value: Any) -> None:
    reply = create(api, model=STEERED, include=INCLUDE, top_logprobs=value)
    malformed(reply, "top_logprobs is", "[0, 20]", param="top_logprobs")


def test_openai_client(api: Api) -> None:
    script = Script(PIECES)
    with OpenAI(base_url=api.url + STRICT, api_key=api.token, max_retries=0) as client:
        asked: Any = {"model": STEERED, "input": script.messages, "top_logprobs": 1}
        answer = client.responses.create(**asked, include=["message.output_text.logprobs"])
        with client.responses.stream(**asked, include=["message.output_text.logprobs"]) as events:
            final: Any = events.get_final_response()
    for response in (answer, final):
        messages: Any = response.output
        (part,) = messages[0].content
        assert [each.token for each in part.logprobs] == PIECES
        assert part.logprobs[0].top_logprobs[0].token
