"""The bill's page: what the API says, of whom it says it, in both languages, however long."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from tests.kit.api import STRICT, Api
from tests.kit.models import ABLE, CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.used import COST, MICRO, use
from tests.kit.visitor import Shown, Visitor

BILL = "/console/bill"
MARCH = int(datetime.datetime(2025, 3, 10, tzinfo=datetime.UTC).timestamp()) * MICRO


def told(api: Api, question: str = "") -> Any:
    reply = api.at(STRICT).get(f"/account/bill?zone=Asia/Shanghai{question}")
    assert reply.status == 200, reply.text
    return json.loads(reply.body, parse_float=Decimal)


def amount(value: Decimal) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def rows(page: Shown, selector: str) -> list[list[str]]:
    """The cells of a table's body and foot."""
    found = page.all(f"{selector} tbody tr") + page.all(f"{selector} tfoot tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


@pytest.fixture(scope="module")
def people(service: Server) -> Mapping[str, Visitor]:
    """A class whose teacher manages it; it pays for two pupils, of whom one has asked twice."""
    service.run("group", "create", "bill-class", "--tokens", "50000")
    found = {}
    for name, role in {"bill-li": "manager", "bill-a": "member", "bill-b": "member"}.items():
        service.run("member", "create", name, "--tokens", "0")
        service.run("group", "add", "bill-class", name, "--role", role)
        scopes = ("--scope", "model.call", "--scope", "account.read", "--scope", "admin")
        token = service.token(*scopes, account=name)
        for model in {"bill-a": (CHAT, ABLE), "bill-b": (CHAT,)}.get(name, ()):
            reply = Api(service.url, token).chat(model=model, messages=Script().messages)
            assert reply.status == 200, reply.text
        found[name] = Visitor(service.url)
        found[name].sign_in(token)
    return found


def test_it_says_what_the_api_says(member: Visitor, api: Api) -> None:
    for model in CHAT, CHAT, ABLE:
        assert api.chat(model=model, messages=Script().messages).status == 200
    page, bill = member.get(BILL), told(api)
    assert (page.status, page.texts("article h2")) == (200, [f"账单 {bill['month']} 截至制表时"])
    opening, grant, usage, closing = rows(page, ".balance")
    assert opening == ["期初余额", "", "0"]
    assert grant == ["发放", "1", "+1,000,000"]
    assert usage == ["使用", "3", f"-{amount(bill['used']['spent'])}"]
    assert closing == ["现在的余额", "", amount(bill["closing"])]
    whole, *lines, total = rows(page, ".used")
    assert [line[0] for line in lines] == [line["model"] for line in bill["lines"]]
    assert [line[-1] for line in lines] == [amount(line["spent"]) for line in bill["lines"]]
    rates = " / ".join(
        amount(bill["lines"][0][f"{of}_rate"]) for of in ("input", "cached", "output")
    )
    assert lines[0][2] == rates
    assert whole[-1] == total[-1] == amount(bill["used"]["spent"])
    english = Visitor(member.url, {"Accept-Language": "en"})
    english.cookies = member.cookies
    again = english.get(BILL)
    assert again.texts("article h2") == [f"Bill {bill['month']} to date"]
    assert [row[0] for row in rows(again, ".balance")] == [
        "Opening balance", "Grant", "Usage", "Balance to date",
    ]  # fmt: skip


def test_the_months_lead_to_each_other(member: Visitor) -> None:
    page = member.get(BILL)
    assert page.all("a[rel=next]") == []
    before = member.get(page.all("a[rel=prev]")[0].get("href"))
    assert before.texts("article .hint")[-1] == "这个月没有扣费的请求。"
    assert "截至制表时" not in before.text
    (onward,) = before.all("a[rel=next]")
    assert member.get(onward.get("href")).texts("article h2") == page.texts("article h2")


def test_a_manager_sees_the_bill_of_his_class(people: Mapping[str, Visitor]) -> None:
    teacher = people["bill-li"]
    page = teacher.submit(teacher.get(BILL), BILL, group="bill-class")
    assert page.all("select option[selected]")[0].get("value") == "bill-class"
    heads = [
        [" ".join(cell.text_content().split()) for cell in row] for row in page.all(".used .member")
    ]
    assert [(head[0].split()[0], head[1]) for head in heads] == [("bill-a", "2"), ("bill-b", "1")]
    csv, _ = [each.get("href") for each in page.all("a[download]")]
    file = teacher.get(csv)
    assert file.reply.headers["content-type"].startswith("text/csv")
    assert file.reply.body.decode("utf-8-sig").count("bill-class") == 6


def test_nobody_else_does(people: Mapping[str, Visitor], nobody: Visitor) -> None:
    pupil = people["bill-a"]
    assert pupil.get(BILL).status == 200
    assert pupil.get(BILL).all("select") == []
    for query in "group=bill-class", "group=none", "member=bill-b":
        refused = pupil.get(f"{BILL}?{query}")
        assert (refused.status, refused.all("article")) == (401, [])
        assert "这不是你能看的" in refused.texts("[role=alert]")[0]
    assert nobody.get(BILL).path == "/"


def test_what_is_wrong_is_said_beside_the_form(operator: Visitor) -> None:
    for query, says in (
        ("month=2026-13", "月份不对"),
        ("month=9999-01", "月份不对"),
        ("month=soon", "月份不对"),
        ("group=bill-class&member=default", "成员不对"),
    ):
        page = operator.get(f"{BILL}?{query}")
        assert page.status == 400
        assert says in page.texts("[role=alert]")[0]
        assert len(page.all("[aria-invalid]")) == 1


def test_the_operator_names_anybody(operator: Visitor, people: Mapping[str, Visitor]) -> None:
    page = operator.get(f"{BILL}?member=bill-a")
    assert "bill-a" in page.texts("article dd")[0]


def test_a_long_one_begins_before_it_is_summed(
    service: Server, member: Visitor, member_token: str
) -> None:
    use(service, member_token, [CHAT, ABLE], 200_000, since=MARCH, apart=1000)
    page = member.get(f"{BILL}?month=2025-03")
    assert page.status == 200
    assert "正在逐条合计" in page.texts(".making")[0]
    (usage,) = [row for row in rows(page, ".balance") if row[0] == "使用"]
    assert usage[1:] == ["200,000", f"-{amount(Decimal(200_000 * COST) / MICRO)}"]
    assert len(page.all("main")) == len(page.all("article")) == 1
