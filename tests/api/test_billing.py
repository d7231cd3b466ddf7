"""What is charged: tokens × ratio, in whole micro-Tokens, once."""

from __future__ import annotations

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.models import CHAT
from tests.kit.script import Script

MICRO = 1_000_000

# scripted-chat: 1 Token an input token, a quarter if cached, 2 Tokens an output token.
CASES = [
    (Script(pieces=["好"] * 5, prompt_tokens=10), 10 * 4 + 5 * 8),
    (Script(pieces=["好"] * 5, prompt_tokens=10, cached_tokens=4), 6 * 4 + 4 + 5 * 8),
    (Script(pieces=["好"], prompt_tokens=40, cached_tokens=40), 40 + 8),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("script", "quarters"), CASES)
def test_amount(api: Api, books: Books, script: Script, quarters: int, stream: bool) -> None:
    asked = {"model": CHAT, "messages": script.messages}
    if stream:
        name = api.stream(**asked).headers["x-request-id"]
    else:
        name = answered(api.chat(**asked))["id"]
    entry = books.usage(name)
    assert entry["amount"] == -quarters * MICRO // 4
    assert entry["model"] == CHAT
    assert entry["prompt_tokens"] == script.prompt_tokens
    assert entry["completion_tokens"] == len(script.pieces)
    assert entry["cached_tokens"] == script.cached_tokens


def test_balance_moves_by_the_amount(api: Api, books: Books) -> None:
    books.settled()
    before = books.shown()
    entry = books.usage(answered(api.chat(model=CHAT, messages=Script().messages))["id"])
    books.settled()
    after = books.shown()
    assert after["balance"] - before["balance"] == entry["amount"]
    assert entry["balance_after"] == after["balance"]


@pytest.mark.embedded
def test_embedded_engine_is_charged_by_its_own_count(api: Api, books: Books) -> None:
    # ernie-3.5-8k: 0.4 a token of input, 1 a token of output (a tenth of input if cached).
    body = answered(api.chat(model="ernie-3.5-8k", max_tokens=6))
    usage = body["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    fresh = usage["prompt_tokens"] - cached
    amount = fresh * 400_000 + cached * 100_000 + usage["completion_tokens"] * MICRO
    assert books.usage(body["id"])["amount"] == -amount


def test_what_an_upstream_reports_beyond_the_hold_is_not_the_users_debt(
    api: Api, books: Books
) -> None:
    script = Script(pieces=["好"], prompt_tokens=10, completion_tokens=1_000_000)
    reply = api.chat(model=CHAT, messages=script.messages, max_tokens=2)
    entry = books.usage(answered(reply)["id"])
    bound = len(script.prompt.encode()) + 200 + 2 * 2
    assert 0 < -entry["amount"] <= bound * MICRO


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "ernie-9-9k"},
        {"model": CHAT, "temperature": 9},
        {"model": CHAT, "messages": []},
        {"model": CHAT, "max_tokens": 0},
    ],
)
def test_a_refusal_costs_nothing(api: Api, books: Books, fields: dict[str, object]) -> None:
    for mounted in (api, api.at(STRICT)):
        reply = mounted.chat(**fields)
        assert 400 <= reply.status < 500
        books.free(reply.headers["x-request-id"])


def test_prompt_and_answer_are_not_in_the_books_or_the_log(api: Api, books: Books) -> None:
    script = Script(pieces=["绝密的账单回答"])
    entry = books.usage(answered(api.chat(model=CHAT, messages=script.messages))["id"])
    assert "绝密" not in repr(entry)
    for file in books.server.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert script.id.encode() not in content, file
            assert script.text.encode() not in content, file
