"""What a client is told whose request does not fit into a budget."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream


@pytest.fixture
def person(server: Server, request: pytest.FixtureRequest) -> str:
    """A member with 1,000,000 Tokens."""
    name: str = request.node.name[:60].replace("[", " ").replace("]", "")
    server.run("member", "create", name)
    return name


@pytest.fixture
def client(api: Api, server: Server, person: str) -> Api:
    return api.bearing(server.token(account=person))


def budget(server: Server, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.run("budget", "create", *arguments, "--json"))
    return found


def ask(client: Api, max_tokens: int = 100, **fields: Any) -> Reply:
    script = Script(pieces=["好"], prompt_tokens=10)
    return client.chat(model=CHAT, messages=script.messages, max_tokens=max_tokens, **fields)


def over(reply: Reply) -> str:
    """The message of a refusal that no retry helps."""
    refused(reply, 403, "access_denied", "token_quota_exceeded")
    message: str = reply.json["error"]["message"]
    return message


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_over_budget(
    client: Api, server: Server, person: str, upstream: Upstream, stream: bool
) -> None:
    made = budget(
        server, "--member", person, "--tokens", "500", "--per", "month", "--zone", "Asia/Shanghai"
    )
    reply = ask(client, 250, stream=stream)  # at ratio 2, and the prompt
    message = over(reply)
    assert "the budget of the member, 500 Tokens in each month (Asia/Shanghai)" in message
    assert "500 left" in message
    assert re.search(r"again at \d{4}-\d\d-01T00:00:00\+08:00", message) is None, "it never fits"
    (fits,) = re.findall(r"the largest max_tokens that fits is (\d+)", message)
    assert 20 < int(fits) < 250
    over(ask(client, int(fits) + 1))
    body = answered(ask(client, int(fits)))
    entry = Books(server, person).usage(body["id"])
    (shown,) = json.loads(server.run("budget", "list", "--member", person, "--json"))
    assert shown["id"] == made["id"]
    assert shown["used"] * 1_000_000 == -entry["amount"]
    # What is gone now is there again when the month is over.
    message = over(ask(client, int(fits)))
    assert re.search(r"again at \d{4}-\d\d-01T00:00:00\+08:00", message)
    Books(server, person).settled()


def test_requests_over_budget(client: Api, server: Server, person: str) -> None:
    budget(server, "--member", person, "--requests", "2", "--per", "day", "--rolling")
    for _ in range(2):
        answered(ask(client))
    reply = ask(client)
    text = "the budget of the member, 2 requests in any day, is used up"
    refused(reply, 429, "rate_limit_exceeded", "user_rate_limit_exceeded", text)
    assert 86_000 < int(reply.headers["retry-after"]) < 90_000
    # A change holds from the next request on.
    (shown,) = json.loads(server.run("budget", "list", "--member", person, "--json"))
    server.run("budget", "set", str(shown["id"]), "--requests", "3")
    answered(ask(client))
    refused(ask(client), 429, "rate_limit_exceeded", "user_rate_limit_exceeded")
    server.run("budget", "end", str(shown["id"]))
    answered(ask(client))


def test_a_model_of_a_token(client: Api, server: Server, person: str) -> None:
    listed = json.loads(server.run("token", "list", "--member", person, "--json"))
    token = listed[0]["public_id"]
    budget(server, "--token", token, "--tokens", "0", "--per", "total", "--model", CHAT)
    message = over(ask(client))
    assert "the budget of the access token, 0 Tokens in total" in message
    assert "again at" not in message
    assert "that fits" not in message
    answered(client.post("/embeddings", {"input": ["星"]}))


def test_of_50_racers_one_gets_what_is_left_for_one(
    client: Api, server: Server, person: str
) -> None:
    server.run("member", "grant", person, "5")
    budget(server, "--member", person, "--requests", "1", "--per", "week")
    replies: list[Reply] = []
    racers = [threading.Thread(target=lambda: replies.append(ask(client))) for _ in range(15)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted({reply.status for reply in replies}) == [200, 429]
    assert [reply.status for reply in replies].count(200) == 1
    Books(server, person).settled()
