"""Paths and methods that are not served say so in JSON, and say what is."""

from __future__ import annotations

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import refused
from tests.kit.models import CHAT
from tests.kit.raw import Connection

NOWHERE = (404, "invalid_request_error", "no_such_path")


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/v3/chat/completions",
        "/llm/lmapi/v2/chat/completions",
        "/llm/lmapi/chat/completions",
        "/llm/lmapi/v3/v1/v1/chat/completions",
        "/v4/models",
        "/api",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_wrong_base_url(api: Api, method: str, path: str) -> None:
    refused(api.at("").send(method, path, b"{}"), *NOWHERE, "/llm/lmapi/v3")


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("path", ["/audio/speech", "/files", "/fine_tuning/jobs", "/chat", "/"])
def test_not_served_under_a_mount(api: Api, mount: str, path: str) -> None:
    refused(api.at(mount).post(path, {"model": CHAT}), *NOWHERE)


def test_unserved_operation_is_named(api: Api) -> None:
    refused(api.post("/batches", {"model": CHAT}), *NOWHERE, "/batches", "not served")


def test_v2_is_an_alias_of_the_documented_dialect(api: Api) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "你好"}]}
    (choice,) = api.at("/v2").post("/chat/completions", body).json["choices"]
    assert choice["flag"] == 0
    assert choice["finish_reason"] == "normal"
    assert api.at("/v2").get("/models").json == api.get("/models").json


def test_a_double_slash_is_no_such_path(api: Api) -> None:
    refused(api.post("//chat/completions", {"model": CHAT}), *NOWHERE)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_on_chat(api: Api, method: str) -> None:
    refused(
        api.send(method, "/chat/completions", b"{}"),
        405,
        "invalid_request_error",
        "method_not_supported",
        "Only POST requests are accepted",
    )


def test_post_on_models(api: Api) -> None:
    reply = api.post("/models", {})
    refused(reply, 405, "invalid_request_error", "method_not_supported")


@pytest.mark.parametrize("path", ["/chat/completions", "/models"])
def test_cors_is_open_on_the_api(api: Api, path: str) -> None:
    preflight = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    reply = api.send("OPTIONS", path, headers=preflight)
    assert reply.status in {200, 204}
    assert reply.headers["access-control-allow-origin"] == "*"
    # A `*` would not do: by the Fetch standard it does not cover Authorization.
    allowed = reply.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type"} <= {name.strip() for name in allowed.split(",")}
    assert "access-control-allow-credentials" not in reply.headers


def test_cors_on_answers_and_refusals(api: Api) -> None:
    origin = {"Origin": "https://page.example"}
    for headers in ({**api.headers, **origin}, origin):
        reply = api.send("GET", "/models", headers=headers)
        assert reply.headers["access-control-allow-origin"] == "*"
        # A page with Anthropic's client reads its name of it, one with OpenAI's the other.
        exposed = reply.headers["access-control-expose-headers"].split(", ")
        assert {"request-id", "x-request-id"} <= set(exposed)


BROKEN = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"


@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", "/llm/lmapi/v3/v1", "/v1"])
def test_cors_on_whatever_is_answered_under_a_mount(api: Api, mount: str) -> None:
    there = api.at(mount)
    replies = [
        there.get(""),
        there.get("/"),
        there.get("/no-such-path"),
        there.post("//chat/completions", {}),
        there.get("/models/no-such-model"),
        there.send("PUT", "/models", b"{}"),
        there.send("HEAD", "/models"),
        there.post("/chat/completions", []),
        there.post("/chat/completions", {"model": "no-such-model"}),
        there.send("POST", "/chat/completions", b" " * (64 * 1024 * 1024 + 1)),
        there.bearing("no-such-token").get("/models"),
    ]
    assert {reply.status for reply in replies} == {400, 401, 404, 405, 413}
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == "*", reply.status
        assert "x-request-id" in reply.headers["access-control-expose-headers"], reply.status


def test_cors_on_what_the_connection_refuses(api: Api) -> None:
    """The path may not be known there, and nothing in the refusal is anybody's."""
    with Connection(api.url) as connection:
        connection.send(BROKEN)
        reply = connection.reply()
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (400, "*")


@pytest.mark.parametrize("path", ["/chat/completions", "/v3/models", "/v1x"])
def test_a_page_may_read_that_its_base_url_is_wrong(api: Api, path: str) -> None:
    nowhere = api.at("")
    for reply in (nowhere.get(path), nowhere.post(path, {})):
        assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in nowhere.get("/healthz").headers
