"""Tools and forms of answers in a real browser: pasted, checked at once, answered by hand."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Route, expect
from tests.kit.chromium import Person
from tests.kit.models import ABLE, CHAT, DULL
from tests.kit.playing import PAGE, RUN
from tests.kit.script import Call, Script
from tests.kit.talking import WAIT, ask, asked_bodies, ended, make_unable


def opened(person: Person, panel: str, model: str = ABLE) -> Page:
    page = person.go(PAGE)
    page.get_by_role("combobox", name="模型", exact=True).select_option(model)
    page.locator(f"#{panel} > summary").click()
    return page


def faults(person: Person) -> list[str]:
    """But for what the service refused when it was asked: a browser tells that, too."""
    return [each for each in person.faults if "status of 400" not in each]


def test_what_is_wrong_with_tools_is_said_at_once(person: Person) -> None:
    page = opened(person, "tools-set")
    told = page.locator("#tools-told")
    tools = page.get_by_label("工具列表")
    for text, fault in ('{"a": 1}', "列表"), ("[1,\n 2", "不是 JSON"), ("[" * 90_000, "JSON"):
        tools.fill(text)
        expect(told).to_contain_text(fault)
        assert tools.get_attribute("aria-invalid") == "true"
    ask(page, "问", ABLE)
    assert page.locator(".turn").count() == 0  # nothing is sent that is no list
    tools.fill('[{"type": "function", "function": {"name": "有"}}]')
    expect(told).to_contain_text("tools[0].function.name", timeout=WAIT)
    assert faults(person) == []


def test_tools_are_called_and_answered_by_hand(person: Person) -> None:
    page = opened(person, "tools-set")
    sent = asked_bodies(page)
    page.get_by_role("button", name="填入示例").first.click()
    expect(page.locator("#tools-told")).to_contain_text("1 个工具", timeout=WAIT)
    page.locator("[name=tool_choice]").select_option(label="get_weather")
    page.locator("[name=parallel_tool_calls]").select_option("true")
    second = Script(pieces=["北京晴。"])
    calls = [Call("get_weather", ['{"city": ', '"<b>北京</b>"}'])]
    calls.append(Call("get_weather", ['{"city": "上海"}'], id="other"))
    ask(page, Script(pieces=[], calls=calls, again=[second]), ABLE)
    ended(page)
    card, other = page.locator(".call").first, page.locator(".call").last
    expect(other.locator("pre")).to_contain_text("上海")
    expect(card.locator("p code")).to_have_text("get_weather")
    expect(card.locator("pre")).to_have_text('{\n  "city": "<b>北京</b>"\n}')
    assert card.locator("b").count() == 0
    assert sent[0]["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert sent[0]["parallel_tool_calls"] is True
    assert sent[0]["tools"][0]["function"]["name"] == "get_weather"
    send = page.get_by_role("button", name="发送结果")
    send.click()
    assert len(sent) == 1  # a call without result is not answered
    page.locator("[name=tool_choice]").select_option("auto")
    card.get_by_label("结果").fill("晴，20 度")
    send.click()
    assert len(sent) == 1
    other.get_by_label("结果").fill("雨")
    other.get_by_label("结果").press("Tab")
    assert person.barriers() == []
    page.keyboard.press("Enter")
    expect(page.locator(".answered .text").nth(1)).to_have_text("北京晴。", timeout=WAIT)
    ended(page)
    assert [each["role"] for each in sent[1]["messages"]] == ["user", "assistant", "tool", "tool"]
    call = sent[1]["messages"][1]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"city": "<b>北京</b>"}
    assert sent[1]["messages"][2] == {
        "role": "tool",
        "tool_call_id": call["id"],
        "content": "晴，20 度",
    }
    page.reload()
    expect(card).to_contain_text("晴，20 度")
    expect(page.get_by_role("button", name="发送结果")).to_have_count(0)
    page.get_by_role("combobox", name="模型", exact=True).select_option(DULL)
    assert page.get_by_label("工具列表").is_disabled()
    assert faults(person) == []


def test_calls_of_a_hostile_model_are_text(person: Person) -> None:
    page = person.go(PAGE)
    name = "<img src=x onerror=window.hit=1>\u202e"
    calls = [
        {"index": at, "id": f"c{at}", "function": {"name": name, "arguments": given}}
        for at, given in enumerate(["</pre><script>window.hit=1</script>", "[" * 3_000, '"\\'])
    ]
    many = [{"index": at, "function": {"name": "f"}} for at in range(10**6, 10**6 + 200)]

    def answer(route: Route) -> None:
        events: list[dict[str, Any]] = [
            {"choices": [{"delta": {"tool_calls": each}}]} for each in (calls, many)
        ]
        lines = [f"data: {json.dumps(each)}\n\n" for each in events]
        route.fulfill(
            body="".join([*lines, "data: [DONE]\n\n"]),
            headers={"content-type": "text/event-stream"},
        )

    page.route(f"**{RUN}", answer)
    ask(page, "问")
    expect(page.locator(".call")).to_have_count(128, timeout=WAIT)
    expect(page.locator(".call p code").first).to_have_text(name.replace("\u202e", "[U+202E]"))
    assert page.locator(".call :is(img, script)").count() == 0
    assert page.evaluate("window.hit") is None
    assert not person.is_wider_than_its_window()
    page.get_by_role("textbox", name="问题").fill("还能输入")
    assert faults(person) == []


def test_whether_a_schema_can_be_held_is_said_at_once(person: Person) -> None:
    page = opened(person, "format-set")
    sent = asked_bodies(page)
    page.locator("[name=response_format]").select_option("json_schema")
    schema, told = page.get_by_label("JSON Schema", exact=True), page.locator("#schema-told")
    schema.fill("{'a'}")
    expect(told).to_contain_text("不是 JSON：第 1 行第 2 列")
    schema.fill('{"properties": {"书号": {"format": "isbn"}}}')
    expect(told).to_contain_text("不能保证：/properties/书号/format 的 format", timeout=WAIT)
    schema.fill(json.dumps({"title": "x" * 1_000_000}))
    expect(told).to_contain_text("characters", timeout=WAIT)
    page.get_by_role("button", name="填入示例").last.click()
    expect(told).to_contain_text("可以保证", timeout=WAIT)
    assert person.barriers() == []
    pieces = ['{"书名":"史', '记","出版年":1959}']
    ask(page, Script(pieces=pieces), ABLE)
    ended(page)
    shown = page.locator(".answered code")
    expect(shown).to_have_text('{\n  "书名": "史记",\n  "出版年": 1959\n}')
    assert sent[0]["response_format"]["type"] == "json_schema"
    assert sent[0]["response_format"]["json_schema"]["schema"]["required"] == ["书名", "出版年"]
    page.reload()
    expect(shown).to_contain_text('"出版年": 1959')
    expect(page.locator("#schema-told")).to_contain_text("可以保证", timeout=WAIT)
    make_unable(page, CHAT)
    expect(page.get_by_label("JSON Schema", exact=True)).to_be_hidden()
    ask(page, Script(pieces=["好"]))
    ended(page)
    assert "response_format" not in sent[1]
    assert faults(person) == []
