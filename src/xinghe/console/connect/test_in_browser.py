"""The settings on a phone: all of a text can be read beside its button."""

from __future__ import annotations

from playwright.sync_api import Page
from tests.kit.chromium import Person, chromium
from tests.kit.visitor import Visitor

COVERED = """() => [...document.querySelectorAll('[data-copy]')].filter(button => {
  const text = document.querySelector(button.dataset.copy);
  const a = button.getBoundingClientRect();
  if (!a.width) return false;  // of a program that is not chosen
  const scroller = text.closest('pre');
  if (scroller) scroller.scrollLeft = scroller.scrollWidth;
  return lines(text).some(
    b => b.right > a.left && b.left < a.right && b.bottom > a.top && b.top < a.bottom);
  function lines(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()];
  }
}).map(button => button.dataset.copy)"""
"""The texts of which a button covers a part, scrolled to their ends."""


def test_no_button_covers_what_it_copies(member: Visitor) -> None:
    with chromium() as browser:
        for wide in (360, 1440):
            person = Person(browser, member.url, viewport={"width": wide, "height": 740})
            person.bring(member.cookies)
            page: Page = person.go("/console/connect")
            page.get_by_role("button", name="创建访问令牌并填好").click()
            page.locator("#secret").wait_for()
            for program in ("codex", "claude-code", "langchain"):
                page.locator(f"label[for=client-{program}]").click()
                assert page.evaluate(COVERED) == [], (wide, program)
            assert not person.is_wider_than_its_window()
            assert person.faults == []
