"""Budgets that memory counts, over HTTP: of tokens, members, groups, organisations and of all."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.budgets import beside, change, group, limit
from tests.kit.expect import answered, refused
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, models_toml
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.accounts.budget_tables import Unit

WAITS = "qps = 0\nqueue = 60\nwait = 100.0"
"""In which many racers have their turn."""
SOON_OVER = "qps = 0\nqueue = 2\nwait = 0.5"


def served(upstream: Upstream, data: Path, limits: str) -> Iterator[Server]:
    text = models_toml(upstream.url, free_port(), ALL_SCRIPTED).replace("qps = 0", limits, 1)
    with Server(data, models=text, settings=QUICK) as running:
        running.token()  # makes the account that the books are read of
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def waiting(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(upstream, tmp_path_factory.mktemp("waiting"), WAITS)


@pytest.fixture(scope="module")
def soon_over(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(upstream, tmp_path_factory.mktemp("soon"), SOON_OVER)


class Class:
    """Members of a test's own, each with a token and the client that bears it."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.data = server.data
        self.name = name

    def member(self, name: str) -> Api:
        self.server.run("member", "create", f"{self.name}-{name}")
        return self.bearer(name)

    def bearer(self, name: str) -> Api:
        return Api(self.server.url, self.server.token(account=f"{self.name}-{name}"))

    def group(self, name: str, *members: str, below: str | None = None) -> str:
        """Gives what it is called."""
        called = f"{self.name} {name}"
        everybody = [f"{self.name}-{member}" for member in members]
        beside(self.data, lambda c: group(c, called, *everybody, below=below))
        return called

    def limit(self, unit: Unit, amount: int, model: str | None = None, **subject: str) -> int:
        return beside(self.data, lambda c: limit(c, unit, amount, model, **subject))

    def change(self, budget: int, amount: int | None) -> None:
        beside(self.data, lambda c: change(c, budget, amount))


@pytest.fixture
def pupils(waiting: Server, request: pytest.FixtureRequest) -> Class:
    return Class(waiting, request.node.name[5:30])


@pytest.fixture
def hasty(soon_over: Server, request: pytest.FixtureRequest) -> Class:
    return Class(soon_over, request.node.name[5:30])


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def in_flight(server: Server, count: int) -> None:
    """Wait until so many chats are being answered."""
    end = time.monotonic() + 60
    said = f'xinghe_requests_in_flight{{operation="chat"}} {count}.0\n'
    while said not in _metrics(server):
        assert time.monotonic() < end, f"never {said}"
        time.sleep(0.02)


def _metrics(server: Server) -> str:
    with urllib.request.urlopen(server.metrics_url) as answer:
        text: str = answer.read().decode()
    return text


def hello(api: Api, model: str = CHAT, **fields: object) -> Reply:
    return api.chat(model=model, messages=Script(["好"]).messages, **fields)


def over(reply: Reply, kind: str, says: str) -> int:
    """A 429 of a kind; gives its `Retry-After`."""
    refused(reply, 429, "rate_limit_exceeded", f"{kind}_rate_limit_exceeded")
    wait = reply.headers["retry-after"]
    assert reply.json["error"]["message"] == f"{says}, try again in {wait} s"
    return int(wait)


def test_a_token_s_requests_a_minute(pupils: Class) -> None:
    first = pupils.member("Li")
    second = pupils.bearer("Li")
    assert first.token is not None
    pupils.limit("rpm", 2, token=first.token)
    headers = hello(first).headers
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "1"
    answered(hello(first, ABLE))
    reply = hello(first)
    wait = over(reply, "rpm", "Rate limit reached for RPM (2 of the access token)")
    assert 20 <= wait <= 30
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"
    answered(hello(second))
    assert first.get("/models").status == 200


def test_a_group_s_requests_are_those_of_all_its_members(pupils: Class) -> None:
    clients = [pupils.member(name) for name in ("Li", "Wu", "He")]
    group = pupils.group("一班", "Li", "Wu")
    pupils.limit("rpm", 3, group=group)
    for client in clients[:2]:
        answered(hello(client))
    answered(hello(clients[0], ABLE))
    for client in clients[:2]:
        over(hello(client), "rpm", f"Rate limit reached for RPM (3 of the group {group})")
    answered(hello(clients[2]))


def test_an_organisation_s_tokens_are_those_of_its_groups(pupils: Class) -> None:
    one, other = pupils.member("Li"), pupils.member("Wu")
    school = pupils.group("校")
    pupils.group("一班", "Li", below=school)
    pupils.group("二班", "Wu", below=school)
    pupils.limit("tpm", 1200, group=school)
    words = Script(["字"] * 900)
    answered(one.chat(model=CHAT, max_tokens=1000, messages=words.messages))
    reply = hello(other, max_tokens=1000)
    wait = over(reply, "tpm", f"Rate limit reached for TPM (1200 of the group {school})")
    assert 1 <= wait <= 60
    assert reply.headers["x-ratelimit-limit-tokens"] == "1200"
    assert int(reply.headers["x-ratelimit-remaining-tokens"]) < 1000


def test_one_model_for_all(pupils: Class) -> None:
    one, other = pupils.member("Li"), pupils.member("Wu")
    budget = pupils.limit("rpm", 1, ABLE)
    answered(hello(one, ABLE))
    says = f"Rate limit reached for RPM (1 of the service on {ABLE})"
    over(hello(other, ABLE), "rpm", says)
    answered(hello(other))
    pupils.change(budget, None)
    answered(hello(other, ABLE))


