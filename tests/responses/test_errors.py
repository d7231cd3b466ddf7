"""Refusals: OpenAI's form, in the names of this operation; hostile bodies; what costs nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.test_safety import BANNED, moderated
from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.models import ABLE, CHAT, DOWN, TIGHT
from tests.kit.script import SECRET, Script
from tests.kit.server import Server
from tests.responses.kit import create, stream

__all__ = ["moderated"]


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"temperature": 3}, "temperature", ["3", "[0, 2]"]),
        ({"max_output_tokens": 0}, "max_output_tokens", ["0"]),
        ({"top_logprobs": 21}, "top_logprobs", ["21"]),
        ({"background": True}, "background", ["true", "false"]),
        ({"stream": "yes"}, "stream", ["yes"]),
        ({"metadata": {"a": 1}}, "metadata", ["16 pairs"]),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", ["16 pairs"]),
        ({"metadata": {"a" * 65: ""}}, "metadata", ["64"]),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", ["xml", "json_schema"]),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", ["long", "concise"]),
        ({"truncation": "some"}, "truncation", ["some", "auto"]),
        ({"conversation": "conv_1"}, "conversation", ["not served"]),
        ({"prompt": {"id": "p"}}, "prompt", ["not served"]),
        ({"previous_response_id": "resp_0"}, "previous_response_id", ["resp_0", "kept"]),
        ({"previous_response_id": ""}, "previous_response_id", []),
        ({"tool_choice": "required"}, "tool_choice", ["required"]),
        ({"tools": {}}, "tools", []),
    ],
)
def test_a_field_out_of_range(
    api: Api, fields: dict[str, Any], param: str, says: list[str]
) -> None:
    malformed(create(api, Script(), **fields), *says, param=param)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (None, "input is null"),
        ([], "input is an empty array"),
        (5, "input is 5"),
        ([5], "input[0] is 5"),
        ([[]], "input[0]"),
        ([{"role": "king", "content": "x"}], "input[0].role"),
        ([{"content": "x"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"role": "user", "content": [{"type": "video"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "input_text", "text": 5}]}], "text is 5"),
        ([{"type": "reasoning", "summary": []}], "no message"),
        ([{"type": "item_reference", "id": "msg_1"}], "input[0] refers"),
    ],
)
def test_an_input_that_is_wrong(api: Api, sent: Any, says: str) -> None:
    reply = create(api, input=sent)
    refused(reply, 400, "invalid_request_error", "invalid_messages", says, param="input")


def test_other_refusals(api: Api, books: Books) -> None:
    refused(create(api, model="no"), 404, "invalid_request_error", "no_such_model", param="model")
    bare = api.at(STRICT).bearing(None).post("/responses", {"model": CHAT, "input": "x"})
    refused(bare, 401, "invalid_request_error", "invalid_iam_token")
    long = create(api, model=TIGHT, input="长" * 300)
    refused(long, 400, "invalid_request_error", "characters_too_long", "256", param="input")
    tokens = create(api, model=TIGHT, input="长" * 200)
    refused(tokens, 400, "invalid_request_error", "tokens_too_long", "64", param="input")
    refused(create(api, model=DOWN), 503, "Internal_error", "service_unavailable")
    for reply in (long, tokens):
        books.free(reply.headers["x-request-id"])


def test_unknown_fields_pass_and_are_told(api: Api) -> None:
    reply = create(
        api, Script(), client_metadata={"a": 1}, truncation="auto", text={"verbosity": "low"},
        include=["message.input_image.image_url"], prompt_cache_key="k",
    )  # fmt: skip
    assert reply.status == 200
    told = set(reply.headers["x-ignored-parameters"].split(", "))
    assert told == {
        "client_metadata", "truncation", "text.verbosity", "prompt_cache_key",
        "include%3Dmessage.input_image.image_url",
    }  # fmt: skip


def test_a_stream_that_breaks_ends_with_the_failed_response(api: Api) -> None:
    seen = stream(api, Script(pieces=list("一二三"), rate=20, fault="reset", after=2))
    error, failed = seen.events[-2:]
    assert error["type"] == "error"
    assert error["code"] == "dispatch_internal_error"
    assert error["id"] == seen.headers["x-request-id"]
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["output"][0]["status"] == "incomplete"
    assert SECRET not in json.dumps(seen.events)


@pytest.mark.usefixtures("moderated")
def test_what_is_unsafe(api: Api, server: Server) -> None:
    refused(
        create(api, Script(), instructions=BANNED), 403, "unsafe_request", "system_unsafe",
        param="instructions",
    )  # fmt: skip
    tool = {"type": "function", "name": "f", "description": BANNED, "parameters": {}}
    refused(
        create(api, Script(), model=ABLE, tools=[tool]), 403, "unsafe_request",
        "functions_unsafe", param="tools",
    )  # fmt: skip
    for response in (create(api, input=BANNED).json, stream(api, input=BANNED).last):
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "content_filter"}
    said = Script(pieces=list(BANNED), backwards=True)
    seen = stream(api, said)
    assert seen.last["incomplete_details"] == {"reason": "content_filter"}
    assert BANNED not in json.dumps(seen.events, ensure_ascii=False)


DEEP = b'{"model":"scripted-chat","input":' + b"[" * 90_000 + b"]" * 90_000 + b"}"
MANY = json.dumps(
    {"model": CHAT, "input": [{"role": "user", "content": "一"}] * 9_000}
).encode()  # fmt: skip
PARTS = json.dumps(
    {
        "model": CHAT,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": ""}] * 9_000}],
    }
).encode()
REFERENCES = json.dumps(
    {"model": CHAT, "input": [{"id": f"msg_{n:010}0"} for n in range(9_000)]}
).encode()
CALLS = json.dumps(
    {
        "model": ABLE,
        "input": [
            {"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"}
            for n in range(5_000)
        ],
    }
).encode()


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (DEEP, {"malformed_json"}),
        (MANY, {"tokens_too_long"}),
        (PARTS, {""}),
        (REFERENCES, {"invalid_messages"}),
        (CALLS, {"invalid_messages"}),
        (b"[]", {"malformed_json"}),
        (b'{"input": "x"}', {"invalid_model"}),
    ],
    ids=["deep", "many", "parts", "references", "calls", "list", "no model"],
)
def test_hostile_bodies(api: Api, books: Books, body: bytes, codes: set[str]) -> None:
    reply = api.at(STRICT).send("POST", "/responses", body)
    code = "" if reply.status == 200 else reply.json["error"]["code"]
    assert code in codes, reply.text[:300]
    books.settled()


def test_nothing_is_charged_for_a_refusal(api: Api, books: Books) -> None:
    reply = create(api, Script(), temperature=9)
    books.free(reply.headers["x-request-id"])
