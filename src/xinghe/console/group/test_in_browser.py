"""What scripts add to the page of a group: one box for all of a page, and a question before."""

from __future__ import annotations

from tests.kit.chromium import Person, chromium
from tests.kit.classroom import Desk


def test_all_are_ticked_by_one_box(desk: Desk) -> None:
    room = desk.room("r 三班")
    with chromium() as browser:
        person = Person(browser, room.people["teacher"].url)
        person.bring(room.people["teacher"].cookies)
        page = person.go(room.path)
        page.get_by_label("选择这一页的全部").check()
        assert page.locator("input[name=member]:checked").count() == 2
        page.get_by_label("最多（Token）").fill("900")
        page.get_by_role("button", name="设预算").click()
        page.get_by_text("已给 2 名成员设好预算").wait_for()
        page.get_by_role("link", name=f"{room.name} anna").click()
        page.on("dialog", lambda dialog: dialog.dismiss())
        page.get_by_role("button", name="停用").click()
        assert page.get_by_text("正常", exact=True).count() == 1
        assert person.faults == []
