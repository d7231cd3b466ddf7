"""`malformed_json`: not JSON, JSON but no object, an object with a wrong field."""

from __future__ import annotations

import pytest

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS, STRICT])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"model=x",
        b'{"model": "x",}',
        b'{"model": NaN}',
        b'{"model": "\xff\xfe"}',
        b'{"a": 1} {"b": 2}',
        b"[" * 100_000,
    ],
)
def test_not_json(api: Api, mount: str, body: bytes) -> None:
    malformed(api.at(mount).send("POST", "/chat/completions", body), "Invalid JSON")


@pytest.mark.parametrize("body", [b"[]", b'[{"model": "x"}]', b'"x"', b"1", b"null", b"true"])
def test_not_an_object(api: Api, body: bytes) -> None:
    malformed(api.send("POST", "/chat/completions", body), "Invalid Argument")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 7),
        ("model", ["ernie-speed-8k"]),
        ("stream", 1),
        ("stream_options", True),
        ("stream_options", {"include_usage": "yes"}),
        ("user", 7),
        ("tools", {}),
        ("response_format", 7),
        ("web_search", "yes"),
    ],
)
def test_field_of_the_wrong_type(api: Api, field: str, value: object) -> None:
    malformed(api.chat(**{"model": CHAT, field: value}), field)


@pytest.mark.parametrize("value", ["", None])
def test_model_is_empty(api: Api, value: object) -> None:
    reply = api.chat(model=value)
    refused(reply, 400, "invalid_request_error", "invalid_model", "model is empty")


def test_model_is_missing(api: Api) -> None:
    refused(api.chat(), 400, "invalid_request_error", "invalid_model", "model is empty")


def test_messages_are_missing(api: Api) -> None:
    reply = api.post("/chat/completions", {"model": CHAT})
    refused(reply, 400, "invalid_request_error", "invalid_messages")


def test_no_such_model(api: Api) -> None:
    reply = api.chat(model="ernie-9-9k")
    refused(reply, 404, "invalid_request_error", "no_such_model", "ernie-9-9k")


def test_lone_surrogate_is_no_reason_to_fail(api: Api) -> None:
    # Valid JSON may escape half a character; no engine can read it, so it must not get that far.
    body = b'{"model": "scripted-chat", "messages": [{"role": "user", "content": "\\ud800"}]}'
    assert api.send("POST", "/chat/completions", body).status in {200, 400}
