"""The operator's pages: members, groups, wallets and the audit log."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from tests.kit.classroom import Class, Desk
from tests.kit.visitor import Visitor

PAGES = ("/console/members", "/console/groups", "/console/wallets", "/console/audit")


@pytest.fixture(scope="module")
def boss(desk: Desk) -> Visitor:
    """The operator, by an access token."""
    return desk.visitor(str(desk.api.token))


@pytest.fixture(scope="module")
def room(desk: Desk) -> Class:
    return desk.room("o 五班")


def marked(visitor: Visitor, path: str, **fields: str) -> int:
    """What comes of a form with the visitor's own mark."""
    mark = visitor.get("/console/start").all("input[name=mark]")[0].get("value")
    ours = {"Origin": visitor.url, "Sec-Fetch-Site": "same-origin"}
    return visitor.post(path, {"mark": mark, "once": "x", **fields}, ours, follow=False).status


def test_they_are_operators_pages(boss: Visitor, room: Class) -> None:
    wallet = f"/console/wallets/{room.id}"
    for path in (*PAGES, f"/console/members/{room.ids['anna']}"):
        assert boss.get(path).status == 200, path
        for name in "teacher", "anna":
            shown = room.people[name].get(path)
            own = path.endswith(room.ids[name]) or (
                name in ("teacher", "head") and "/members/" in path
            )
            allowed = own or shown.path in ("/console/group", "/console/shop", room.path)
            assert allowed or shown.status in (403, 404), (name, path, shown.path)
    assert set(PAGES) <= {a.get("href") for a in boss.get("/console/").all(".section a")}
    assert not {*PAGES} & {
        a.get("href") for a in room.people["teacher"].get("/console/").all(".menu a")
    }
    for path, fields in (
        ("/console/members/new", {"new": "x", "tokens": "5"}),
        ("/console/groups", {"new": "x", "tokens": "5"}),
        (f"{wallet}/grants", {"amount": "5", "reason": "x"}),
        (f"/console/members/{room.ids['anna']}", {"operator": "1"}),
    ):
        assert marked(room.people["teacher"], path, **fields) in (403, 404), path


def test_a_member_is_made_found_disabled_and_made_an_operator(boss: Visitor) -> None:
    page = boss.get("/console/members")
    made = boss.submit(page, "/console/members/new", new="o <b>new</b>", tokens="7")
    assert made.texts("h1") == ["o <b>new</b>"], made.text
    again = boss.submit(page, "/console/members/new", new="o <b>new</b>", tokens="7")
    assert again.status in {400, 409}
    assert again.all("input[name=new]")[0].get("value") == "o <b>new</b>"
    [found] = boss.get("/console/members?name=o+%3Cb").texts("tbody th")
    assert found == "o <b>new</b>"
    stale = boss.get(made.path)
    mark_up = boss.post(
        made.path,
        dict(stale.document.forms[-1].form_values()),
        {"Origin": boss.url, "Sec-Fetch-Site": "same-origin"},
    )
    assert "管理员" in mark_up.texts("dd")[0]
    refused = boss.post(
        made.path,
        dict(stale.document.forms[-2].form_values()),
        {"Origin": boss.url, "Sec-Fetch-Site": "same-origin"},
    )
    assert refused.status == 412
    assert "别人改过了" in refused.text
    assert "没有这样的成员" in boss.get("/console/members?name=zzzz").text


def test_a_group_is_made(boss: Visitor) -> None:
    page = boss.get("/console/groups")
    made = boss.submit(page, "/console/groups", new="o 组织", tokens="0")
    assert made.texts("h1") == ["o 组织"]
    refused = boss.submit(page, "/console/groups", new="o 组织", tokens="-5")
    assert refused.status == 400
    assert refused.all("input[name=tokens]")[0].get("value") == "-5"


def test_a_grant_needs_a_reason_and_is_given_once(boss: Visitor, desk: Desk, room: Class) -> None:
    wallet = desk.api.get(f"/members/{room.ids['anna']}").json["wallet"]
    path = f"/console/wallets/{wallet}"
    page = boss.get(path)
    for field, value in ("reason", ""), ("amount", "-1"), ("amount", "1e30"), ("day", "1999-01-01"):
        given = {"amount": "5", "reason": "奖励", field: value}
        refused = boss.submit(page, f"{path}/grants", **given)
        assert refused.status == 400, field
        assert refused.all(f"input[name={field}]")[0].get("value") == value
    for _ in range(2):
        assert "已发放" in boss.submit(page, f"{path}/grants", amount="5", reason="奖励").text
    shown = boss.get(path)
    assert shown.texts(".figure")[0] == "5"
    assert "奖励" in shown.texts("td.wrap")[0]
    assert boss.get("/console/wallets?number=" + str(wallet)).path == path


def test_all_wallets_by_name_and_by_balance(boss: Visitor, desk: Desk, room: Class) -> None:
    for end in range(52):
        desk.send("/members", name=f"o 钱包 {end:02}", tokens=0)
    rich = desk.send("/members", name="o 钱包 <b>富</b>", tokens=10**12)
    first = boss.get(f"/console/wallets?name={quote('o 钱包')}&order=name")
    assert len(first.all("tbody tr")) == 50
    [more] = [each.get("href") for each in first.all("main a") if "after=" in each.get("href")]
    second = boss.get(more)
    assert second.texts("tbody th") == ["o 钱包 50", "o 钱包 51", rich["name"]]
    shown = boss.get("/console/wallets?order=most")
    assert shown.texts("tbody th")[0] == rich["name"]
    assert shown.texts("tbody td.num")[:3] == ["1,000,000,000,000", "0", "1,000,000,000,000"]
    assert shown.all(f"a[href='/console/wallets/{rich['wallet']}']")
    assert boss.get("/console/wallets?order=least").texts("tbody td.num")[2] == "0"
    group = boss.get(f"/console/wallets?name={quote('o 五班')}")
    assert group.all(f"tbody a[href='/console/group/{room.id}']")
    assert "没有这样的钱包" in boss.get("/console/wallets?name=zzzz").text
    refused = boss.get("/console/wallets?order=up")
    assert (refused.status, refused.all("tbody tr")) == (400, [])


def test_the_audit_log_by_who_what_and_target(boss: Visitor, desk: Desk, room: Class) -> None:
    pupil = room.ids["bert"]
    desk.api.send("PATCH", f"/members/{pupil}", b'{"disabled": true}')
    shown = boss.get(f"/console/audit?subject={pupil}&action=member.disable")
    assert len(shown.all("tbody tr")) == 1
    assert '"disabled_at": null' in shown.texts("pre")[0]
    assert "没有这样的记录" in boss.get(f"/console/audit?subject={pupil}&actor=nobody").text
    assert "没有这样的记录" in boss.get("/console/audit?since=2199-01-01").text
    refused = boss.get("/console/audit?since=yesterday")
    assert refused.status == 400
    assert "时间看不懂" in refused.text
