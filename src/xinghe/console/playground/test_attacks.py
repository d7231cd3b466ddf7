"""What others, and a member who wants more than is his, can do at the playground's route."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.playing import RUN, ask, body_of, headers_of, mark_of, streaming
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

from xinghe.api.errors import Errors

LONG = Script(pieces=["字"] * 2000, rate=20)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"X_Mark": None},
        {"X_Mark": "0" * 32},
        {"X_Mark": "é"},
        {"Host": "evil.example"},
    ],
)
def test_another_site_spends_nothing(
    member: Visitor, api: Api, headers: dict[str, str | None]
) -> None:
    reply = ask(member, body_of(), RUN, **headers)
    assert reply.status in (403, 421)
    assert api.get("/account/entries?kind=usage").json["data"] == []


def test_a_mark_of_another_browser(member: Visitor, operator: Visitor) -> None:
    assert ask(member, body_of(), X_Mark=mark_of(operator)).status == 403


def test_no_answer_is_for_another_site(member: Visitor) -> None:
    for reply in ask(member, body_of()), ask(member, b"{"), ask(member, body_of(), X_Mark="0"):
        assert not [name for name in reply.headers if name.startswith("access-control-")]
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["cache-control"] == "no-store"
        assert "\n" not in reply.headers["x-request-id"]


def test_a_session_calls_models_by_this_route_alone(member: Visitor) -> None:
    ask(member, body_of())
    session = Api(member.url, member.cookies["xinghe-session"])
    for extension in {}, {"xinghe.playground": "1"}, {"X-Mark": mark_of(member)}:
        with Connection(member.url) as connection:
            headers = {**session.headers, **extension}
            connection.request("POST", "/v1/chat/completions", body_of(), headers)
            assert connection.reply().status == 401


@pytest.mark.parametrize("name", ["images", "account", "", "chat/", "..%2f..", "chat%00"])
def test_nothing_else_is_offered(member: Visitor, name: str) -> None:
    reply = ask(member, body_of(), f"/console/playground/run/{name}")
    assert reply.status == 404
    assert reply.json["error"]["code"] == "not_taken"


def test_only_a_post_asks(member: Visitor) -> None:
    assert member.get(RUN).status == 405


def test_a_body_that_is_too_large(service: Server, member: Visitor) -> None:
    large = json.dumps({"model": CHAT, "messages": "x" * 20_000_000}).encode()
    for headers in {}, {"X_Mark": "0" * 32}:
        reply = ask(member, large, **headers)
        assert reply.status in (400, 403, 413)
        assert reply.json["error"]["message"]
    assert ask(member, body_of()).status == 200


def test_who_is_disabled_is_answered_no_further(
    service: Server, member: Visitor, api: Api, upstream: Upstream
) -> None:
    me = api.at("/admin/v1").get("/tokens/" + str(api.token).split("-")[1]).json["member"]
    with streaming(member, LONG) as (_, events):
        next(events)
        service.run("member", "disable", me)
        *_, last = events
    assert json.loads(last)["error"]["code"] == Errors.INVALID_TOKEN.value.code
    assert upstream.received(LONG).done.wait(10)
    assert member.get("/console/playground").path == "/"


def test_who_signs_out_is_answered_no_further(member: Visitor) -> None:
    with streaming(member, LONG) as (_, events):
        next(events)
        member.submit(member.get("/console/"), "/console/sign-out")
        *_, last = events
    assert json.loads(last)["error"]["code"] == Errors.INVALID_TOKEN.value.code


def test_a_session_has_no_more_than_its_token(service: Server, make_member: object) -> None:
    name = "frugal"
    service.run("member", "create", name)
    reading = Visitor(service.url)
    reading.sign_in(service.token("--scope", "account.read", account=name))
    reply = ask(reading, body_of())
    assert reply.json["error"]["code"] == Errors.NO_PARAMETER_PERMISSION.value.code

    scopes = ("--scope", "account.read", "--scope", "model.call")
    other = Visitor(service.url)
    other.sign_in(service.token(*scopes, "--model", "ernie-3.5-8k", account=name))
    assert ask(other, body_of(model="ernie-3.5-8k")).status == 200
    reply = ask(other, body_of())
    assert reply.json["error"]["code"] == Errors.MODEL_NOT_PERMITTED.value.code

    capped = Visitor(service.url)
    capped.sign_in(service.token(*scopes, "--cap", "0.001", account=name))
    reply = ask(capped, body_of())
    assert reply.json["error"]["code"] == Errors.TOKEN_QUOTA_EXCEEDED.value.code


def test_no_other_token_is_taken_for_the_playgrounds(member: Visitor, api: Api) -> None:
    ask(member, body_of())
    admin = api.at("/admin/v1")
    me = admin.get("/tokens/" + str(api.token).split("-")[1]).json["member"]
    for name in "playground", "Playground", "ＰＬＡＹground":
        reply = admin.post(f"/members/{me}/tokens", {"name": name})
        assert reply.status == 400
        assert "playground" in reply.json["error"]["message"]
    tokens = admin.get(f"/members/{me}/tokens").json["data"]
    (own,) = [each for each in tokens if each["name"] == "playground"]
    body = json.dumps({"name": "mine"}).encode()
    assert admin.send("PATCH", f"/tokens/{own['id']}", body).status == 400
    assert admin.send("DELETE", f"/tokens/{own['id']}").status == 400
    for secret in f"xh-{own['id']}-{'A' * 43}", "xh-playground-" + "A" * 43:
        assert api.bearing(secret).chat(model=CHAT).status == 401
    assert len(tokens) == 2
    shown = member.get("/console/tokens")
    assert [
        form.get("action") for form in shown.document.forms if "revoke" in form.get("action")
    ] == [f"/console/tokens/{str(api.token).split('-')[1]}/revoke"]
    one = f"/console/tokens/{own['id']}"
    assert "playground" in member.submit(member.get(one), one).texts("h1")[0]


def test_its_token_may_have_a_budget_and_models(member: Visitor, api: Api) -> None:
    ask(member, body_of())
    admin = api.at("/admin/v1")
    me = admin.get("/tokens/" + str(api.token).split("-")[1]).json["member"]
    (own,) = [
        each["id"]
        for each in admin.get(f"/members/{me}/tokens").json["data"]
        if each["name"] == "playground"
    ]
    body = json.dumps({"models": ["ernie-3.5-8k"]}).encode()
    assert admin.send("PATCH", f"/tokens/{own}", body).status == 200
    reply = ask(member, body_of())
    assert reply.json["error"]["code"] == Errors.MODEL_NOT_PERMITTED.value.code
    nothing = {"token": own, "unit": "requests", "amount": 1, "per": "day"}
    assert admin.post("/budgets", nothing).status == 200
    reply = ask(member, body_of(model="ernie-3.5-8k"))
    assert reply.status == 429


def test_fifty_tabs_at_once(member: Visitor, api: Api) -> None:
    headers = headers_of(member)

    def tab(_: int) -> int:
        with Connection(member.url) as connection:
            connection.request("POST", RUN, body_of(), headers)
            return connection.reply().status

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(tab, range(50))) == {200}
    assert len(api.get("/account/entries?kind=usage&limit=100").json["data"]) == 50
    token_names = {
        each["token"] for each in api.get("/account/entries?kind=usage&limit=100").json["data"]
    }
    assert len(token_names) == 1