def test_a_change_is_known_with_the_next_request(pupils: Class) -> None:
    api = pupils.member("Li")
    answered(hello(api))
    budget = pupils.limit("rpm", 1, member=f"{pupils.name}-Li")
    answered(hello(api))
    over(hello(api), "rpm", "Rate limit reached for RPM (1 of the member)")
    pupils.change(budget, 60)
    answered(hello(api))
    pupils.change(budget, 1)
    over(hello(api), "rpm", "Rate limit reached for RPM (1 of the member)")
    pupils.change(budget, None)
    answered(hello(api))


def test_fifty_for_one_place(pupils: Class, upstream: Upstream) -> None:
    clients = [pupils.member(name) for name in ("Li", "Wu")]
    pupils.limit("concurrent", 1, group=pupils.group("一班", "Li", "Wu"))
    scripts = [Script(["好"], delay=0.01) for _ in range(50)]

    def ask(number: int) -> Reply:
        return clients[number % 2].chat(model=CHAT, messages=scripts[number].messages)

    with ThreadPoolExecutor(50) as racers:
        for reply in racers.map(ask, range(50)):
            answered(reply)
    seen = sorted((upstream.received(script) for script in scripts), key=lambda each: each.at)
    for one, next_one in pairwise(seen):
        assert one.ended_at is not None
        assert one.ended_at <= next_one.at, "two were at work at once"


def test_who_waits_is_served_in_order_and_who_leaves_is_not(
    pupils: Class, upstream: Upstream, crowd: ExitStack
) -> None:
    api = pupils.member("Li")
    assert api.token is not None
    pupils.limit("concurrent", 1, token=api.token)
    scripts = [Script(["好"]) for _ in range(3)]
    first, leaving, last = (crowd.enter_context(Connection(api.url)) for _ in scripts)
    with api.streaming(model=CHAT, messages=Script(["慢"] * 2000, rate=10).messages) as (_, live):
        next(live)
        for waiting, connection in enumerate((first, leaving, last)):
            script = scripts[waiting]
            body = json.dumps({"model": CHAT, "messages": script.messages}).encode()
            connection.request("POST", f"{api.mount}/chat/completions", body, api.headers)
            in_flight(pupils.server, waiting + 2)
        leaving.__exit__(None, None, None)
        in_flight(pupils.server, 3)
        assert not any(upstream.attempts(script) for script in scripts)
    answered(first.reply())
    answered(last.reply())
    one, other = upstream.received(scripts[0]), upstream.received(scripts[2])
    assert one.ended_at is not None
    assert one.ended_at <= other.at
    assert upstream.attempts(scripts[1]) == []


def test_what_waits_holds_nothing_and_goes_on_when_the_limit_is_raised(
    pupils: Class, upstream: Upstream
) -> None:
    api = pupils.member("Li")
    member = f"{pupils.name}-Li"
    budget = pupils.limit("concurrent", 1, member=member)
    script, late = Script(["好"]), Script(["好"])
    replies: list[Reply] = []
    with api.streaming(model=CHAT, messages=Script(["慢"] * 2000, rate=10).messages) as (_, live):
        next(live)
        held = Books(pupils.server, member).shown()["held"]
        asking = threading.Thread(
            target=lambda: replies.append(api.chat(model=CHAT, messages=script.messages))
        )
        asking.start()
        time.sleep(0.5)
        assert upstream.attempts(script) == []
        assert Books(pupils.server, member).shown()["held"] == held
        pupils.change(budget, 2)
        asking.join(60)
        answered(replies[0])
        # That was known to one who waited; this one is told.
        answered(api.chat(model=CHAT, messages=late.messages))


def test_the_account_tells_what_is_left(pupils: Class) -> None:
    api, member = pupils.member("Li"), f"{pupils.name}-Li"
    pupils.limit("rpm", 3, member=member)
    pupils.limit("concurrent", 2, CHAT, member=member)
    assert left_of(api) == {("rpm", None): (0, 3), ("concurrent", CHAT): (0, 2)}
    with api.streaming(model=CHAT, messages=Script(["慢"] * 2000, rate=10).messages) as (_, live):
        next(live)
        assert left_of(api) == {("rpm", None): (1, 2), ("concurrent", CHAT): (1, 1)}
    answered(hello(api))
    assert left_of(api)["concurrent", CHAT] == (0, 2)


def left_of(api: Api) -> dict[tuple[str, str | None], tuple[int, int]]:
    """Of each budget, what is used and what is left."""
    told = api.get("/account").json["budgets"]
    return {(each["unit"], each["model"]): (each["used"], each["left"]) for each in told}


def test_a_wait_that_is_too_long(hasty: Class) -> None:
    api = hasty.member("Li")
    group = hasty.group("一班", "Li")
    hasty.limit("concurrent", 1, CHAT, group=group)
    says = f"concurrent request limit reached (1 of the group {group} on {CHAT})"
    with api.streaming(model=CHAT, messages=Script(["慢"] * 2000, rate=10).messages) as (_, live):
        next(live)
        began = time.monotonic()
        reply = hello(api)
        assert time.monotonic() - began >= 0.5
        assert over(reply, "user", says) >= 1
        # So is a stream: its status waits with it.
        over(hello(api, stream=True), "user", says)
        answered(hello(api, ABLE))
    assert re.search(r"as-[a-z0-9]{10}", reply.headers["x-request-id"])
    answered(hello(api))


def test_a_full_queue(hasty: Class) -> None:
    api = hasty.member("Li")
    hasty.limit("concurrent", 1, member=f"{hasty.name}-Li")
    with api.streaming(model=CHAT, messages=Script(["慢"] * 2000, rate=10).messages) as (_, live):
        next(live)
        with ThreadPoolExecutor(10) as racers:
            replies = list(racers.map(lambda _: hello(api), range(10)))
    for reply in replies:
        over(reply, "user", "concurrent request limit reached (1 of the member)")
