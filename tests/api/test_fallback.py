"""`fallback` of a model: deployments that serve it, in order, where its own cannot (issue 18)."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image

from tests.conftest import QUICK
from tests.kit import operations
from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, away, broke_off, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.operations import Operation, Seen
from tests.kit.raw import Reply
from tests.kit.script import Call, Script
from tests.kit.separate import Separate
from tests.kit.server import Server, free_port
from tests.kit.sse import Stream, stream_of
from tests.kit.upstream import Received, Upstream

DEPLOYMENT = """
[deployments.{name}]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "of-{name}"
{more}
"""
MODEL = """
[models.{name}]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
reasoning_max = 512
capabilities = ["tools", "json_object", "json_schema", "images", "web_search", "reasoning"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "{deployment}"
fallback = {fallback}
"""
DEPLOYMENTS = {
    "own": "",
    "other": "",
    "last": "",
    "narrow": "slots = 1\nqueue = 0",
    "narrow-too": "slots = 1\nqueue = 0",
    "plain": 'tools = false\nstructure = "none"\nthinks = false',
    "small": "context = 1100",
    "sees": "vision = true",
}
CHAINS = {
    "led": ("own", ["other", "last"]),
    "lost": ("gone", ["other"]),
    "away": ("gone", ["gone-too"]),
    "full": ("narrow", ["other"]),
    "all-full": ("narrow", ["narrow-too"]),
    "picky": ("gone", ["plain", "small", "other"]),
    "seeing": ("sees-gone", ["other", "sees"]),
    "dying": ("separate", ["other"]),
}


def served(name: str) -> str:
    """What `x-served-by` says of a deployment."""
    return f"{name}/of-{name}"


@pytest.fixture(scope="module")
def separate() -> Iterator[Separate]:
    with Separate() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    upstream: Upstream, separate: Separate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    closed = f"http://127.0.0.1:{free_port()}/v1"
    urls = dict.fromkeys(DEPLOYMENTS, upstream.url)
    urls |= {"gone": closed, "gone-too": closed, "sees-gone": closed, "separate": separate.url}
    more = DEPLOYMENTS | {"sees-gone": "vision = true"}
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    for name, url in urls.items():
        models += DEPLOYMENT.format(name=name, url=url, more=more.get(name, ""))
    for name, (deployment, fallback) in CHAINS.items():
        models += MODEL.format(name=name, deployment=deployment, fallback=fallback)
    data = tmp_path_factory.mktemp("fallback")
    with Server(data, models=models, settings=QUICK) as running:
        running.token()
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def api(service: Server) -> Api:
    return Api(service.url, service.token())


@pytest.fixture(scope="module")
def books(service: Server) -> Books:
    return Books(service)


def by(attempts: list[Received]) -> list[str]:
    """The deployments that were asked, in order."""
    return [each.body["model"].removeprefix("of-") for each in attempts]


def serving(stream: Stream) -> str:
    """Who answered: by the head, or by a comment where that had left before it was known."""
    told = [line.split("x-served-by: ")[1] for line in stream.comments if "x-served-by" in line]
    assert len(told) + ("x-served-by" in stream.headers) == 1
    return told[0] if told else stream.headers["x-served-by"]


# Who is asked


FAULTS = [
    Script(fault="status", status=400, again=[Script()]),
    Script(fault="status", status=401, again=[Script()]),
    Script(fault="status", status=429, again=[Script()]),
    Script(fault="reset", again=[Script()]),
    Script(fault="truncate", again=[Script()]),
    Script(fault="garbage", again=[Script()]),
    Script(fault="error_event", again=[Script()]),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("script", FAULTS, ids=[f"{s.fault}-{s.status}" for s in FAULTS])
def test_another_answers_what_its_own_failed_before_the_first_delta(
    api: Api, books: Books, upstream: Upstream, script: Script, stream: bool
) -> None:
    script = replace(script, id=Script().id)
    if stream:
        answer = api.stream(model="led", messages=script.messages)
        assert answer.content == Script().text
        assert answer.done
        headers, usage = answer.headers, answer.usage
        assert serving(answer) == served("other")
    else:
        reply = api.chat(model="led", messages=script.messages)
        body = answered(reply)
        assert body["model"] == "led"
        assert body["choices"][0]["message"]["content"] == Script().text
        headers, usage = reply.headers, body["usage"]
        assert headers["x-served-by"] == served("other")
    assert by(upstream.attempts(script)) == ["own", "other"]
    entry = books.usage(headers["x-request-id"])
    assert entry["model"] == "led"
    assert usage is not None
    counts = usage["prompt_tokens"], usage["completion_tokens"]
    assert (entry["prompt_tokens"], entry["completion_tokens"]) == counts == (10, 3)
    assert entry["amount"] == -(10 + 2 * 3) * MICRO


OTHERS = pytest.mark.parametrize("operation", operations.ALL[1:], ids=str)


@OTHERS
def test_another_answers_in_every_form(
    api: Api, books: Books, upstream: Upstream, operation: Operation
) -> None:
    for stream in (False, True):
        script = Script(fault="truncate", again=[Script()])
        if stream:
            seen = operations.stream(api, operation, script, model="led")
            assert seen.done
            assert seen.text == Script().text
            request_id = seen.id
        else:
            body = json.dumps(operation.body(script, model="led")).encode()
            reply = api.at("").send("POST", operation.path, body)
            assert operation.said(reply.json) == Script().text
            assert reply.headers["x-served-by"] == served("other")
            request_id = reply.headers["x-request-id"]
        assert by(upstream.attempts(script)) == ["own", "other"]
        entry = books.usage(request_id)
        assert (entry["prompt_tokens"], entry["completion_tokens"]) == (10, 3)


def test_a_chain_is_tried_in_order(api: Api, books: Books, upstream: Upstream) -> None:
    again = [Script(fault="truncate"), Script(["末"])]
    script = Script(fault="status", status=400, again=again)
    reply = api.chat(model="led", messages=script.messages)
    assert answered(reply)["choices"][0]["message"]["content"] == "末"
    assert by(upstream.attempts(script)) == ["own", "other", "last"]
    assert reply.headers["x-served-by"] == served("last")
    books.usage(reply.headers["x-request-id"])


def test_a_model_whose_own_serves_asks_nobody_else(api: Api, upstream: Upstream) -> None:
    script = Script()
    reply = api.chat(model="led", messages=script.messages)
    answered(reply)
    assert reply.headers["x-served-by"] == served("own")
    assert by(upstream.attempts(script)) == ["own"]


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_its_own_is_away(api: Api, books: Books, mount: str) -> None:
    there = api.at(mount)
    reply = there.chat(model="lost", messages=Script(["甲"]).messages)
    assert reply.status == 200
    assert reply.headers["x-served-by"] == served("other")
    answer = there.stream(model="lost", messages=Script(["甲"]).messages)
    assert answer.content == "甲"
    # A comment may have opened the stream while its own was tried.
    assert serving(answer) == served("other")
    for headers in (reply.headers, answer.headers):
        assert books.usage(headers["x-request-id"])["completion_tokens"] == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_all_are_away(api: Api, books: Books, mount: str, stream: bool) -> None:
    reply = api.at(mount).chat(model="away", stream=stream)
    if reply.status == 200:  # a comment had opened it: each was tried for a second
        answer = stream_of(reply)
        (event,) = answer.errors
        code = "dispatch_internal_error" if mount == DOCUMENTED else "service_unavailable"
        assert event["error"]["code"] == code
        assert answer.chunks == []
    else:
        away(reply)
        assert (reply.status == 503) == (mount == STRICT)
    books.free(reply.headers["x-request-id"])


@contextmanager
def taken(api: Api, model: str) -> Iterator[None]:
    """The only slot of the model's own deployment is taken."""
    slow = Script(["慢"] * 2000, rate=20)
    with api.streaming(model=model, messages=slow.messages) as (_, live):
        next(live)
        yield


def test_its_own_and_its_queue_are_full(api: Api) -> None:
    with taken(api, "full"):
        reply = api.chat(model="full", messages=Script().messages)
    answered(reply)
    assert reply.headers["x-served-by"] == served("other")


def test_all_are_full(api: Api, books: Books) -> None:
    with taken(api, "all-full"), taken(api, "all-full"):
        reply = api.chat(model="all-full", messages=Script().messages)
    refused(reply, 429, "rate_limit_exceeded", "cluster_rate_limit_exceeded")
    assert int(reply.headers["retry-after"]) >= 1
    books.free(reply.headers["x-request-id"])


# What goes no further


def test_a_stream_that_has_begun_is_nobody_else_s(
    api: Api, books: Books, upstream: Upstream
) -> None:
    script = Script(list("一二三四五"), rate=20, fault="reset", after=3, again=[Script()])
    answer = api.stream(model="led", messages=script.messages)
    broke_off(answer)
    assert answer.content == "一二三"
    assert by(upstream.attempts(script)) == ["own"]
    assert serving(answer) == served("own")
    assert books.usage(answer.headers["x-request-id"])["completion_tokens"] == 3


@OTHERS
def test_nor_is_one_of_another_form(
    api: Api, books: Books, upstream: Upstream, operation: Operation
) -> None:
    script = Script(list("一二三四五"), rate=20, fault="reset", after=3, again=[Script()])
    seen = operations.stream(api, operation, script, model="led")
    assert (seen.text, seen.done) == ("一二三", False)
    assert seen.error is not None
    assert seen.error["message"] == f"Internal error ({seen.id})"
    assert by(upstream.attempts(script)) == ["own"]
    assert books.usage(seen.id)["completion_tokens"] == 3


def test_a_whole_answer_that_broke_off_is_made_anew(
    api: Api, books: Books, upstream: Upstream
) -> None:
    again = [Script(["新", "的"], thoughts=["再想"])]
    script = Script(list("一二三四五"), thoughts=["想"], fault="reset", after=3, again=again)
    reply = api.chat(model="led", messages=script.messages)
    message = answered(reply)["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("新的", "再想")
    assert reply.headers["x-served-by"] == served("other")
    assert by(upstream.attempts(script)) == ["own", "other"]
    entry = books.usage(reply.headers["x-request-id"])
    assert entry["completion_tokens"] == reply.json["usage"]["completion_tokens"] == 3


def test_calls_that_broke_off_are_made_anew(api: Api) -> None:
    again = [Script([], calls=[Call("look_up", ['{"q"', ': "新"}'])])]
    first = [Call("look_up", ['{"q"', ': "旧"}'], id="old")]
    script = Script([], calls=first, fault="truncate", after=1, again=again)
    reply = api.chat(model="led", messages=script.messages, tools=[tool()])
    (call,) = answered(reply)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"q": "新"}'


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_what_is_wrong_with_the_request_is_said_by_its_own(
    api: Api, books: Books, upstream: Upstream, stream: bool
) -> None:
    long = Script(fault="status", status=400, code="context_length_exceeded", again=[Script()])
    reply = api.chat(model="led", messages=long.messages, stream=stream)
    refused(reply, 400, "invalid_request_error", "tokens_too_long")
    unsafe = Script(fault="status", status=400, code="content_filter", again=[Script()])
    answer = api.chat(model="led", messages=unsafe.messages, stream=stream)
    assert answer.status == 200
    assert '"content_filter"' in answer.text
    for script, each in ((long, reply), (unsafe, answer)):
        assert by(upstream.attempts(script)) == ["own"]
        books.free(each.headers["x-request-id"])


# Who can stand in


def tool() -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    return {"type": "function", "function": {"name": "look_up", "parameters": parameters}}


def test_one_that_lacks_what_is_asked_for_is_passed_over(api: Api, upstream: Upstream) -> None:
    plain = Script(["平"])
    reply = api.chat(model="picky", messages=plain.messages)
    answered(reply)
    assert reply.headers["x-served-by"] == served("plain")
    calls = Script([], calls=[Call("look_up", ['{"q": "天气"}'])])
    messages = [{"role": "user", "content": "好" * 300}, {"role": "assistant", "content": "嗯"}]
    reply = api.chat(model="picky", messages=[*messages, *calls.messages], tools=[tool()])
    (call,) = answered(reply)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "look_up"
    # `plain` cannot call, and in `small` there is no room.
    assert reply.headers["x-served-by"] == served("other")
    assert by(upstream.attempts(calls)) == ["other"]


def test_pictures_go_to_one_that_sees(api: Api) -> None:
    parts = [
        {"type": "text", "text": Script(["图"]).prompt},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture()}"}},
    ]
    reply = api.chat(model="seeing", messages=[{"role": "user", "content": parts}])
    answered(reply)
    assert reply.headers["x-served-by"] == served("sees")
    # Without a picture, the first does.
    reply = api.chat(model="seeing", messages=Script(["字"]).messages)
    answered(reply)
    assert reply.headers["x-served-by"] == served("other")


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_form_holds_whoever_answers(api: Api, books: Books, upstream: Upstream) -> None:
    form = {"type": "json_object"}
    wrong = Script(["不是 JSON"])
    again = [wrong, wrong, Script(['{"好": true}'])]
    script = Script(["不是 JSON"], again=again)
    reply = api.chat(model="led", messages=script.messages, response_format=form)
    assert answered(reply)["choices"][0]["message"]["content"] == '{"好": true}'
    assert by(upstream.attempts(script)) == ["own", "own", "own", "other"]
    entry = books.usage(reply.headers["x-request-id"])
    assert entry["completion_tokens"] == reply.json["usage"]["completion_tokens"] == 1


