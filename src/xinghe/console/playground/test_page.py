"""The playground's route goes the API's own way, for the member who is signed in."""

from __future__ import annotations

import json
import secrets

from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.playing import PAGE, RUN, ask, body_of, streaming, wait_for
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

from xinghe.api.errors import Errors

CHECK = "/console/playground/run/check"


def test_what_is_asked_is_an_entry_of_the_playground(member: Visitor, api: Api) -> None:
    reply = ask(member, body_of())
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == "你好。"
    request_id = reply.headers["x-request-id"]
    (entry,) = api.get("/account/entries?kind=usage").json["data"]
    assert entry["request_id"] == request_id
    assert entry["token_name"] == "playground"
    assert entry["amount"] < 0
    shown = member.get(f"/console/usage/requests/{request_id}")
    assert shown.status == 200
    assert "playground" in shown.text
    assert "playground" in member.get("/console/usage?by=token").text


def test_a_stream_is_not_held_up(member: Visitor, upstream: Upstream) -> None:
    script = Script(pieces=["一", "二", "三"], pauses_at=1)
    with streaming(member, script) as (_, events):
        first = json.loads(next(events))
        while not first["choices"] or not first["choices"][0]["delta"].get("content"):
            first = json.loads(next(events))
        assert first["choices"][0]["delta"]["content"] == "一"  # the others are not made yet
        upstream.resume(script)
        rest = list(events)
    assert rest[-1] == "[DONE]"
    assert (
        "".join(
            choice["delta"].get("content", "")
            for each in rest[:-1]
            for choice in json.loads(each)["choices"]
        )
        == "二三"
    )


def test_whoever_stops_pays_for_what_was_made(
    member: Visitor, api: Api, upstream: Upstream
) -> None:
    script = Script(pieces=["字"] * 600, rate=100)
    with streaming(member, script) as (_, events):
        for _ in range(20):
            next(events)
    assert upstream.received(script).done.wait(10)
    assert upstream.received(script).sent < 400
    wait_for(lambda: api.get("/account/entries?kind=usage").json["data"])
    (entry,) = api.get("/account/entries?kind=usage").json["data"]
    assert 0 < -entry["amount"] < 2 * 600


def test_a_key_is_answered_once(member: Visitor, api: Api) -> None:
    key = secrets.token_hex(8)
    body = body_of()
    first, again = (ask(member, body, Idempotency_Key=key) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json == first.json
    assert len(api.get("/account/entries?kind=usage").json["data"]) == 1


def test_what_the_api_refuses_is_refused_in_its_words(member: Visitor) -> None:
    for fields, code in (
        ({"temperature": 9}, Errors.MALFORMED_JSON),
        ({"model": "no-such-model"}, Errors.NO_SUCH_MODEL),
        ({"messages": []}, Errors.INVALID_MESSAGES),
    ):
        reply = ask(member, body_of(**fields))
        assert reply.status == code.value.status
        assert reply.json["error"]["code"] == code.value.code
        assert reply.json["id"] == reply.headers["x-request-id"]
    ignored = ask(member, body_of(no_such_field=1))
    assert ignored.status == 200
    assert "no_such_field" in ignored.headers["x-ignored-parameters"]


def test_a_request_is_checked_for_pages_of_ours_alone_and_costs_nothing(
    member: Visitor, api: Api
) -> None:
    assert ask(member, body_of(), CHECK).json["taken"] is True
    refused = ask(member, body_of(tools=1), CHECK)
    assert (refused.status, refused.json["error"]["param"]) == (400, "tools")
    for headers in {"X_Mark": "0"}, {"Origin": "https://evil.example"}:
        assert ask(member, body_of(), CHECK, **headers).status == 403
    assert api.get("/account/entries?kind=usage").json["data"] == []


def test_budgets_of_the_member_hold(service: Server, member: Visitor, api: Api) -> None:
    mine = {"unit": "tokens", "amount": 1, "per": "day"}
    me = api.at("/admin/v1").get("/tokens/" + str(api.token).split("-")[1]).json["member"]
    operator = Api(service.url, service.token("--scope", "admin")).at("/admin/v1")
    assert operator.post("/budgets", mine | {"member": me}).status == 200
    reply = ask(member, body_of())
    assert reply.json["error"]["code"] == Errors.TOKEN_QUOTA_EXCEEDED.value.code


def test_the_page_says_what_it_needs(member: Visitor) -> None:
    page = member.get(PAGE)
    assert page.texts("h1") == ["体验"]
    assert "需要 JavaScript" in page.texts("noscript")[0]
    assert CHAT in page.texts("#model option")
    assert page.all(".menu a[aria-current]")[0].get("href") == PAGE


def test_the_way_leads_through_a_session(nobody: Visitor) -> None:
    reply = ask(nobody, body_of(), RUN, X_Mark="0" * 32)
    assert reply.status == 403
    page = nobody.get("/")
    mark = page.all("input[name=mark]")[0].get("value")
    reply = ask(nobody, body_of(), RUN, X_Mark=mark)
    assert (reply.status, reply.json["error"]["code"]) == (401, "sign_in_needed")
