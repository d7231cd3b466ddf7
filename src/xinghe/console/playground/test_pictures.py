"""Pictures in a real browser: chosen, dropped, pasted, refused beside the field, kept, sent."""

from __future__ import annotations

import base64

from playwright.sync_api import FilePayload, Page, expect
from tests.kit.chromium import Person
from tests.kit.models import CHAT, VISION
from tests.kit.playing import PAGE
from tests.kit.script import Script
from tests.kit.talking import ask, asked_bodies, ended, make_unable

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
HAND = """([how, picture, files]) => {
  const bytes = Uint8Array.from(atob(picture), (each) => each.charCodeAt(0));
  const transfer = new DataTransfer();
  for (const [name, blank] of files) {
    transfer.items.add(new File([bytes, new Uint8Array(blank)], name));
  }
  const event = how === "drop"
    ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
  document.querySelector("#question").dispatchEvent(event);
  return event.defaultPrevented;
}"""
NASTY = "<img src=x onerror=window.hit=1>\u202egnp.png"


def hand(page: Page, how: str, *files: tuple[str, int], picture: bytes = PNG) -> None:
    """Drop or paste files of a name, each the picture and so many bytes more."""
    assert page.evaluate(HAND, [how, base64.b64encode(picture).decode(), files])


def test_pictures_go_along_with_a_question(person: Person) -> None:
    page = person.go(PAGE)
    sent = asked_bodies(page)
    button, told = page.get_by_role("button", name="添加图片"), page.locator("#pictures .told")
    models = page.get_by_role("combobox", name="模型", exact=True)
    make_unable(page, CHAT)
    expect(button).to_be_hidden()
    hand(page, "drop", ("a.png", 0))
    expect(told).to_contain_text("所选的模型不看图片")
    models.select_option(VISION)
    with page.expect_file_chooser() as choosing:
        button.press("Enter")
    one = FilePayload(name=NASTY, mimeType="text/html", buffer=PNG)
    other = FilePayload(name="b", mimeType="image/png", buffer=b"\x89PNG")
    choosing.value.set_files([one, other])
    shown = page.locator("#pictures li")
    expect(told).to_contain_text("b: 不是 PNG")
    expect(shown).to_have_text([NASTY.replace("\u202e", "[U+202E]") + "×"])
    hand(page, "drop", ("large.png", 20 * 2**20), ("svg.png", 0), picture=PNG)
    expect(told).to_contain_text("large.png: 超过 10 MB")
    expect(shown).to_have_count(2)
    hand(page, "paste", ("broken.jpeg", 9), picture=b"\xff\xd8\xff")
    expect(told).to_contain_text("broken.jpeg: 不是 PNG")
    assert person.barriers() == []
    page.get_by_role("button", name="移除 svg.png").press("Enter")
    expect(shown).to_have_count(1)
    ask(page, Script(pieces=["一只猫"]), VISION)
    ended(page)
    expect(shown).to_have_count(0)
    text, picture = sent[0]["messages"][0]["content"]
    assert text["type"] == "text"
    data = base64.b64encode(PNG).decode()
    assert picture == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    hand(page, "paste", *((f"{at}.png", 0) for at in range(40)))
    expect(shown).to_have_count(31)
    expect(told).to_contain_text("至多 32 张")
    assert not person.is_wider_than_its_window()
    page.reload()
    expect(page.locator(".asked img")).to_have_count(1)
    page.get_by_role("button", name="修改", exact=True).click()
    expect(shown).to_have_count(1)
    page.get_by_role("button", name="查看代码").click()
    expect(page.locator("#program-python")).to_contain_text("picture(")
    assert page.evaluate("window.hit") is None
    assert person.faults == []
