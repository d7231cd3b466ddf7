"""A group's usage is for its owner and managers, in its organisation too; a member sees his own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.expect import refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.server import Server

DENIED = ("access_denied", "no_parameter_permission")
CLASS = {"dean": "owner", "teacher": "manager", "pupil": "member", "other": "member"}


def read(reply: Reply) -> Any:
    assert reply.status == 200, reply.text
    return json.loads(reply.body, parse_float=Decimal)


@pytest.fixture(scope="module")
def people(server: Server) -> Mapping[str, Api]:
    """A school with two classes; two pupils of one have asked, once and twice."""
    server.run("group", "create", "school", "--tokens", "1000")
    for name in "class-a", "class-b":
        server.run("group", "create", name, "--in", "school", "--tokens", "5000")
    for name, role in CLASS.items():
        server.run("member", "create", name, "--tokens", "0")
        group = "school" if name == "dean" else "class-a"
        server.run("group", "add", group, name, "--role", role)
    server.run("budget", "create", "--member", "pupil", "--tokens", "4000", "--per", "month")
    server.run("budget", "create", "--group", "class-a", "--rpm", "60")
    found = {name: Api(server.url, server.token(account=name)) for name in CLASS}
    for name in ("pupil", "other", "other"):
        assert found[name].chat(model=CHAT, max_completion_tokens=50).status == 200
    return found


def test_the_teacher_exports_who_spent_what(people: Mapping[str, Api]) -> None:
    question = "/account/usage?group=class-a&interval=month&by=member"
    reply = people["teacher"].get(f"{question}&format=csv")
    rows = list(csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"))))
    told = {row["member_name"]: (row["requests"], row["spent"]) for row in rows}
    entries = read(people["teacher"].get("/account/entries?group=class-a"))
    costs = [-each["amount"] for each in entries["data"] if each["member_name"] == "pupil"]
    assert told["pupil"] == ("1", str(costs[0]))
    assert told["other"][0] == "2"
    assert entries["data"][0]["balance_after"] is not None
    assert {each["group"] for each in entries["data"]} == {"class-a"}
    pupils = read(people["teacher"].get("/account/entries?group=class-a&member=pupil"))
    assert [each["member_name"] for each in pupils["data"]] == ["pupil"]
    assert pupils["totals"]["spent"] == costs[0]
    request = read(
        people["teacher"].get(f"/account/requests/{pupils['data'][0]['request_id']}?group=class-a")
    )
    assert (request["member_name"], request["group"]) == ("pupil", "class-a")


def test_a_pupil_sees_himself_alone(people: Mapping[str, Api]) -> None:
    pupil = people["pupil"]
    (entry,) = read(pupil.get("/account/entries"))["data"]
    assert (entry["group"], entry["member_name"]) == ("class-a", "pupil")
    assert entry["balance_after"] is None  # what others spend is theirs
    others = read(people["other"].get("/account/entries?limit=1"))["data"][0]
    refused(
        pupil.get(f"/account/requests/{others['request_id']}"),
        404,
        "invalid_request_error",
        "no_such_path",
    )
    for question in (
        "account?group=class-a",
        "account/entries?group=class-a",
        "account/usage?group=class-a&by=member",
        f"account/requests/{others['request_id']}?group=class-a",
        "account/entries?member=other",
    ):
        refused(pupil.get(f"/{question}"), 401, *DENIED)


def test_his_account_tells_budgets_and_what_is_left(people: Mapping[str, Api]) -> None:
    shown = read(people["pupil"].get("/account?zone=Asia/Shanghai"))
    (wallet,) = shown["wallets"]
    assert (wallet["group"], shown["lots"]) == ("class-a", [])
    monthly, rate = shown["budgets"]
    spent = read(people["pupil"].get("/account/entries"))["totals"]["spent"]
    assert (monthly["unit"], monthly["amount"], monthly["per"]) == ("tokens", 4000, "month")
    assert (monthly["used"], monthly["left"]) == (spent, 4000 - spent)
    assert monthly["ends_at"].endswith("+08:00")
    assert (rate["unit"], rate["amount"]) == ("rpm", 60)
    assert 0 <= rate["used"] <= 3  # it fills again while one looks


def test_the_group_s_account(people: Mapping[str, Api]) -> None:
    shown = read(people["teacher"].get("/account?group=class-a"))
    assert (shown["name"], shown["appid"]) == ("class-a", None)
    assert shown["lots"][0]["amount"] == 5000
    assert [each["unit"] for each in shown["budgets"]] == ["rpm"]


def test_the_organisation_s_owner_sees_all_its_groups(people: Mapping[str, Api]) -> None:
    dean = people["dean"]
    whole = read(dean.get("/account/usage?group=school&by=group&interval=month"))["data"]
    assert [each["group"] for each in whole] == ["class-a"]
    assert len(read(dean.get("/account/entries?group=school&kind=usage"))["data"]) == 3
    assert read(dean.get("/account/entries?group=class-a&kind=usage"))["totals"]["requests"] == 3
    shown = read(dean.get("/account?group=school"))
    assert {each["group"] for each in shown["wallets"]} == {"school", "class-a", "class-b"}
    refused(people["teacher"].get("/account?group=school"), 401, *DENIED)
    refused(people["teacher"].get("/account?group=class-b"), 401, *DENIED)


def test_the_balance_that_a_pupil_s_chat_client_shows(people: Mapping[str, Api]) -> None:
    pupil = people["pupil"]
    limit = read(pupil.get("/dashboard/billing/subscription"))["hard_limit_usd"]
    used = Decimal(read(pupil.get("/dashboard/billing/usage"))["total_usage"]) / 100
    assert limit - used == read(pupil.get("/account"))["balance"]


def test_a_name_that_a_deleted_group_had_is_the_new_groups(server: Server) -> None:
    for _ in range(2):
        server.run("group", "create", "class-1", "--tokens", "7")
        server.run("member", "create", "again", "--tokens", "0")
        server.run("group", "add", "class-1", "again", "--role", "manager")
        manager = Api(server.url, server.token(account="again"))
        told = read(manager.get("/account?group=class-1"))
        assert [each["balance"] for each in told["wallets"]] == [7]
        server.run("group", "delete", "class-1", "--yes")
        server.run("member", "delete", "again", "--yes")
