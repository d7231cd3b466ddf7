"""A teacher's page of his class: who is in it, found and in order; budgets of many at once."""

from __future__ import annotations

import pytest
from tests.kit.api import Api
from tests.kit.classroom import Class, Desk
from tests.kit.models import CHAT
from tests.kit.raw import Connection
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor

CROSS = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def room(desk: Desk, service: Server) -> Class:
    """Anna has asked twice, Bert once."""
    made = desk.room("g 一班")
    for name, times in ("anna", 2), ("bert", 1):
        for _ in range(times):
            assert Api(service.url, made.tokens[name]).chat(model=CHAT).status == 200
    return made


def names(page: Shown) -> list[str]:
    return page.texts("tbody th bdi")


def budgets(room: Class, service: Server, who: str) -> list[float]:
    api = Api(service.url, room.tokens["teacher"], mount="/admin/v1")
    found = api.get(f"/budgets?member={room.ids[who]}").json["data"]
    return [each["amount"] for each in found]


def test_only_who_manages_has_the_pages(room: Class, nobody: Visitor, operator: Visitor) -> None:
    for name in "teacher", "head", "anna", "stranger":
        may = name in ("teacher", "head")
        for path in "", "/invitations", "/report", f"/members/{room.ids['bert']}":
            status = room.people[name].get(room.path + path).status
            assert status in ({200} if may else {401, 403, 404}), (name, path, status)
        menu = room.people[name].get("/console/").texts(".section a")
        assert ("我的班组" in menu) == (name != "anna")
    assert operator.get(room.path).status == 200
    assert nobody.get(room.path).path == "/"


def test_a_manager_sees_no_other_manager_closely(room: Class) -> None:
    teacher = room.people["teacher"]
    assert teacher.get(f"{room.path}/members/{room.ids['head']}").status in (403, 404)
    shown = {
        teacher.get(f"{room.path}/members/{who}").text.replace(who, "")
        for who in (room.ids["stranger"], "app-0000000000")
    }
    assert len({text.partition("请求编号")[0] for text in shown}) == 1, "it tells who there is"


def test_who_spent_the_most_comes_first(room: Class) -> None:
    teacher = room.people["teacher"]
    page = teacher.get(room.path)
    assert names(page)[:2] == [f"{room.name} anna", f"{room.name} bert"]
    assert "从未" in page.text
    found = teacher.get(f"{room.path}?name=BERT&order=name")
    assert names(found) == [f"{room.name} bert"]
    assert "没有名字里有这段文字的成员" in teacher.get(f"{room.path}?name=nobody").text
    for odd in "?order=x&after=-1", "?after=99999999999999999", "?name=%25", "?after=9":
        assert teacher.get(room.path + odd).status == 200


def test_budgets_of_those_who_are_ticked(room: Class, service: Server) -> None:
    teacher, both = room.people["teacher"], [room.ids["anna"], room.ids["bert"]]
    page = teacher.get(room.path)
    shown = teacher.submit(page, f"{room.path}/budgets", member=both, amount="1,000", end="")
    assert "已给 2 名成员设好预算" in shown.text
    assert budgets(room, service, "anna") == budgets(room, service, "bert") == [1000]
    # the same form once more, late
    teacher.submit(teacher.get(room.path), f"{room.path}/budgets", member=both, amount="5", end="")
    teacher.submit(page, f"{room.path}/budgets", member=both, amount="1,000", end="")
    assert budgets(room, service, "anna") == [5]
    shown = teacher.submit(teacher.get(room.path), f"{room.path}/budgets", member=both, end="1")
    assert "已结束 2 名成员的预算" in shown.text
    assert budgets(room, service, "anna") == []


@pytest.mark.parametrize("amount", ["-1", "1e300", "nan", "much", "", "0.00000001"])
def test_a_budget_that_is_none_is_refused_beside_the_form(
    room: Class, service: Server, amount: str
) -> None:
    teacher = room.people["teacher"]
    page = teacher.get(f"{room.path}?name=anna")
    shown = teacher.submit(
        page, f"{room.path}/budgets", member=room.ids["anna"], amount=amount, end=""
    )
    assert shown.status == 400
    assert "不小于 0 的数" in shown.text
    assert shown.all("input[name=amount]")[0].get("value") == amount
    assert shown.all("input[name=member][checked]")
    assert shown.all("#name")[0].get("value") == "anna"
    assert budgets(room, service, "anna") == []


def test_nobody_else_sets_budgets(room: Class, service: Server) -> None:
    teacher = room.people["teacher"]
    fields = {"member": room.ids["anna"], "amount": "7", "per": "month", "end": "", "once": "k"}
    page = teacher.get(room.path)
    mark = page.all("input[name=mark]")[0].get("value")
    action = f"{room.path}/budgets"
    ours = {"Origin": service.url, "Sec-Fetch-Site": "same-origin"}
    assert teacher.post(action, fields | {"mark": "x"}, ours).status == 403
    assert teacher.post(action, fields | {"mark": mark}, CROSS).status == 403
    for name in "anna", "stranger":
        visitor = room.people[name]
        own = visitor.get("/console/").all("input[name=mark]")[0].get("value")
        assert visitor.post(action, fields | {"mark": own}, ours).status in (403, 404)
    for who in room.ids["head"], room.ids["stranger"], "app-0000000000":
        shown = teacher.post(action, fields | {"mark": mark, "member": who}, ours)
        assert shown.status in (403, 404), who
    assert budgets(room, service, "anna") == []


def test_who_spent_what_to_take_away_and_to_print(room: Class, operator: Visitor) -> None:
    teacher = room.people["teacher"]
    page = teacher.get(f"{room.path}/report")
    assert page.texts("tbody th") == [f"{room.name} anna", f"{room.name} bert"]
    assert page.texts("tfoot td")[0] == "3"
    link = page.all("a[href*=csv]")[0].get("href")
    data = teacher.get(link).reply.body.decode()
    assert data.startswith("\ufefffrom,to,")
    assert f"{room.name} anna" in data
    refused = teacher.get(f"{room.path}/report?from=2026-02-02&to=2026-01-01")
    assert refused.status == 400
    assert "第一天不能在最后一天之后" in refused.text


def test_names_are_only_names(room: Class, service: Server, desk: Desk) -> None:
    for name in '=cmd|"/c calc"!A1', "<script>alert(1)</script>", "\u05d0\u05d1 abc", "名" * 64:
        _, token = desk.member(name, room.id)
        assert Api(service.url, token).chat(model=CHAT).status == 200
    teacher = room.people["teacher"]
    for path in "", "/report":
        page = teacher.get(room.path + path)
        assert "<script>alert" not in page.reply.text
        assert "&lt;script&gt;alert" in page.reply.text
    data = teacher.get(f"{room.path}/spending.csv").reply.body.decode()
    assert "=cmd|" in data
    for start in ",=cmd", '"=cmd', "\n=cmd":
        assert start not in data


def test_an_answer_that_is_broken_off_is_no_whole_file(room: Class, service: Server) -> None:
    teacher = room.people["teacher"]
    cookies = "; ".join(f"{name}={value}" for name, value in teacher.cookies.items())
    with Connection(service.url) as connection:
        connection.request(
            "HEAD", f"{room.path}/spending.csv", None, {**teacher.headers, "Cookie": cookies}
        )
        status, headers = connection.head()
    assert status == 200
    assert headers["content-disposition"].endswith('.csv"')
