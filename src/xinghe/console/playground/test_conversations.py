"""Conversations in a real browser: with two models at once, and those of before."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from tests.kit.chromium import Person
from tests.kit.models import ABLE, CHAT
from tests.kit.playing import PAGE
from tests.kit.script import Script
from tests.kit.talking import WAIT, ask, asked_bodies, ended
from tests.kit.upstream import Upstream

FILL = """async (member) => {
  const main = document.querySelector('script[type=module]').src;
  const { Store, MOST } = await import(new URL('store.js', main));
  const store = new Store(member);
  for (let at = 0; at < MOST + 20; at += 1) {
    await store.write(`id-${at}`, `对话 ${at}`, { rounds: [], models: [], settings: {} });
  }
  return MOST;
}"""


def test_two_models_answer_side_by_side(person: Person, upstream: Upstream) -> None:
    page = person.go(PAGE)
    sent = asked_bodies(page)
    page.get_by_role("button", name="对比").press("Enter")
    page.get_by_role("combobox", name="另一个模型").select_option(ABLE)
    script = Script(pieces=["甲", "乙"], thoughts=["想"], pauses_at=2)
    ask(page, script, CHAT)
    sides = page.locator(".side")
    for side in sides.all():
        expect(side).to_contain_text("想", timeout=WAIT)  # neither waits for the other
    assert [each["model"] for each in sent] == [CHAT, ABLE]
    upstream.resume(script)
    ended(page)
    expect(page.locator(".side .text")).to_have_text(["甲乙", "甲乙"])
    for at, model in enumerate((CHAT, ABLE)):
        assert sides.nth(at).get_attribute("aria-label") == model
        expect(sides.nth(at).locator(".facts-line")).to_contain_text("首字")
        expect(sides.nth(at).locator(".facts-line")).to_contain_text("Token")
    assert person.barriers() == []
    sides.nth(1).get_by_role("button", name="重试").click()
    ended(page)
    ask(page, Script(pieces=["字"] * 2000, rate=50), CHAT)
    for side in sides.all()[2:]:
        expect(side).to_contain_text("字字", timeout=WAIT)
    page.get_by_role("button", name="停止").click()
    ended(page)
    expect(page.locator(".side .end", has_text="照常计费")).to_have_count(2)
    assert [each["messages"][1]["content"] for each in sent[3:]] == ["甲乙", "甲乙"]
    page.set_viewport_size({"width": 360, "height": 800})
    assert not person.is_wider_than_its_window()
    tops = [side.evaluate("each => each.getBoundingClientRect().top") for side in sides.all()]
    assert tops == sorted(set(tops))  # one below the other
    page.reload()
    expect(page.locator(".side")).to_have_count(4)
    expect(page.get_by_role("combobox", name="另一个模型")).to_have_value(ABLE)
    page.get_by_role("button", name="对比").click()
    ask(page, Script(pieces=["丙"]), CHAT)
    ended(page)
    expect(page.locator(".side")).to_have_count(5)
    assert person.faults == []


def titles(page: Page) -> list[str]:
    return page.locator(".kept .open").all_inner_texts()


def shown(page: Page) -> None:
    page.get_by_role("button", name="对话记录").click()
    expect(page.get_by_role("heading", name="对话记录")).to_be_visible()


def test_earlier_conversations(person: Person) -> None:
    page = person.go(PAGE)
    hostile = "<img src=x onerror=window.hit=1>\u202e" + "长" * 300
    ask(page, f"{hostile}\n第二行")
    ended(page)
    page.get_by_role("button", name="新对话").click()
    expect(page.locator(".turn")).to_have_count(0)
    ask(page, "二")
    ended(page)
    page.reload()
    expect(page.locator(".asked .text")).to_have_text("二")
    shown(page)
    title = hostile.replace("\u202e", "[U+202E]")
    expect(page.locator(".kept .open")).to_have_count(2)
    assert titles(page)[0] == "二"
    assert title.startswith(titles(page)[1])
    assert person.barriers() == []
    page.get_by_role("button", name="改名：<img").click()
    page.get_by_role("textbox", name="名字").fill("第一个")
    page.keyboard.press("Enter")
    expect(page.locator(".kept .open").nth(1)).to_have_text("第一个")
    page.locator(".kept .open").nth(1).press("Enter")
    expect(page.locator(".asked .text")).to_contain_text("第二行")
    ask(page, "三")
    ended(page)
    shown(page)
    expect(page.locator(".kept .open")).to_have_text(["第一个", "二"])
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="删除：第一个").click()
    expect(page.locator(".kept .open")).to_have_text(["二"])
    page.get_by_role("button", name="关闭").click()
    expect(page.locator(".turn")).to_have_count(0)  # which was the one on the page
    member = page.locator("#play").get_attribute("data-member")
    most = page.evaluate(FILL, member)
    shown(page)
    assert len(titles(page)) == most == 100
    assert "二" not in titles(page)
    assert titles(page)[0] == "对话 119"
    page.get_by_role("button", name="全部删除").click()
    expect(page.locator("#kept-nothing")).to_be_visible()
    page.reload()
    shown(page)
    assert titles(page) == []
    assert page.evaluate("window.hit") is None
    assert person.faults == []