# What it costs, and what is told


def test_no_more_is_charged_than_was_held(api: Api, books: Books) -> None:
    again = [Script(prompt_tokens=10**9, completion_tokens=10**9)]
    script = Script(fault="status", status=400, again=again)
    before = books.shown()["balance"]
    reply = api.chat(model="led", messages=script.messages, max_tokens=10)
    answered(reply)
    amount = -books.usage(reply.headers["x-request-id"])["amount"]
    assert 0 < amount < 10_000 * MICRO
    books.settled()
    assert before - books.shown()["balance"] == amount


def test_a_search_is_made_once_and_told_who_answered(
    api: Api, books: Books, upstream: Upstream
) -> None:
    """The state of the search has opened the stream before its own deployment failed."""
    script = Script(fault="status", status=400, again=[Script(["找", "到"])])
    search = {"enable": True, "enable_status": True, "enable_trace": True, "search_num": 3}
    question = {"role": "user", "content": "请搜索一下星河大模型API的速率限制是多少"}
    messages = [*script.messages, {"role": "assistant", "content": "嗯"}, question]
    answer = api.stream(model="led", messages=messages, web_search=search)
    assert answer.content.endswith("找到")
    assert "x-served-by" not in answer.headers
    assert serving(answer) == served("other")
    assert by(upstream.attempts(script)) == ["own", "other"]
    entry = books.usage(answer.headers["x-request-id"])
    tokens = entry["prompt_tokens"] + 2 * entry["completion_tokens"]
    assert -entry["amount"] == (tokens + 4000) * MICRO


