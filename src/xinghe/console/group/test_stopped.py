"""What somebody is told who is stopped: by the API, in his console, and his teacher on the page."""

from __future__ import annotations

import pytest
from tests.kit.api import Api
from tests.kit.classroom import Class, Desk
from tests.kit.models import CHAT
from tests.kit.server import Server
from tests.kit.visitor import Visitor


@pytest.fixture(scope="module")
def room(desk: Desk) -> Class:
    return desk.room("s 四班")


def message(room: Class, service: Server, who: str) -> str:
    reply = Api(service.url, room.tokens[who]).chat(model=CHAT)
    assert reply.status in (401, 403)
    told: str = reply.json["error"]["message"]
    return told


def test_a_budget_that_is_used_up(room: Class, service: Server, desk: Desk) -> None:
    zone, api = "Asia/Shanghai", Api(service.url, room.tokens["anna"])
    most = {"member": room.ids["anna"], "unit": "tokens", "per": "month", "zone": zone}
    number = desk.send("/budgets", **most, amount=2080)["id"]
    assert api.chat(model=CHAT).status == 200
    told = message(room, service, "anna")
    head, teacher = f"{room.name} head", f"{room.name} teacher"
    assert f"; ask {head}, {teacher}. 你的预算（每月 2080 Token）不够这次请求" in told
    assert told.endswith(f"-01 00:00（{zone}）起又有；请找{head}、{teacher}。")
    desk.api.send("PATCH", f"/budgets/{number}", b'{"amount": 0}')
    shown = room.people["anna"].get("/console/")
    assert "你的预算用完了" in shown.texts(".notice.bad")[0]
    assert f"请找 {head}、{teacher}。" in shown.texts(".notice.bad")[0]
    assert "预算用完" in room.people["teacher"].get(f"{room.path}?name=anna").text


def test_somebody_who_is_disabled(room: Class, service: Server) -> None:
    teacher, path = room.people["teacher"], f"{room.path}/members/{room.ids['bert']}"
    teacher.submit(teacher.get(path), f"{path}/able")
    told = message(room, service, "bert")
    assert told == (
        f"The member is disabled: ask {room.name} head, {room.name} teacher. "
        f"成员已被停用，请找{room.name} head、{room.name} teacher。"
    )
    wrong = room.tokens["bert"][:-1] + ("a" if room.tokens["bert"][-1] != "a" else "b")
    reply = Api(service.url, wrong).chat(model=CHAT)
    assert "disabled" not in reply.json["error"]["message"], "only who has the secret is told"
    visitor = Visitor(service.url)
    shown = visitor.sign_in(room.tokens["bert"])
    assert "成员已被停用" in shown.text
    assert room.people["bert"].get("/console/").path == "/"


def test_a_wallet_without_tokens(room: Class, service: Server, desk: Desk) -> None:
    poor = desk.send("/groups", name=f"{room.name} poor", tokens=0)["id"]
    _, token = desk.member(f"{room.name} pauper", poor)
    reply = Api(service.url, token).chat(model=CHAT)
    assert reply.status == 403
    assert reply.json["error"]["message"].endswith("请找管理员。")
    shown = desk.visitor(token).get("/console/")
    assert "余额用完了：现在不能调用模型" in shown.texts(".notice.bad")[0]
    account = Api(service.url, token).get("/account").json
    assert account["stopped"] == [{"reason": "wallet", "whose": None, "model": None, "until": None}]
    assert account["ask"] == []
