"""`GET /account/bill` over HTTP: to whom it is told, in which forms, and what it refuses."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.server import Server

BILL = "/account/bill"
DENIED = ("access_denied", "no_parameter_permission")
PLACES = {"b-owner": "owner", "b-manager": "manager", "b-one": "member", "b-two": "member"}
SUMS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "searches", "spent")


def read(reply: Reply) -> Any:
    assert reply.status == 200, reply.text
    return json.loads(reply.body, parse_float=Decimal)


def month_of(zone: datetime.tzinfo = datetime.UTC) -> str:
    return f"{datetime.datetime.now(zone):%Y-%m}"


@pytest.fixture(scope="module")
def people(server: Server) -> Mapping[str, Api]:
    """A class that pays for two who have asked once and twice; one pays for himself as well."""
    server.run("group", "create", "b-class", "--tokens", "5000.000001")
    for name, role in PLACES.items():
        server.run("member", "create", name, "--tokens", "700" if name == "b-two" else "0")
        server.run("group", "add", "b-class", name, "--role", role)
    found = {name: Api(server.url, server.token("--name", "=1+1", account=name)) for name in PLACES}
    for name in ("b-one", "b-two", "b-two"):
        script = Script(prompt_tokens=10, cached_tokens=4)
        assert found[name].chat(model=CHAT, messages=script.messages).status == 200
    return found


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS, STRICT])
def test_the_bill_of_a_group(people: Mapping[str, Api], mount: str) -> None:
    bill = read(people["b-manager"].at(mount).get(f"{BILL}?group=b-class&month={month_of()}"))
    entries = read(people["b-manager"].get("/account/entries?group=b-class&kind=usage"))["data"]
    assert (bill["object"], bill["group"], bill["appid"]) == ("bill", "b-class", None)
    assert (bill["running"], bill["zone"], bill["unit"]) == (True, "UTC", "Token")
    assert bill["booked"] == [{"kind": "grant", "entries": 1, "amount": Decimal("5000.000001")}]
    assert (bill["opening"], bill["credited"], bill["debited"]) == (0, Decimal("5000.000001"), 0)
    assert bill["closing"] == bill["credited"] - bill["used"]["spent"]
    assert bill["used"]["spent"] == -sum(each["amount"] for each in entries)
    account = read(people["b-manager"].get("/account?group=b-class"))
    assert bill["closing"] == account["balance"]
    one, two = bill["lines"]
    assert (one["member_name"], one["requests"]) == ("b-one", 1)
    assert (two["member_name"], two["requests"], two["group"]) == ("b-two", 2, "b-class")
    for name in "input_rate", "cached_rate", "output_rate", "search_rate":
        assert two[name] == entries[0][name]
    assert (two["prompt_tokens"], two["cached_tokens"], two["not_charged"]) == (20, 8, 0)
    for name in SUMS:
        assert [each[name] for each in bill["members"]] == [one[name], two[name]]
        assert bill["used"][name] == one[name] + two[name]
    assert bill["other_lines"] is bill["other_members"] is None


def test_a_member_sees_the_bill_of_his_wallet(people: Mapping[str, Api]) -> None:
    bill = read(people["b-two"].get(BILL))
    assert (bill["name"], bill["group"], bill["month"]) == ("b-two", None, month_of())
    assert (bill["closing"], bill["used"]["requests"], bill["lines"]) == (700, 0, [])
    assert bill["from"].endswith("-01T00:00:00.000Z")


def test_a_month_before_anything_was(people: Mapping[str, Api]) -> None:
    bill = read(people["b-two"].get(f"{BILL}?month=2020-02&zone=Asia/Shanghai"))
    assert (bill["from"], bill["to"]) == (
        "2020-02-01T00:00:00.000+08:00", "2020-03-01T00:00:00.000+08:00"
    )  # fmt: skip
    assert (bill["opening"], bill["booked"], bill["closing"]) == (0, [], 0)
    assert bill["running"] is False


def test_the_months_of_a_calendar_follow_each_other(people: Mapping[str, Api]) -> None:
    for month in "1970-01", "1999-12", "2024-02":
        bill = read(people["b-two"].get(f"{BILL}?month={month}&zone=America/New_York"))
        assert bill["to"][:10] == {"1970-01": "1970-02-01", "1999-12": "2000-01-01"}.get(
            month, "2024-03-01"
        )


def test_to_whom_it_is_not_told(people: Mapping[str, Api], server: Server) -> None:
    for name in "b-one", "b-two":
        refused(people[name].get(f"{BILL}?group=b-class"), 401, *DENIED, "b-class")
    refused(people["b-owner"].get(f"{BILL}?member=b-two"), 401, *DENIED, "b-two")
    read(people["b-owner"].get(f"{BILL}?group=b-class"))
    caller = Api(server.url, server.token("--scope", "model.call", account="b-two"))
    refused(caller.get(BILL), 401, *DENIED)
    operator = Api(server.url, server.token("--scope", "account.read", "--scope", "admin"))
    assert read(operator.get(f"{BILL}?member=b-two"))["closing"] == 700
    assert read(operator.get(f"{BILL}?group=b-class"))["used"]["requests"] == 3


@pytest.mark.parametrize(
    ("question", "param", "says"),
    [
        ("month=2026-13", "month", "a month such as 2026-11"),
        ("month=2026", "month", "a month such as 2026-11"),
        ("month=2026-1", "month", "a month such as 2026-11"),
        ("month=", "month", "a month such as 2026-11"),
        ("month=9999-12", "month", "from 1970-01 to 20"),
        ("month=1969-12", "month", "from 1970-01 to 20"),
        ("zone=Mars", "zone", "Asia/Shanghai"),
        ("limit=0", "limit", "1"),
        ("limit=1001", "limit", "1000"),
        ("moth=2026-11", "moth", "did you mean month"),
        ("group=b-class&member=b-two", "member", "no member beside a group"),
    ],
)  # fmt: skip
def test_what_is_wrong(people: Mapping[str, Api], question: str, param: str, says: str) -> None:
    value = question.partition("=")[2]
    shown = [value] if "&" not in value and value and param == question.partition("=")[0] else []
    if param == "moth":
        shown = []
    malformed(people["b-owner"].get(f"{BILL}?{question}"), says, *shown, param=param)


def test_a_spreadsheet_has_all_of_it(people: Mapping[str, Api]) -> None:
    manager = people["b-manager"]
    bill = read(manager.get(f"{BILL}?group=b-class"))
    reply = manager.get(f"{BILL}?group=b-class&format=csv&limit=1")
    assert reply.headers["content-disposition"] == (
        f'attachment; filename="xinghe-bill-{month_of()}.csv"'
    )
    rows = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"), newline="")))
    assert [row["row"] for row in rows] == ["opening", "booked", "usage", "usage", "closing"]
    assert {row["wallet"] for row in rows} == {"b-class"}
    *before, closing = [Decimal(row["amount"]) for row in rows]
    assert sum(before) == closing == bill["closing"]
    assert {row["token_name"] for row in rows if row["row"] == "usage"} == {"'=1+1"}
    lines = manager.get(f"{BILL}?group=b-class&format=jsonl").body.splitlines()
    told = [json.loads(line, parse_float=Decimal) for line in lines]
    assert [each["amount"] for each in told] == [*before, closing]


def test_a_person_who_was_deleted_is_named_no_more(server: Server) -> None:
    server.run("group", "create", "b-gone", "--tokens", "5000")
    server.run("member", "create", "b-leaver", "--tokens", "0")
    server.run("group", "add", "b-gone", "b-leaver")
    mine = Api(server.url, server.token(account="b-leaver"))
    assert mine.chat(model=CHAT, messages=Script().messages).status == 200
    server.run("member", "delete", "b-leaver", "--yes")
    operator = Api(server.url, server.token("--scope", "account.read", "--scope", "admin"))
    (line,) = read(operator.get(f"{BILL}?group=b-gone"))["lines"]
    assert line["member_name"] is None
    assert line["member"].startswith("app-")
    server.run("group", "delete", "b-gone", "--yes")
    assert read(operator.get(f"{BILL}?group=b-gone"))["lines"][0]["group"] == "b-gone"
