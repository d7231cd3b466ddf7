"""Bodies that try the parser: each is refused by name or taken as it is, and refusals are free."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.edge.conftest import body, exchange, head
from tests.kit.api import DOCUMENTED, HELLO, STRICT, Api
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT

PATH = "/chat/completions"
pytestmark = pytest.mark.usefixtures("free_of_charge")


def raw(fields: bytes) -> bytes:
    """A chat request with more fields, written by hand."""
    return body()[:-1] + b", " + fields + b"}"


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(
    "data",
    [
        body()[:-1],
        body()[:30],
        b"\xef\xbb\xbf" + body(),
        body().decode().encode("utf-16"),
        body() + b"\x00",
        body().replace(b'"user"', b"'user'"),
        raw(b'"temperature": NaN'),
        raw(b'"temperature": Infinity'),
        raw(b'"temperature": -Infinity'),
        raw(b'"temperature": 1e400'),
        raw(b'"temperature": ' + b"1" * 5000),
        raw(b'"temperature": 00.5'),
        raw(b'"user": "\xc3\x28"'),
        raw(b'"user": "\xed\xa0\x80"'),
        raw(b'"user": "a\nb"'),
        raw(b'"stop": "\\ud800"'),
        raw(b'"user": "\\udc00x"'),
        raw(b'"\\ud800": 1'),
        b'{"model": "\\ud83d", "messages": []}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}], "model": "scripted-chat"}',
    ],
)
def test_not_json(api: Api, mount: str, data: bytes) -> None:
    malformed(api.at(mount).send("POST", PATH, data), "Invalid JSON")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the body is empty"),
        (b" \r\n ", "the body is empty"),
        (b"\xef\xbb\xbf" + body(), "byte order mark"),
        (body().decode().encode("utf-16"), "UTF-16"),
        (body().decode().encode("utf-16-le"), "UTF-16"),
        (body().decode().encode("utf-32-be"), "UTF-32"),
        (raw(b'"user": "\\ud83d"'), "lone surrogate (\\ud83d, byte"),
        (raw(b'"user": "\\\\\\ud83d\\ude00\\uDE00x"'), "lone surrogate (\\uDE00, byte"),
        (raw(b'"user": "\\ud83d\\u0041"'), "lone surrogate (\\ud83d, byte"),
        (raw(b'"\\udc00": 1'), "lone surrogate (\\udc00, byte"),
        (raw(b'"user": "\xed\xa0\x80"'), "lone surrogate (in its bytes, byte"),
        (raw(b'"user": "\xff"'), "not in UTF-8: 0xff"),
        (raw(b'"x": "%s\\ud83d", "y": ""' % (b"x" * 300_000)), "lone surrogate (\\ud83d, byte"),
        (raw(b'"x": "\\\\ud83d", "user": "'), "truncated"),
    ],
)
def test_it_is_said_what_is_wrong(api: Api, data: bytes, why: str) -> None:
    for mount in (DOCUMENTED, STRICT):
        malformed(api.at(mount).send("POST", PATH, data), "Invalid JSON", why)


@pytest.mark.parametrize(
    "nest", [b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000]
)
@pytest.mark.parametrize("field", ["messages", "model", "x", "tools", "stop", "logit_bias"])
def test_deep_nesting(api: Api, field: str, nest: bytes) -> None:
    reply = api.send("POST", PATH, b'{"%s": %s}' % (field.encode(), nest))
    malformed(reply, "Invalid JSON", "nested too deeply")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, identity"])
def test_compressed_body(api: Api, encoding: str) -> None:
    data = gzip.compress(body())
    lines = (f"Content-Encoding: {encoding}", f"Content-Length: {len(data)}")
    malformed(exchange(api, head(api, *lines) + data), "Content-Encoding", encoding, "identity")


@pytest.mark.parametrize("digits", [20, 400])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize(
    "field", ["temperature", "top_p", "penalty_score", "seed", "n", "max_tokens", "top_logprobs"]
)
def test_number_beyond_64_bits(api: Api, field: str, sign: str, digits: int) -> None:
    for mount in (DOCUMENTED, STRICT):
        reply = api.at(mount).chat(model=CHAT, **{field: int(sign + "9" * digits)})
        malformed(reply, field, sign + "9" * 20, "allowed", param=field)
        assert len(reply.body) < 1000


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_a_million_characters(api: Api, mount: str) -> None:
    for content in ("字" * 150_000, "a" * 1_000_000):
        reply = api.at(mount).chat(
            model="ernie-3.5-8k", messages=[{**HELLO[0], "content": content}]
        )
        refused(reply, 400, "invalid_request_error", "characters_too_long", "20480", len(content))


def test_last_of_two_keys_counts(api: Api) -> None:
    malformed(api.send("POST", PATH, raw(b'"top_p": 0.5, "top_p": 9')), "top_p is 9")


def test_ten_thousand_messages(api: Api) -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant")] * 5000
    refused(
        api.chat(model=CHAT, messages=turns), 400, "invalid_request_error", "invalid_messages", 9999
    )


def test_long_values_are_cut_in_the_message(api: Api) -> None:
    for field in ("model", "stop", "tool_choice", "response_format", "role"):
        value = "长" * 20_000
        fields = (
            {"messages": [{"role": value, "content": "x"}]} if field == "role" else {field: value}
        )
        reply = api.chat(**{"model": CHAT, **fields})
        assert reply.status in {400, 404}
        assert len(reply.body) < 1000


def test_what_is_sent_is_not_markup(api: Api) -> None:
    reply = api.chat(model="<script>alert(1)</script>")
    assert reply.headers["content-type"].startswith("application/json")
    assert json.loads(reply.body)["error"]["code"] == "no_such_model"
