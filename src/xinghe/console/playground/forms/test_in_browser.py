"""The playground's forms with scripts: images as they are drawn, cancelled; code; a refusal."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.kit.api import Api
from tests.kit.chromium import Person, chromium
from tests.kit.playing import wait_for
from tests.kit.visitor import Visitor

WAIT = 20_000
"""Milliseconds."""
WHOLE = 4 * 80_000
"""What four images of 2048x2048 cost."""


def test_a_walk(member: Visitor, api: Api) -> None:
    with chromium() as browser:
        person = Person(browser, member.url)
        person.bring(member.cookies)
        page = person.go("/console/playground")
        page.get_by_role("link", name="图像").click()
        page.get_by_role("textbox", name="提示词").fill("一只白猫")
        for name, value in {"size": "2048x2048", "style": "Pixel Art"}.items():
            page.locator(f"[name={name}]").select_option(value)
        page.locator("[name=n]").fill("4")
        draw = page.get_by_role("button", name="画", exact=True)
        draw.click()
        expect(page.locator(".made")).to_contain_text(
            re.compile(r"第 [1-9]\d* / 80 步"), timeout=WAIT
        )
        assert draw.is_disabled()
        page.get_by_role("button", name="取消").click()
        expect(page.locator(".made")).to_contain_text("已取消")
        wait_for(lambda: api.get("/account/entries?kind=usage").json["data"])
        (entry,) = api.get("/account/entries?kind=usage").json["data"]
        assert 0 < -entry["amount"] < WHOLE

        page.locator("[name=n]").fill("1")
        page.locator("[name=size]").select_option("768x768")
        for _ in range(2):  # the same form: another image, for nobody has set a seed
            draw.click()
            expect(draw).to_be_enabled(timeout=WAIT)
        expect(page.locator(".made")).to_have_count(3)
        seeds = page.locator("figcaption").all_inner_texts()
        assert len({*seeds}) == 2
        assert page.locator("img[src^='/images/']").first.evaluate("e => e.naturalWidth") == 768

        page.get_by_role("button", name="查看代码").click()
        expect(page.locator("#code pre").first).to_contain_text("client.images.generate(")
        expect(page.locator(".made")).to_have_count(3)
        assert person.barriers() == []
        assert person.faults == []

        page.get_by_role("link", name="向量").click()
        texts = page.get_by_role("textbox", name="文本")
        texts.fill("甲\n乙")
        page.get_by_role("button", name="计算向量").click()
        expect(page.locator(".near td")).to_have_count(4, timeout=WAIT)
        texts.fill("甲\n" * 17)
        page.get_by_role("button", name="计算向量").click()
        expect(page.get_by_role("alert")).to_contain_text("1 to 16")
        assert texts.input_value() == "甲\n" * 17
        assert person.barriers() == []
        assert not person.is_wider_than_its_window()
