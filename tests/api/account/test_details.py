"""The usage details over HTTP: what was used is told to whom it belongs, exactly."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.expect import refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.server import Server

T = TypeVar("T")

INVALID = "invalid_request_error"
DENIED = ("access_denied", "no_parameter_permission")
MOUNTS = [DOCUMENTED, ALIAS, STRICT]


@pytest.fixture(scope="module")
def member(server: Server) -> Api:
    """A member of his own, who has asked twice."""
    server.run("member", "create", "reader", "--tokens", "5000.5")
    mine = Api(server.url, server.token("--name", "notebook", account="reader"))
    for _ in range(2):
        assert mine.chat(model=CHAT, messages=Script().messages).status == 200
    return mine


def within(seconds: float, look: Callable[[], T | None]) -> T:
    end = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def read(reply: Reply) -> Any:
    assert reply.status == 200, reply.text
    return json.loads(reply.body, parse_float=Decimal)


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_account(member: Api, mount: str) -> None:
    shown = read(member.at(mount).get("/account"))
    (wallet,), (lot,) = shown["wallets"], shown["lots"]
    assert shown["name"] == "reader"
    assert (wallet["group"], lot["amount"], lot["expires_at"]) == (None, Decimal("5000.5"), None)
    assert wallet["balance"] == wallet["available"] + wallet["held"]
    spent = read(member.get("/account/entries?kind=usage"))["totals"]["spent"]
    assert lot["remaining"] == Decimal("5000.5") - spent


def test_a_lot_that_ends_with_the_calendar(server: Server) -> None:
    """No zone east of UTC has a date for it: it is told in UTC there."""
    who, end = "calendar", "9999-12-31T23:59:59Z"
    server.run("member", "create", who, "--tokens", "5")
    operator = Api(server.url, server.token("--scope", "admin")).at("/admin/v1")
    wallet = operator.get(f"/members/{who}").json["wallet"]
    grant = {"amount": 1, "reason": "for ever", "expires_at": end}
    assert operator.post(f"/wallets/{wallet}/grants", grant).status == 200
    mine = Api(server.url, server.token(account=who))
    told = {
        zone: read(mine.get(f"/account?zone={zone}"))["lots"][0]["expires_at"]
        for zone in ("Asia/Shanghai", "America/New_York")
    }
    assert told == {
        "Asia/Shanghai": "9999-12-31T23:59:59.000Z",
        "America/New_York": "9999-12-31T18:59:59.000-05:00",
    }


def test_entries(member: Api) -> None:
    listed = read(member.get("/account/entries?zone=Asia/Shanghai"))
    newest, *_, grant = listed["data"]
    assert (listed["object"], listed["has_more"], listed["next"]) == ("list", False, None)
    assert (grant["kind"], grant["amount"]) == ("grant", Decimal("5000.5"))
    assert newest["kind"] == "usage"
    assert newest["at"].endswith("+08:00")
    assert (newest["model"], newest["token_name"], newest["finish"]) == (CHAT, "notebook", "normal")
    assert 0 <= newest["wait_ms"] <= newest["first_ms"] <= newest["total_ms"]
    cost = (
        newest["prompt_tokens"] * newest["input_rate"]
        + newest["completion_tokens"] * newest["output_rate"]
    )
    assert newest["amount"] == -cost
    totals = listed["totals"]
    assert totals["requests"] == len(listed["data"]) - 1
    assert totals["spent"] == -sum(each["amount"] for each in listed["data"][:-1])
    assert (totals["granted"], totals["expired"]) == (Decimal("5000.5"), 0)


def test_pages_follow_each_other(member: Api) -> None:
    whole = read(member.get("/account/entries"))["data"]
    found, after = [], ""
    while True:
        page = read(member.get(f"/account/entries?limit=1{after}"))
        assert len(page["data"]) == 1
        found += page["data"]
        assert page["has_more"] == (page["next"] is not None)
        assert (page["totals"] is None) == bool(after)
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert found == whole


def test_csv_and_json_lines_have_all_of_it(member: Api) -> None:
    whole = read(member.get("/account/entries"))["data"]
    reply = member.get("/account/entries?format=csv")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"), newline="")))
    assert [row["id"] for row in rows] == [str(each["id"]) for each in whole]
    assert [Decimal(row["amount"]) for row in rows] == [each["amount"] for each in whole]
    headers = member.headers | {"Accept": "application/x-ndjson"}
    lines = member.send("GET", "/account/entries", headers=headers).body.splitlines()
    assert [json.loads(line, parse_float=Decimal) for line in lines] == whole
    assert len(member.get("/account/entries?format=jsonl&limit=1").body.splitlines()) == 1
    assert member.get("/account?format=csv").body.startswith("\ufeffobject,name".encode())


def test_usage(member: Api) -> None:
    entries = read(member.get("/account/entries?kind=usage"))
    for interval in "hour", "day", "month":
        series = read(member.get(f"/account/usage?interval={interval}&by=model,token"))
        (bucket,) = [each for each in series["data"] if each["model"] == CHAT]
        assert bucket["spent"] == entries["totals"]["spent"]
        assert bucket["requests"] == len(entries["data"])
        assert bucket["token_name"] == "notebook"
        assert bucket["first_token_ms"] > 0
        assert bucket["timed_requests"] == len(entries["data"])
        assert bucket["generation_ms"] == sum(
            each["total_ms"] - each["first_ms"] for each in entries["data"]
        )
        assert bucket["member"] is None
    assert read(member.get("/account/usage?from=2020-01-01&to=2020-01-03"))["data"] == []


def test_what_a_request_cost_and_why(member: Api) -> None:
    reply = member.chat(model=CHAT, messages=Script().messages)
    shown = read(member.get(f"/account/requests/{reply.headers['x-request-id']}"))
    usage = reply.json["usage"]
    assert (shown["outcome"], shown["finish"], shown["stream"]) == ("charged", "normal", False)
    assert shown["prompt_tokens"] == usage["prompt_tokens"]
    parts = ("input_cost", "cached_cost", "output_cost", "search_cost")
    assert shown["cost"] == sum(shown[part] for part in parts) - shown["not_charged"]
    assert 0 < shown["cost"] <= shown["held"]
    assert Script().text not in json.dumps(shown, default=str)
    text = member.get(f"/account/requests/{shown['id']}?format=csv").body.decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(text)))["cost"] == str(shown["cost"])


def test_a_request_that_failed(member: Api) -> None:
    refusal = member.chat(model=CHAT, temperature=9)
    path = f"/account/requests/{refusal.headers['x-request-id']}"

    def found() -> Any:
        reply = member.get(path)
        return reply.json if reply.status == 200 else None

    shown = within(10, found)
    assert (shown["outcome"], shown["status"]) == ("malformed_json", 400)
    assert (shown["operation"], shown["model"], shown["cost"]) == ("chat", CHAT, 0)
    (bucket,) = read(member.get("/account/usage?interval=month&by=model"))["data"]
    assert bucket["errors"]["malformed_json"] >= 1


def test_what_comes_without_a_token_leaves_nothing(server: Server, member: Api) -> None:
    operator = Api(server.url, server.token("--scope", "account.read", "--scope", "admin"))
    stranger = member.bearing("xh-0000000000-" + "a" * 43).chat(model=CHAT)
    refusal = member.chat(model=CHAT, temperature=9)
    path = f"/account/requests/{refusal.headers['x-request-id']}?member=reader"
    within(10, lambda: operator.get(path).status == 200 or None)  # what came later is written
    for question in "", "?member=reader":
        reply = operator.get(f"/account/requests/{stranger.headers['x-request-id']}{question}")
        refused(reply, 404, INVALID, "no_such_path")


def test_a_stream_that_its_client_leaves(member: Api) -> None:
    script = Script(pieces=["长"] * 400, rate=50)
    with member.streaming(model=CHAT, messages=script.messages) as (stream, live):
        stream.take(next(live))
        request_id = stream.headers["x-request-id"]

    def ended() -> Any:
        reply = member.get(f"/account/requests/{request_id}")
        return reply.json if reply.json.get("outcome") == "charged" else None

    shown = within(20, ended)
    assert (shown["finish"], shown["stream"]) == ("client_gone", True)


def test_what_is_others_is_not_there(server: Server, member: Api, api: Api) -> None:
    request_id = api.chat(model=CHAT).headers["x-request-id"]
    assert api.get(f"/account/requests/{request_id}").status == 200
    refused(member.get(f"/account/requests/{request_id}"), 404, INVALID, "no_such_path")
    assert read(member.get(f"/account/entries?request_id={request_id}"))["data"] == []
    for question in ("?group=nobodys", "?member=default"):
        refused(member.get(f"/account/entries{question}"), 401, *DENIED)
    token = read(api.get("/account/entries?kind=usage&limit=1"))["data"][0]["token"]
    refused(member.get(f"/account/entries?token={token}"), 400, INVALID, "malformed_json")


def test_an_operator_may_ask_about_everybody(server: Server, member: Api) -> None:
    operator = Api(server.url, server.token("--scope", "account.read", "--scope", "admin"))
    theirs = read(operator.get("/account/entries?member=reader"))["data"]
    assert theirs == read(member.get("/account/entries"))["data"]
    assert read(operator.get("/account"))["name"] == "default"


@pytest.mark.parametrize(
    ("path", "param", "says"),
    [
        ("/account/entries?limit=0", "limit", 'limit is "0", allowed: an integer in [1, 1000]'),
        (
            "/account/entries?kind=gift",
            "kind",
            "allowed: usage, grant, purchase, code, transfer, refund, expiry",
        ),
        ("/account/entries?after=!", "after", "after is"),
        ("/account/entries?after=AAAA", "after", "allowed: the `next` of the page before"),
        ("/account/entries?after=kgAA", "after", "allowed: the `next` of the page before"),
        ("/account/entries?modle=x", "modle", "did you mean model?"),
        ("/account/entries?from=2026-11-02&to=2026-11-01", "to", "from is before to"),
        ("/account/entries?zone=Mars/Base", "zone", "allowed: a time zone's name"),
        ("/account/entries?token=x", "token", "allowed: a token's public id"),
        (f"/account/entries?token=xh-0123456789-{'S' * 43}", "token", 'is "xh-0123456789-…", all'),
        ("/account/usage?by=colour", "by", 'by is "colour", allowed: model, token,'),
        ("/account/usage?by=model,model", "by", "once"),
        ("/account/usage?interval=week", "interval", "allowed: hour, day, month"),
        ("/account/usage?interval=hour&from=2024-01-01", "from", "at most 31 days"),
        ("/account/usage?after=kwE", "after", "`next` of the page before"),
        ("/account?limit=5", "limit", '"limit" is no parameter here'),
        ("/dashboard/billing/usage?start_date=x", "start_date", "allowed: a day"),
    ],
)
def test_what_is_wrong_is_named(member: Api, path: str, param: str, says: str) -> None:
    refused(member.get(path), 400, INVALID, "malformed_json", says, param=param)


def test_only_a_token_that_may_read(server: Server) -> None:
    caller = Api(server.url, server.token("--scope", "model.call"))
    for path in ("/account", "/account/entries", "/account/usage", "/account/requests/x"):
        refused(caller.get(path), 401, *DENIED)
        refused(caller.bearing(None).get(path), 401, INVALID, "invalid_iam_token")
        refused(caller.post(path, {}), 405, INVALID, "method_not_supported")


@pytest.mark.parametrize("mount", [*MOUNTS, ""])
def test_the_balance_that_chat_clients_ask_for(member: Api, mount: str) -> None:
    client = member.at(mount)
    limit = read(client.get("/dashboard/billing/subscription"))
    used = read(client.get("/dashboard/billing/usage"))
    assert limit["hard_limit_usd"] == Decimal("5000.5")
    left = limit["hard_limit_usd"] - Decimal(used["total_usage"]) / 100
    assert left == read(member.get("/account"))["balance"]
    # As NextChat and the like ask.
    dated = "/dashboard/billing/usage?start_date=2024-01-01&end_date=2099-01-01&x=1"
    assert read(client.get(dated)) == used
    before = "/dashboard/billing/usage?start_date=2024-01-01&end_date=2024-01-02"
    assert read(client.get(before))["total_usage"] == 0
