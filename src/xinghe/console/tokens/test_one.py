"""One token: what it allows is changed, its budgets are set, and nobody else's is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

TOKENS = "/console/tokens"


@pytest.fixture
def admin(api: Api) -> Api:
    return api.at("/admin/v1")


@pytest.fixture
def token(admin: Api, member_token: str) -> str:
    """The public id of a token that allows one model alone."""
    me = admin.get("/tokens/" + member_token.split("-")[1]).json["member"]
    made = admin.post(f"/members/{me}/tokens", {"name": "lab", "models": [CHAT, "gone"]})
    return str(made.json["id"])


def fields(page: Shown, action: str) -> dict[str, Any]:
    """What its form would send, with all that is chosen of one name."""
    form = next(form for form in page.document.forms if form.get("action") == action)
    sent: dict[str, Any] = {}
    for name, value in form.form_values():
        sent.setdefault(name, []).append(value)
    return sent


def save(member: Visitor, page: Shown, token: str, **changes: Any) -> Shown:
    path = f"{TOKENS}/{token}"
    return member.post(path, fields(page, path) | changes, {"Origin": member.url})


def test_what_it_allows_is_changed(member: Visitor, admin: Api, token: str) -> None:
    before = admin.get(f"/tokens/{token}").json
    page = member.get(f"{TOKENS}/{token}")
    assert page.texts("h1") == ["lab 有效"]
    # To save what stands there changes nothing, not even what is served no more.
    assert save(member, page, token).status == 200
    assert admin.get(f"/tokens/{token}").json == before
    page = member.get(f"{TOKENS}/{token}")
    page = save(member, page, token, name="新名字", which="all", day="2099-01-01", scopes="admin")
    assert page.texts("h1") == ["新名字 有效"]
    told = admin.get(f"/tokens/{token}").json
    assert (told["name"], told["models"], told["scopes"]) == ("新名字", None, ["admin"])
    assert told["expires_at"] == "2099-01-01T16:00:00Z"
    page = save(member, page, token, day="")
    assert admin.get(f"/tokens/{token}").json["expires_at"] is None


def test_an_end_within_a_day_stays_where_the_day_does(
    member: Visitor, admin: Api, token: str
) -> None:
    noon = "2099-06-01T12:00:00Z"
    admin.send("PATCH", f"/tokens/{token}", f'{{"expires_at": "{noon}"}}'.encode())
    page = member.get(f"{TOKENS}/{token}")
    assert fields(page, f"{TOKENS}/{token}")["day"] == ["2099-06-01"]
    save(member, page, token, name="other")
    told = admin.get(f"/tokens/{token}").json
    assert (told["name"], told["expires_at"]) == ("other", noon)


def test_an_end_that_is_taken_for_never(member: Visitor, admin: Api, token: str) -> None:
    """A zone east of UTC has no date for it."""
    end = "9999-12-31T23:59:59Z"
    assert admin.send("PATCH", f"/tokens/{token}", f'{{"expires_at": "{end}"}}'.encode()).json
    for zone in "Asia/Shanghai", "UTC", "America/New_York":
        member.cookies["xinghe-zone"] = zone
        assert "9999-12-31" in member.get(TOKENS).text
        page = save(member, member.get(f"{TOKENS}/{token}"), token, name=zone)
        assert page.texts("h1") == [f"{zone} 有效"]
    assert admin.get(f"/tokens/{token}").json["expires_at"] == end


def test_two_who_change_it_at_once(member: Visitor, admin: Api, token: str) -> None:
    page = member.get(f"{TOKENS}/{token}")
    admin.send("PATCH", f"/tokens/{token}", b'{"name": "meanwhile"}')
    refused = save(member, page, token, name="mine")
    assert refused.status == 412
    assert "被改过了" in refused.texts("[role=alert]")[0]
    assert fields(refused, f"{TOKENS}/{token}")["name"] == ["mine"]
    assert admin.get(f"/tokens/{token}").json["name"] == "meanwhile"
    assert save(member, refused, token).texts("h1") == ["mine 有效"]
    for version in ("", "第一版", '"1", "2"'):
        page = save(member, refused, token, version=version, name="other")
        assert (page.status, page.texts("h1")) == (400, ["mine 有效"]), version


def test_budgets_are_set_changed_and_ended(member: Visitor, admin: Api, token: str) -> None:
    path = f"{TOKENS}/{token}"
    page = member.submit(
        member.get(path), f"{path}/budgets", amount="20", unit="requests", per="day", model=CHAT
    )
    assert page.path == path
    (budget,) = admin.get(f"/budgets?token={token}").json["data"]
    assert (budget["amount"], budget["unit"], budget["per"]) == (20, "requests", "day")
    assert (budget["model"], budget["zone"]) == (CHAT, "Asia/Shanghai")
    one = f"{path}/budgets/{budget['id']}"
    page = member.submit(page, one, amount="0")
    assert "每天 0 次请求" in page.texts("article")[0]
    assert page.all("progress")
    page = member.submit(page, one, amount="some")
    assert page.status == 400
    assert "上限要是" in page.texts("[role=alert]")[0]
    assert fields(page, one)["amount"] == ["some"]
    page = member.post(one, fields(page, one) | {"end": "1"}, {"Origin": member.url})
    assert admin.get(f"/budgets?token={token}").json["data"] == []
    assert page.all("article") == []
    for number in (budget["id"], 10**12, "9" * 5000):
        refused = member.post(
            f"{path}/budgets/{number}", fields(page, path) | {"amount": "1"}, {"Origin": member.url}
        )
        assert (refused.status, refused.texts("h1")) == (404, ["lab 有效"])
    page = member.submit(page, f"{path}/budgets", amount="none", per="week")
    assert (page.status, fields(page, f"{path}/budgets")["per"]) == (400, ["week"])


def test_what_others_have_set_stands(
    service: Server, member: Visitor, admin: Api, token: str
) -> None:
    operator = Api(service.url, service.token("--scope", "admin")).at("/admin/v1")
    day = {"token": token, "unit": "tokens", "amount": 5, "per": "day", "rolling": True}
    budget = operator.post("/budgets", day).json["id"]
    path = f"{TOKENS}/{token}"
    page = member.get(path)
    assert "由管理者设定" in page.texts("article")[0]
    assert "最近 24 小时" in page.texts("article")[0]
    assert page.all("article form") == []
    given = fields(page, f"{path}/budgets") | {"amount": "100", "end": ""}
    for end in ("", "1"):
        refused = member.post(
            f"{path}/budgets/{budget}", given | {"end": end}, {"Origin": member.url}
        )
        assert refused.status == 403
        assert "别人设的" in refused.texts("[role=alert]")[0]
    assert admin.get(f"/budgets/{budget}").json["amount"] == 5


def test_its_last_entries(service: Server, member: Visitor, api: Api, member_token: str) -> None:
    token = member_token.split("-")[1]
    page = member.get(f"{TOKENS}/{token}")
    assert page.texts(".empty") == ["还没有用它调用过。 快速开始"]
    asked = [api.chat(model=CHAT).json["id"] for _ in range(6)]
    page = member.get(f"{TOKENS}/{token}")
    assert page.texts("tbody td:last-child") == asked[:0:-1]
    links = [each.get("href") for each in page.all("section a")]
    assert f"/console/usage?token={token}" in links
    assert f"/console/usage/requests/{asked[-1]}" in links


def test_nobody_elses_is_shown_or_touched(
    service: Server, member: Visitor, make_member: Callable[[str], str], operator: Visitor
) -> None:
    other = make_member("somebody else")
    theirs, admin = other.split("-")[1], Api(service.url, other).at("/admin/v1")
    before = admin.get(f"/tokens/{theirs}").json
    mark = fields(member.get(f"{TOKENS}/new"), f"{TOKENS}/new")["mark"]
    for path in (f"{TOKENS}/{theirs}", f"{TOKENS}/abcdefghij", f"{TOKENS}/1", f"{TOKENS}/..%2F.."):
        assert member.get(path).status == 404
    form = {"mark": mark, "name": "x", "scopes": "admin", "version": '"1"', "amount": "1"}
    budget = {"unit": "tokens", "per": "day"}
    for path in (theirs, f"{theirs}/revoke", f"{theirs}/budgets"):
        refused = member.post(f"{TOKENS}/{path}", form | budget, {"Origin": member.url})
        assert refused.status == 404, path
    assert admin.get(f"/tokens/{theirs}").json == before
    assert "somebody else" not in member.get(f"{TOKENS}/{theirs}").text
    # Operators may see it by the API, but these pages are about their own.
    assert operator.get(f"{TOKENS}/{theirs}").status == 404
