"""The limits of an account (contract, Errors, 429; Default limits)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, no_engine, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

LIMITED = """
[models."twelve-a-minute"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "scripted"
rpm = 12
tpm = 100000

[models."three-a-minute"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "scripted"
rpm = 3
tpm = 100000

[models."few-tokens"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "scripted"
capabilities = ["json_object"]
tpm = 1200

[deployments.narrow]
engine = "upstream"
url = "{url}"
model = "narrow"
slots = 1
queue = 1

[models.narrow]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "narrow"

[models.yielding]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "narrow"
preemptible = true
"""


@pytest.fixture(scope="module")
def limited(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    text = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    data: Path = tmp_path_factory.mktemp("limited")
    with Server(data, models=text + LIMITED.format(url=upstream.url), settings=QUICK) as running:
        running.token()  # makes the account that the books are read of
        yield running
        Books(running).settled()


@pytest.fixture
def fresh(limited: Server, request: pytest.FixtureRequest) -> Api:
    """An account of the test's own, so that no other has used its limits."""
    name = request.node.name.replace("[", "-").replace("]", "")[:40]
    limited.run("member", "create", name)
    return Api(limited.url, limited.token(account=name))


def limit_headers(reply: Reply) -> dict[str, str]:
    return {
        name.removeprefix("x-ratelimit-"): value
        for name, value in reply.headers.items()
        if name.startswith("x-ratelimit-")
    }


def test_headers_tell_what_is_left(fresh: Api) -> None:
    reply = fresh.chat(model="three-a-minute", max_tokens=100, messages=Script(["好"]).messages)
    answered(reply)
    told = limit_headers(reply)
    assert told["limit-requests"] == "3"
    assert told["remaining-requests"] == "2"
    assert told["limit-tokens"] == "100000"
    assert 99_000 < int(told["remaining-tokens"]) < 100_000
    assert told["reset-requests"].endswith("s")
    assert told["reset-tokens"].endswith("s")


def test_all_that_is_read_counts(fresh: Api) -> None:
    """The thoughts of earlier turns as well as what was said."""
    history = [
        {"role": "user", "content": "一"},
        {"role": "assistant", "content": "二" * 2000, "reasoning_content": "想" * 3000},
        {"role": "user", "content": "三"},
    ]
    reply = fresh.chat(model="three-a-minute", max_tokens=100, messages=history)
    answered(reply)
    assert 94_800 < int(limit_headers(reply)["remaining-tokens"]) < 95_000


def test_requests_a_minute(fresh: Api) -> None:
    script, began, admitted = Script(["好"]), time.monotonic(), 0
    while (reply := fresh.chat(model="twelve-a-minute", messages=script.messages)).status == 200:
        admitted += 1
    # One more for each five seconds that the requests themselves have taken.
    assert 12 <= admitted <= 13 + (time.monotonic() - began) / 5
    refused(
        reply, 429, "rate_limit_exceeded", "rpm_rate_limit_exceeded", "Rate limit reached for RPM"
    )
    wait = int(reply.headers["retry-after"])
    assert 1 <= wait <= 5
    assert str(wait) in reply.json["error"]["message"]
    assert limit_headers(reply)["remaining-requests"] == "0"
    # Another model of the same account has limits of its own.
    answered(fresh.chat(model="few-tokens", max_tokens=10, messages=script.messages))
    time.sleep(wait)
    answered(fresh.chat(model="twelve-a-minute", messages=script.messages))


def test_tokens_a_minute_give_back_what_was_not_used(fresh: Api) -> None:
    """Each estimate is some 1,030 of 1,200; each answer uses few, so all are admitted."""
    for number in range(4):
        script = Script([f"第{number}"])
        answered(fresh.chat(model="few-tokens", messages=script.messages))


def test_tokens_a_minute(fresh: Api) -> None:
    words = ["字"] * 900
    answered(fresh.chat(model="few-tokens", max_tokens=1000, messages=Script(words).messages))
    reply = fresh.chat(model="few-tokens", max_tokens=400, messages=Script(["好"]).messages)
    refused(
        reply, 429, "rate_limit_exceeded", "tpm_rate_limit_exceeded", "Rate limit reached for TPM"
    )
    assert 1 <= int(reply.headers["retry-after"]) <= 60


def test_drafts_that_did_not_hold_count_for_the_tokens_a_minute(fresh: Api) -> None:
    """All three: nobody can have an engine work for nothing again and again."""
    draft = Script(["不"] * 350)
    script = Script(draft.pieces, again=[draft] * 2)
    fields = {"model": "few-tokens", "max_tokens": 400, "response_format": {"type": "json_object"}}
    no_engine(fresh.chat(**fields, messages=script.messages))
    refused(
        fresh.chat(**fields, messages=Script(["{}"]).messages),
        429, "rate_limit_exceeded", "tpm_rate_limit_exceeded", "Rate limit reached for TPM",
    )  # fmt: skip


def test_the_engines_and_their_queue_are_full(fresh: Api) -> None:
    slow = Script(["慢"] * 2000, rate=10)
    replies: list[Reply] = []
    asking = [
        threading.Thread(
            target=lambda: replies.append(
                fresh.chat(model="narrow", messages=Script(["好"]).messages)
            )
        )
        for _ in range(3)
    ]
    with fresh.streaming(model="narrow", messages=slow.messages) as (_, live):
        next(live)
        for one in asking:
            one.start()
        end = time.monotonic() + 100
        while len(replies) < 2:
            assert time.monotonic() < end
            time.sleep(0.05)
    # One of them had the place in the queue.
    for one in asking:
        one.join(100)
    *late, last = replies
    answered(last)
    for reply in late:
        refused(
            reply, 429, "rate_limit_exceeded", "cluster_rate_limit_exceeded",
            "request limit by resouce cluster reached",
        )  # fmt: skip
        assert int(reply.headers["retry-after"]) >= 1


def test_preemptible_yields_while_there_is_no_slot(fresh: Api) -> None:
    answered(fresh.chat(model="yielding", messages=Script(["好"]).messages))
    slow = Script(["慢"] * 2000, rate=10)
    with fresh.streaming(model="narrow", messages=slow.messages) as (_, live):
        next(live)
        reply = fresh.chat(model="yielding", messages=Script(["好"]).messages)
        refused(
            reply, 429, "rate_limit_exceeded", "preemptible_rate_limit_exceeded",
            "Rate limit reached for preemptible resource",
        )  # fmt: skip
        assert int(reply.headers["retry-after"]) >= 1


def test_queries_a_second(upstream: Upstream, tmp_path: Path) -> None:
    """The built-in default is 20 a second, over all operations of an account."""
    text = models_toml(upstream.url, free_port(), ALL_SCRIPTED).replace("qps = 0", "qps = 20", 1)
    with Server(tmp_path, models=text, settings=QUICK) as server:
        api = Api(server.url, server.token())
        with Connection(api.url) as connection:
            # All at once: one after the other, they might be slower than the limit.
            for _ in range(60):
                connection.request("GET", api.mount + "/models", headers=api.headers)
            replies = [connection.reply() for _ in range(60)]
        late = [reply for reply in replies if reply.status == 429]
        assert 200 in {reply.status for reply in replies[:20]}
        assert late, "sixty requests in a row were all answered"
        refused(
            late[0], 429, "rate_limit_exceeded", "user_rate_limit_exceeded", "qps request limit"
        )
        assert late[0].headers["retry-after"] == "1"
        time.sleep(1)
        assert api.get("/models").status == 200
