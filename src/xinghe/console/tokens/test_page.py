"""All tokens of a member: listed, made, revoked."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

TOKENS, NEW = "/console/tokens", "/console/tokens/new"
HOSTILE = '<img src=x onerror="alert(1)">\'"&'


@pytest.fixture
def admin(api: Api) -> Api:
    return api.at("/admin/v1")


def make(member: Visitor, **fields: Any) -> str:
    """The secret of a new token."""
    page = member.submit(member.get(NEW), NEW, **({"name": "t", "scopes": "model.call"} | fields))
    assert page.status == 200, page.text
    return str(page.all("#secret")[0].text_content())


def listed(member: Visitor, secret: str) -> Any:
    """The row of a token."""
    rows = member.get(TOKENS).all("tbody tr")
    return next(row for row in rows if secret.split("-")[1] in row.text_content())


def cell(row: Any, name: str) -> str:
    return " ".join(row.cssselect(f'[data-label="{name}"]')[0].text_content().split())


def test_a_token_is_made_and_shown_once(
    service: Server, member: Visitor, admin: Api, member_token: str
) -> None:
    me = admin.get("/tokens/" + member_token.split("-")[1]).json["member"]
    page = member.submit(
        member.get(NEW),
        NEW,
        name="课程作业",
        scopes=["model.call", "account.read"],
        which="some",
        models=[CHAT, "ernie-3.5-8k"],
        day="2099-12-31",
        amount="5,000.5",
        unit="tokens",
        per="month",
    )
    secret = page.all("#secret")[0].text_content()
    assert re.fullmatch(r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}", secret)
    assert page.reply.headers["cache-control"] == "no-store"
    assert secret not in member.get(TOKENS).reply.text
    told = admin.get("/tokens/" + secret.split("-")[1]).json
    assert (told["member"], told["name"], set(told["models"])) == (
        me, "课程作业", {CHAT, "ernie-3.5-8k"},
    )  # fmt: skip
    assert told["scopes"] == ["model.call", "account.read"]
    assert told["expires_at"] == "2099-12-31T16:00:00Z"  # the day's end where the service is
    (budget,) = told["budgets"]
    assert (budget["unit"], budget["amount"], budget["per"]) == ("tokens", 5000.5, "month")
    assert budget["created_by"] == me
    assert Api(service.url, secret).at("/v1").chat(model=CHAT).status == 200
    assert Api(service.url, secret).at("/v1").chat(model="scripted-tight").status == 401


def test_days_and_windows_are_those_of_where_the_browser_is(member: Visitor, admin: Api) -> None:
    member.cookies["xinghe-zone"] = "America/New_York"
    secret = make(member, day="2099-12-31", amount="5", unit="requests", per="day")
    told = admin.get("/tokens/" + secret.split("-")[1]).json
    assert told["expires_at"] == "2100-01-01T05:00:00Z"
    assert told["budgets"][0]["zone"] == "America/New_York"
    row = listed(member, secret)
    assert cell(row, "有效期到") == "2099-12-31"
    assert cell(row, "预算") == "每天 5 次请求 剩 5"


def test_the_list_says_what_a_token_allows_and_when_it_was_used(
    service: Server, member: Visitor
) -> None:
    secret = make(member, amount="100", unit="tokens", per="total", model=CHAT)
    row = listed(member, secret)
    assert cell(row, "最近使用").startswith("从未 创建于 20")
    assert cell(row, "状态") == "有效"
    assert (cell(row, "权限"), cell(row, "模型")) == ("调用模型", "所有模型")
    assert cell(row, "有效期到") == "一直有效"
    assert Api(service.url, secret).chat(model=CHAT, max_completion_tokens=3).status == 200
    row = listed(member, secret)
    used_at = datetime.datetime.fromisoformat(cell(row, "最近使用")[:16] + "+08:00")
    passed = datetime.datetime.now(datetime.UTC) - used_at  # told to the minute
    assert datetime.timedelta(0) <= passed < datetime.timedelta(minutes=3)
    left = re.fullmatch(rf"总共 100 Token 剩 (\d+) {CHAT}", cell(row, "预算"))
    assert left
    assert int(left[1]) < 100


def test_a_revoked_token_is_refused_at_once_and_set_apart(service: Server, member: Visitor) -> None:
    secret = make(member, name="旧的")
    mine, path = Api(service.url, secret), f"{TOKENS}/{secret.split('-')[1]}"
    assert mine.chat(model=CHAT).status == 200
    page = member.get(TOKENS)
    assert any("旧的" in form.get("data-confirm", "") for form in page.document.forms)
    page = member.submit(page, f"{path}/revoke")
    assert mine.chat(model=CHAT).status == 401
    assert page.path == TOKENS
    assert "旧的" in page.texts("details")[0]
    assert "旧的" not in " ".join(page.texts("table.stack"))
    one = member.get(path)
    assert one.status == 200
    assert [form.get("action") for form in one.document.forms] == ["/console/sign-out"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": ""}, "名字要有"),
        ({"name": "x" * 65}, "名字要有"),
        ({"name": "app-1"}, "名字要有"),
        ({"scopes": []}, "至少选择一项权限"),
        ({"scopes": ["root"]}, "至少选择一项权限"),
        ({"which": "some", "models": []}, "至少选择一个模型"),
        ({"day": "2020-01-01"}, "到期日要"),
        ({"day": "soon"}, "到期日要"),
        ({"day": "10000-01-01"}, "到期日要"),
        ({"amount": "lots"}, "上限要是"),
        ({"amount": "-1"}, "上限要是"),
        ({"amount": "inf"}, "上限要是"),
        ({"amount": "1.5", "unit": "requests"}, "上限要是"),
        ({"amount": "1", "per": "year"}, "没有成功"),
        ({"amount": "1", "model": "none"}, "没有成功"),
    ],
)
def test_what_cannot_be_is_refused_beside_the_form(
    member: Visitor, admin: Api, member_token: str, fields: dict[str, Any], says: str
) -> None:
    given = {"name": HOSTILE[:40], "scopes": ["model.call"], "amount": "7"} | fields
    page = member.submit(member.get(NEW), NEW, **given)
    assert page.status in {400, 404}
    assert says in page.texts("[role=alert]")[0]
    form = next(form for form in page.document.forms if form.get("action") == NEW)
    kept = dict(form.form_values())
    assert (kept["name"], kept["amount"]) == (given["name"], given["amount"])
    assert not page.all("img[onerror]")
    me = admin.get("/tokens/" + member_token.split("-")[1]).json["member"]
    tokens = admin.get(f"/members/{me}/tokens").json["data"]
    assert [each["name"] for each in tokens if each["state"] == "active"] == ["token"]


def test_names_are_only_names(member: Visitor, admin: Api) -> None:
    long = "长" * 64
    for name in (HOSTILE, long):
        make(member, name=name)
    page = member.get(TOKENS)
    assert {HOSTILE, long} <= {each.text_content() for each in page.all("tbody th bdi")}
    assert not page.all("[onerror]")
    path = next(
        each.get("href") for each in page.all("tbody th a") if each.text_content() == HOSTILE
    )
    one = member.get(path)
    assert HOSTILE in one.texts("h1")[0]
    assert not one.all("[onerror]")


def test_whoever_has_none_is_shown_the_way(service: Server, nobody: Visitor) -> None:
    name = "没有令牌的人"
    service.run("member", "create", name)
    admin = Api(service.url, service.token("--scope", "admin")).at("/admin/v1")
    answer = admin.send(
        "PATCH", "/members/%E6%B2%A1%E6%9C%89%E4%BB%A4%E7%89%8C%E7%9A%84%E4%BA%BA",
        b'{"password": "correct horse battery"}',
    )  # fmt: skip
    assert answer.status == 200, answer.text
    nobody.submit(
        nobody.get("/"), "/console/sign-in/password", name=name, password="correct horse battery"
    )
    page = nobody.get(TOKENS)
    assert page.status == 200
    assert page.texts(".empty a") == ["快速开始：创建一个并试一试"]


def test_a_session_that_may_not_manage_is_told_so(service: Server, nobody: Visitor) -> None:
    nobody.sign_in(service.token("--scope", "account.read"))
    page = nobody.get(TOKENS)
    assert (page.status, "admin" in page.text) == (403, True)
    assert nobody.get("/console/start").status == 200


def test_nothing_is_changed_but_by_a_form_of_ours(member: Visitor) -> None:
    assert member.post(NEW, {"name": "x", "scopes": "model.call"}).status == 403
    assert member.post(f"{TOKENS}/abcdefghij/revoke", {}).status == 403


def test_more_than_one_page(member: Visitor, make_member: Callable[[str], str], api: Api) -> None:
    admin = api.at("/admin/v1")
    me = admin.get("/tokens/" + str(api.token).split("-")[1]).json["member"]
    for number in range(100):
        assert admin.post(f"/members/{me}/tokens", {"name": f"n{number}"}).status == 200
    page = member.get(TOKENS)
    assert len(page.all("table.stack tbody tr")) == 100
    (more,) = [each for each in page.all("a") if "after=" in each.get("href", "")]
    assert member.get(more.get("href")).texts("table.stack tbody th bdi") == ["n99"]


def test_in_english(member: Visitor) -> None:
    secret = make(member, name="lab", amount="3", unit="requests", per="hour")
    english = Visitor(member.url, {"Accept-Language": "en"})
    english.cookies = member.cookies

    def read(path: str) -> Shown:
        page = english.get(path)
        assert not re.search("[\u4e00-\u9fff]", page.text.replace("中文", "")), page.text
        return page

    read(NEW)
    read(f"{TOKENS}/{secret.split('-')[1]}")
    assert read(TOKENS).texts("h1") == ["Access tokens"]
