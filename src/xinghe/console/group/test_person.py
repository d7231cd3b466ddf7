"""A member's page of a group, as his teacher sees it: stopped, moved, limited; and invitations."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.kit.api import Api
from tests.kit.classroom import Class, Desk
from tests.kit.models import CHAT
from tests.kit.server import Server


@pytest.fixture(scope="module")
def room(desk: Desk) -> Class:
    return desk.room("p 二班")


def test_what_a_teacher_sees_of_a_pupil(room: Class, service: Server) -> None:
    api = Api(service.url, room.tokens["anna"])
    assert api.chat(model=CHAT).status == 200
    assert api.chat(model="no-such-model").status == 404
    path = f"{room.path}/members/{room.ids['anna']}"
    page = room.people["teacher"].get(path)
    for _ in range(100):  # what failed is written some time later
        if "no_such_model" in page.text:
            break
        time.sleep(0.1)
        page = room.people["teacher"].get(path)
    assert "no_such_model" in page.text
    assert page.texts("main ul li")[0].startswith("t ")  # the token's name, and no more of it
    assert room.tokens["anna"].split("-")[1] not in page.reply.text


def test_disabled_and_enabled_unless_somebody_else_was_there(room: Class, service: Server) -> None:
    teacher, head = room.people["teacher"], room.people["head"]
    path = f"{room.path}/members/{room.ids['bert']}"
    stale = head.get(path)
    shown = teacher.submit(teacher.get(path), f"{path}/able")
    assert "已停用" in shown.text
    assert Api(service.url, room.tokens["bert"]).chat(model=CHAT).status == 401
    refused = head.submit(stale, f"{path}/able", disabled="0")
    assert refused.status == 412
    assert "别人改过了" in refused.text
    assert "已停用" in teacher.get(f"{room.path}?name=bert").text
    shown = teacher.submit(teacher.get(path), f"{path}/able")
    assert "已停用" not in shown.text
    assert Api(service.url, room.tokens["bert"]).chat(model=CHAT).status == 200


def test_a_budget_of_one(room: Class) -> None:
    teacher = room.people["teacher"]
    path = f"{room.path}/members/{room.ids['anna']}"
    refused = teacher.submit(teacher.get(path), f"{path}/budgets", amount="-3", end="")
    assert refused.status == 400
    assert refused.all("input[name=amount]")[0].get("value") == "-3"
    shown = teacher.submit(teacher.get(path), f"{path}/budgets", amount="0", end="")
    assert "预算用完" in shown.text
    assert "预算用完" in teacher.get(f"{room.path}?name=anna").text
    shown = teacher.submit(teacher.get(path), f"{path}/budgets", amount="", end="1")
    assert "预算用完" not in shown.text


def test_who_has_tokens_of_his_own_is_in_nobodys_charge(room: Class, desk: Desk) -> None:
    rich, _ = desk.member(f"{room.name} rich", room.id)
    wallet = desk.api.get(f"/members/{rich}").json["wallet"]
    desk.send(f"/wallets/{wallet}/grants", amount=5, reason="prize")
    teacher, path = room.people["teacher"], f"{room.path}/members/{rich}"
    page = teacher.get(path)
    assert "他不归你管" in page.text
    assert not page.all(f'form[action="{path}/able"]')
    mark = page.all("input[name=mark]")[0].get("value")
    ours = {"Origin": teacher.url, "Sec-Fetch-Site": "same-origin"}
    for action, fields in ("able", {"disabled": "1"}), ("budgets", {"amount": "1", "per": "day"}):
        shown = teacher.post(f"{path}/{action}", {"mark": mark, "once": "x", **fields}, ours)
        assert shown.status == 403
        assert "自己的 Token" in shown.texts("#why")[0]


def test_a_move_and_the_same_form_once_more(room: Class, desk: Desk) -> None:
    pupil, _ = desk.member(f"{room.name} mover", room.id)
    teacher, path = room.people["teacher"], f"{room.path}/members/{pupil}"
    page = teacher.get(path)
    options = {each.get("value") for each in page.all("#move ~ form option, form option")}
    assert str(room.other) in options
    foreign = teacher.submit(page, f"{path}/move", group=str(room.other + 1))
    assert foreign.status == 404
    assert "不归你管" in foreign.text
    moved = teacher.submit(page, f"{path}/move", group=str(room.other))
    assert moved.path == f"/console/group/{room.other}/members/{pupil}"
    again = teacher.submit(page, f"{path}/move", group=str(room.other))
    assert (again.status, again.path) == (200, room.path)
    assert len(desk.api.get(f"/groups/{room.other}/people?name=mover").json["data"]) == 1


def test_an_invitation_is_shown_once_and_made_once(room: Class) -> None:
    teacher, path = room.people["teacher"], f"{room.path}/invitations"
    page = teacher.get(path)
    with ThreadPoolExecutor() as threads:
        sent = [threads.submit(teacher.submit, page, path, uses="3") for _ in range(2)]
        shown = [each.result() for each in sent]
    links = [text for each in shown for text in each.texts("#link")]
    assert len(links) == 1
    assert links[0].startswith(f"{teacher.url}/console/join?invitation=xi-")
    assert {each.reply.headers["cache-control"] for each in shown} == {"no-store"}
    listed = teacher.get(path)
    assert links[0].rpartition("=")[2] not in listed.reply.text
    [number] = listed.texts("tbody th")
    shown_after = teacher.submit(listed, f"{path}/{number}/revoke")
    assert "已撤销" in shown_after.text


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("uses", "0", "至少为 1"),
        ("uses", "many", "至少为 1"),
        ("role", "owner", "只有组的所有者"),
        ("day", "2001-01-01", "截止日"),
    ],
)
def test_an_invitation_that_is_none(room: Class, field: str, value: str, told: str) -> None:
    teacher, path = room.people["teacher"], f"{room.path}/invitations"
    shown = teacher.submit(teacher.get(path), path, **{"uses": "1", field: value})
    assert shown.status in (400, 403)
    assert told in shown.text
