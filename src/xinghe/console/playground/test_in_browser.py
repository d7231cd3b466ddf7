"""A conversation in a real browser: as it comes, stopped, refused, kept, cleared."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Route, expect
from tests.kit.chromium import Person
from tests.kit.models import CHAT
from tests.kit.playing import PAGE, RUN
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.talking import WAIT, ask, asked_bodies, ended, make_unable
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

ABLE = "scripted-able"


def test_an_answer_comes_as_it_is_made(person: Person, upstream: Upstream) -> None:
    page = person.go(PAGE)
    script = Script(
        pieces=["<b>第一" + ",很长" * 60, "句</b>。", "\n", "完"],
        thoughts=["想一", "想"],
        pauses_at=3,
    )
    ask(page, script, ABLE)
    text = page.locator(".answered .text")
    expect(text).to_contain_text("第一", timeout=WAIT)
    assert not person.is_wider_than_its_window()
    assert "完" not in text.inner_text()  # which is not made yet
    assert page.locator(".thought").inner_text() == "想一想"
    upstream.resume(script)
    ended(page)
    expect(text).to_contain_text("完")
    assert "<b>" in text.inner_text()
    assert page.locator(".answered").get_attribute("aria-busy") == "false"
    link = page.locator(".facts-line a")
    assert person.barriers() == []
    link.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("main")).to_contain_text("playground")
    assert person.faults == []


def test_stop_ends_the_work(person: Person, upstream: Upstream) -> None:
    page = person.go(PAGE)
    script = Script(pieces=["字"] * 2000, rate=50)
    ask(page, script)
    expect(page.locator(".answered .text")).to_contain_text("字", timeout=WAIT)
    page.get_by_role("button", name="停止").click()
    expect(page.locator(".answered .end")).to_contain_text("照常计费")
    assert upstream.received(script).done.wait(10)
    expect(page.get_by_role("button", name="发送", exact=True)).to_be_enabled()
    assert person.faults == []


def test_a_conversation_stays_in_this_browser(person: Person) -> None:
    page = person.go(PAGE)
    sent = asked_bodies(page)
    ask(page, Script(pieces=["一"]))
    ended(page)
    page.reload()
    expect(page.locator(".answered .text")).to_have_text("一")
    assert page.get_by_role("combobox", name="模型").input_value() == CHAT
    ask(page, Script(pieces=["二"]))
    expect(page.locator(".answered .text").nth(1)).to_have_text("二", timeout=WAIT)
    messages = sent[-1]["messages"]
    assert isinstance(messages, list)
    assert [each["role"] for each in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == "一"
    ended(page)
    page.get_by_role("button", name="新对话").click()
    expect(page.locator(".turn")).to_have_count(0)
    page.reload()
    expect(page.locator("#nothing")).to_be_visible()
    assert page.locator(".turn").count() == 0
    assert person.faults == []


@pytest.mark.slow
def test_whoever_signs_in_next_does_not_see_it(
    person: Person, browser: Browser, operator: Visitor
) -> None:
    page = person.go(PAGE)
    ask(page, Script(pieces=["秘密"]))
    ended(page)
    person.context.clear_cookies()
    person.bring(operator.cookies)
    page.reload()
    expect(page.locator("#nothing")).to_be_visible()
    assert page.locator(".turn").count() == 0


def test_a_refusal_is_told_in_words_with_its_request(person: Person) -> None:
    page = person.go(PAGE)
    ask(page, "x" * 70_000)
    told = page.locator(".answered .notice")
    expect(told).to_contain_text("字符太多", timeout=WAIT)
    expect(page.locator(".facts-line a")).to_contain_text("as-")
    ask(page, Script(pieces=["好"]))  # what was refused is not sent along
    expect(page.locator(".answered .text").nth(1)).to_have_text("好", timeout=WAIT)


def test_a_connection_that_breaks_is_told(person: Person) -> None:
    page = person.go(PAGE)

    def cut(route: Route) -> None:
        whole = route.fetch()
        events = whole.body().split(b"\n\n")
        body = b"\n\n".join(events[:3]) + b"\n\n"
        route.fulfill(body=body, headers={"content-type": "text/event-stream", "x-request-id": "a"})

    page.route(f"**{RUN}", cut)
    ask(page, Script(pieces=["甲"] * 8))
    expect(page.locator(".answered .notice")).to_contain_text("没有完成", timeout=WAIT)
    page.unroute(f"**{RUN}")
    page.route(f"**{RUN}", lambda route: route.abort())
    ask(page, "再来")
    expect(page.locator(".answered .notice").nth(1)).to_contain_text("连不上服务", timeout=WAIT)


def test_who_is_signed_out_meanwhile_is_told_where_to_sign_in(
    person: Person, member: Visitor, service: Server
) -> None:
    page = person.go(PAGE)
    member.submit(member.get("/console/"), "/console/sign-out")
    ask(page, "你好")
    link = page.get_by_role("link", name="重新登录")
    expect(link).to_be_visible(timeout=WAIT)
    assert link.get_attribute("href") == "/?next=/console/playground"


def test_what_is_set_is_sent_and_kept(person: Person) -> None:
    page = person.go(PAGE)
    sent = asked_bodies(page)
    make_unable(page, CHAT)
    expect(page.locator("[name=reasoning_effort]")).to_be_hidden()
    expect(page.locator("#ignored")).to_contain_text(f"{CHAT} 会忽略：thinking_budget")
    page.get_by_role("combobox", name="模型").select_option(ABLE)
    expect(page.locator("#ignored")).to_be_hidden()
    thought = page.locator("[name=thinking_budget]")
    assert (thought.get_attribute("max"), thought.get_attribute("placeholder")) == ("512", "512")
    page.get_by_label("系统提示").fill("简短")
    page.locator("[name=temperature]").fill("0.3")
    page.locator("[name=reasoning_effort]").select_option("low")
    page.locator("[name=stop]").fill("甲\n乙")
    page.locator("[name='web_search.enable_citation']").check()
    ask(page, Script(pieces=["一"]), ABLE)
    ended(page)
    assert sent[0]["messages"][0] == {"role": "system", "content": "简短"}
    assert (sent[0]["temperature"], sent[0]["reasoning_effort"]) == (0.3, "low")
    assert sent[0]["stop"] == ["甲", "乙"]
    assert "web_search" not in sent[0]  # which is not switched on
    page.reload()
    expect(page.locator("[name=temperature]")).to_have_value("0.3")
    page.locator("[name=temperature]").fill("3")
    ask(page, "问", ABLE)
    assert page.locator(".turn").count() == 2  # nothing is sent that is out of its range
    assert page.evaluate("document.activeElement.name") == "temperature"
    assert person.barriers() == []
    assert person.faults == []


def test_ask_again_and_change_an_earlier_question(person: Person) -> None:
    page = person.go(PAGE)
    sent = asked_bodies(page)
    ask(page, Script(pieces=["一"]))
    ended(page)
    ask(page, Script(pieces=["二"]))
    ended(page)
    page.get_by_role("button", name="重试").last.click()
    ended(page)
    expect(page.locator(".answered .text").nth(1)).to_have_text("二", timeout=WAIT)
    assert sent[2] == sent[1]
    page.get_by_role("button", name="修改", exact=True).first.click()
    ask(page, Script(pieces=["三"]))
    expect(page.locator(".answered .text")).to_have_text(["三"], timeout=WAIT)
    ended(page)
    assert len(sent[3]["messages"]) == 1
    page.reload()
    expect(page.locator(".answered .text")).to_have_text(["三"])
    page.get_by_role("button", name="修改", exact=True).click()
    page.get_by_role("button", name="新对话").click()
    ask(page, Script(pieces=["四"]))  # there is nothing left to be replaced
    expect(page.locator(".answered .text")).to_have_text(["四"], timeout=WAIT)
    assert person.faults == []


@pytest.mark.slow
def test_the_request_as_code(person: Person) -> None:
    page = person.go(PAGE)
    page.get_by_role("combobox", name="模型").select_option(CHAT)
    page.locator("[name=top_p]").fill("0.5")
    page.get_by_role("textbox", name="问题").fill("你好</code>")
    page.get_by_role("button", name="查看代码").click()
    shown = page.locator("#program-python")
    expect(shown).to_contain_text("top_p=0.5", timeout=WAIT)
    expect(shown).to_contain_text("你好</code>")
    assert person.barriers() == []
    page.get_by_role("button", name="关闭").click()
    expect(shown).to_be_hidden()
    assert person.faults == []


@pytest.mark.slow
def test_sources_are_links_that_lead_to_pages_alone(person: Person) -> None:
    page = person.go(PAGE)

    def answer(route: Route) -> None:
        results = [
            {"index": 1, "url": "https://example.org/a", "title": "一"},
            {"index": 2, "url": "javascript:alert(1)", "title": "二"},
        ]
        event = {"choices": [{"delta": {"content": "见^[1][2]^"}}], "search_results": results}
        body = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n"
        route.fulfill(body=body, headers={"content-type": "text/event-stream"})

    page.route(f"**{RUN}", answer)
    ask(page, "问")
    sources = page.locator(".sources li")
    expect(sources).to_have_text(["一", "二"], timeout=WAIT)
    assert [each.get_attribute("href") for each in page.locator(".answered a").all()] == [
        "https://example.org/a",
        "https://example.org/a",
    ]
    assert person.faults == []