def test_a_repeated_key_is_answered_by_what_was_kept(
    api: Api, books: Books, upstream: Upstream
) -> None:
    script = Script(fault="status", status=400, again=[Script(["一"]), Script(["二"])])
    body = json.dumps({"model": "led", "messages": script.messages}).encode()
    headers = api.headers | {"Idempotency-Key": script.id}
    first, second = (api.send("POST", "/chat/completions", body, headers) for _ in range(2))
    assert first.json == second.json
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["x-served-by"] == second.headers["x-served-by"] == served("other")
    assert len(upstream.attempts(script)) == 2
    books.usage(first.headers["x-request-id"])


def test_models_tell_who_may_serve(api: Api, service: Server) -> None:
    answered(api.chat(model="lost", messages=Script().messages))
    lost, gone = (api.get(f"/models/{name}").json["xinghe"] for name in ("lost", "away"))
    assert (lost["state"], lost["fallback"]) == ("ready", [served("other")])
    assert lost["served_by"] == served("gone")
    assert lost["first_token_ms"] is None, "how fast another is, is not told of it"
    assert gone["state"] == "not ready"
    assert "fallback" not in api.get("/models/scripted-chat").json["xinghe"]


def test_log_and_metrics_name_who_served(api: Api, service: Server) -> None:
    script = Script(fault="status", status=400, again=[Script()])
    answered(api.chat(model="led", messages=script.messages))
    with urllib.request.urlopen(service.metrics_url, timeout=10) as page:
        told = page.read().decode()
    names = f'before="{served("own")}",model="led",to="{served("other")}"'
    assert f"xinghe_fallbacks_total{{{names}}}" in told
    log = service.log.read_text("utf-8")
    assert any("fell_back" in line and served("other") in line for line in log.splitlines())


