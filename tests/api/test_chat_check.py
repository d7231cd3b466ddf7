"""A chat is checked without being answered: what it would be refused with, at nobody's cost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.models import ABLE, DULL
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream

CHECK = "/chat/completions/check"
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}
ISBN = {"type": "json_schema", "json_schema": {"properties": {"a": {"format": "isbn"}}}}

PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}


def body(script: Script | None = None, **fields: Any) -> dict[str, Any]:
    return {"model": ABLE, "messages": (script or Script()).messages, **fields}


def deep(levels: int) -> Any:
    value: Any = {"type": "string"}
    for _ in range(levels):
        value = {"properties": {"a": value}}
    return value


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"response_format": ISBN}, "response_format", "'format' at '/properties/a/format'"),
    ({"response_format": {"type": "json_schema"}}, "response_format", "json_schema"),
    (
        {"response_format": {"type": "json_schema", "json_schema": deep(100)}},
        "response_format",
        "levels",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"title": "x" * 1_000_000}}},
        "response_format",
        "characters",
    ),
    ({"tools": "f"}, "tools", "tools is"),
    ({"tools": [TOOL] * 2}, "tools", "twice"),
    ({"tools": [TOOL] * 129}, "tools", "128"),
    ({"tools": [{"type": "function", "function": {"name": "有"}}]}, "tools", "letters"),
    ({"temperature": 9}, "temperature", "temperature is 9"),
    ({"max_completion_tokens": 0}, "max_completion_tokens", "[1, 2048]"),
    ({"model": DULL, "tools": [TOOL]}, "tools", "does not deliver"),
    ({"messages": []}, "messages", "must not be empty"),
    ({"messages": [{"role": "user", "content": [PICTURE] * 33}]}, "messages", "33 pictures"),
]


@pytest.mark.parametrize(("fields", "param", "said"), REFUSED)
def test_what_a_chat_would_be_refused_with(
    api: Api, fields: dict[str, Any], param: str, said: str
) -> None:
    reply, chat = api.at(STRICT).post(CHECK, body(**fields)), api.at(STRICT).chat(**body(**fields))
    error = reply.json["error"]
    assert error["param"] == param
    assert said in error["message"]
    assert (chat.status, chat.json["error"]) == (reply.status, error)


def test_what_would_be_taken_is_not_answered_and_costs_nothing(
    api: Api, upstream: Upstream
) -> None:
    script, ids = Script(), set[str]()
    schema = {"properties": {"a": {"enum": [1, 2]}}}
    for fields in (
        {},
        {"tools": [TOOL]},
        {"response_format": {"type": "json_object", "schema": schema}},
    ):
        reply = api.post(CHECK, body(script, **fields))
        assert reply.json["taken"] is True
        assert reply.json["object"] == "chat.completion.check"
        assert reply.json["id"] == reply.headers["x-request-id"]
        ids.add(reply.json["id"])
    assert upstream.attempts(script) == []
    booked = api.get("/account/entries?kind=usage").json["data"]
    assert not ids & {each["request_id"] for each in booked}


def test_a_refusal_is_no_failed_request(server: Server) -> None:
    # Of a member who fails often, not every request has a row: this one has failed nothing yet.
    server.run("member", "create", "checker")
    token = server.token("--scope", "model.call", "--scope", "account.read", account="checker")
    api = Api(server.url, token)
    ids = [api.post(CHECK, body(temperature=9)).json["id"]]
    ids.append(api.post(CHECK, body(model="no-such-model")).json["id"])
    ids.append(api.chat(model="no-such-model").json["id"])
    end = time.monotonic() + 60
    while not (found := {*ids} & {each["id"] for each in requests(api)}):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert found == {ids[2]}


def requests(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/account/requests").json["data"]
    return found


def test_who_could_not_pay_troubles_nobody(server: Server) -> None:
    server.run("member", "create", "poor-checker", "--tokens", "0")
    poor = Api(server.url, server.token("--scope", "model.call", account="poor-checker"))
    unseen = {"type": "json_schema", "json_schema": {"properties": {"p": {"format": "isbn"}}}}
    told = poor.at(STRICT).post(CHECK, body(response_format=unseen)).json
    assert told["error"]["code"] == "token_quota_exceeded"
