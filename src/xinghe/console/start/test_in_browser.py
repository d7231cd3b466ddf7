"""The newcomer's path with scripts: the answer comes word by word, and all can be copied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect
from tests.kit.chromium import Person, chromium
from tests.kit.script import Script
from tests.kit.visitor import Visitor

WAIT = 20_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def test_an_answer_comes_while_it_is_made(browser: Browser, member: Visitor) -> None:
    person = Person(browser, member.url, permissions=["clipboard-read", "clipboard-write"])
    person.bring(member.cookies)
    page = person.go("/console/start")
    page.get_by_role("button", name="创建访问令牌").click()
    token = page.locator("#secret").inner_text()
    page.locator("[data-copy='#secret']").click()
    page.get_by_role("button", name="已复制").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == token

    script = Script(pieces=["<b>第一", "句</b>。", "\n\n", " ", "完。"], thoughts=["想"], rate=2)
    page.get_by_role("combobox", name="模型").select_option("scripted-able")
    page.get_by_role("textbox", name="问题").fill(script.prompt)
    run = page.get_by_role("button", name="运行")
    run.click()
    answer = page.locator("#answer-text")
    expect(answer).to_contain_text("第一", timeout=WAIT)
    assert answer.text_content() != script.text  # there is more to come
    assert run.is_disabled()
    page.get_by_text("花费（Token）").wait_for()
    assert answer.text_content() == script.text
    assert page.locator("#answer-thought").text_content() == "想"
    assert run.is_enabled()

    page.get_by_text("curl", exact=True).click()
    page.locator("[data-copy='#snippet-curl']").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl ")
    assert script.id in copied  # it asks what was asked on the page
    assert person.barriers() == []
    assert person.faults == []


def test_a_connection_that_breaks_is_told(browser: Browser, member: Visitor) -> None:
    person = Person(browser, member.url)
    person.bring(member.cookies)
    page = person.go("/console/start")
    page.get_by_role("button", name="创建访问令牌").click()

    def cut(route: Route) -> None:
        whole = route.fetch().body()
        events = whole.split(b"\n\n")
        assert len(events) > 3
        route.fulfill(body=b"\n\n".join(events[:2]) + b"\n\n", content_type="text/event-stream")

    page.route("**/console/start/run", cut)
    page.get_by_role("button", name="运行").click()
    expect(page.locator("#answer-end")).to_contain_text("连接断了", timeout=WAIT)
    assert page.get_by_role("button", name="运行").is_enabled()
    assert person.faults == []


def test_the_next_answer_replaces_the_last(browser: Browser, member: Visitor) -> None:
    person = Person(browser, member.url)
    person.bring(member.cookies)
    page = person.go("/console/start")
    page.get_by_role("button", name="创建访问令牌").click()
    for text in ("甲", "乙"):
        page.get_by_role("textbox", name="问题").fill(Script(pieces=[text]).prompt)
        page.get_by_role("button", name="运行").click()
        expect(page.locator("#answer-text")).to_have_text(text, timeout=WAIT)
        page.get_by_text("花费（Token）").wait_for()
    assert person.faults == []