# Deaths


def test_a_server_killed_under_its_requests(
    api: Api, books: Books, separate: Separate, upstream: Upstream
) -> None:
    whole = [Script(list("一二三四五六七八九十"), rate=10) for _ in range(4)]
    waiting = [Script(["好"], delay=1) for _ in range(4)]
    begun = {each: threading.Event() for each in operations.ALL}

    def ask(script: Script) -> Reply:
        return api.chat(model="dying", messages=script.messages)

    def streamed(operation: Operation) -> Seen:
        script = Script(["流"] * 50, rate=10)
        with operations.streaming(api, operation, script, model="dying") as (stream, live):
            for _ in live:
                if len(stream.text) >= 2:
                    begun[operation].set()
        return stream

    with ThreadPoolExecutor(12) as pool:
        streams = [pool.submit(streamed, each) for each in operations.ALL]
        replies = [pool.submit(ask, script) for script in [*whole, *waiting]]
        assert all(each.wait(30) for each in begun.values())
        separate.kill()
        for shown in [each.result() for each in streams]:
            assert not shown.done
            assert shown.error is not None
            assert shown.error["message"] == f"Internal error ({shown.id})"
            assert books.usage(shown.id)["completion_tokens"] == len(shown.text)
        for script, future in zip([*whole, *waiting], replies, strict=True):
            reply = future.result()
            assert answered(reply)["choices"][0]["message"]["content"] == script.text
            assert reply.headers["x-served-by"] == served("other")
            entry = books.usage(reply.headers["x-request-id"])
            assert entry["completion_tokens"] == len(script.pieces)
            assert by(upstream.attempts(script)) == ["other"]
    separate.start()
    reply = api.chat(model="dying", messages=Script().messages)
    answered(reply)
    books.settled()


OUTCOMES = (
    Script(["好", "的"]),
    Script(fault="status", status=400),
    Script(fault="status", status=429),
    Script(fault="truncate"),
    Script(list("一二三"), fault="reset", after=2),
    Script(list("一二三"), fault="error_event", after=1),
    Script(prompt_tokens=10**7),
)
TOKENS, MOST = 50, 10_000
"""Of the answers, and more than any prompt here may be held for."""


def test_whatever_comes_of_it_is_charged_once_or_not_at_all(api: Api, books: Books) -> None:
    chance = random.Random(18)
    before = books.shown()["balance"]

    def ask(number: int) -> tuple[str, bool]:
        """The request's id, and whether anything was shown."""
        first, *again = chances[number]
        script = replace(first, again=again, id=Script().id)
        asked = {"model": "led", "messages": script.messages, "max_tokens": TOKENS}
        reply = api.chat(**asked, stream=number % 2 == 1)
        shown = reply.status == 200 and (number % 2 == 0 or bool(stream_of(reply).content))
        return reply.headers["x-request-id"], shown

    chances = [chance.choices(OUTCOMES, k=3) for _ in range(90)]
    with ThreadPoolExecutor(12) as pool:
        asked = list(pool.map(ask, range(len(chances))))
    books.settled()
    entries = books.entries(len(asked))
    charged = {each["request_id"]: -each["amount"] for each in entries if each["amount"] < 0}
    assert {request_id for request_id, shown in asked if shown} == {
        request_id for request_id, _ in asked if request_id in charged
    }
    sums = [charged[request_id] for request_id, shown in asked if shown]
    assert all(0 < amount <= (MOST + 2 * TOKENS) * MICRO for amount in sums)
    assert before - books.shown()["balance"] == sum(sums)
