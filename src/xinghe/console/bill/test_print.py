"""What comes out of a printer: the bill alone, black on white, on sheets of A4."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.kit.api import Api
from tests.kit.chromium import Person, chromium
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.visitor import Visitor

BETWEEN_MARGINS = 703
"""Pixels: 186 mm."""
STYLE = "(selector, name) => getComputedStyle(document.querySelector(selector))[name]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_a_sheet(browser: Browser, member: Visitor, api: Api, language: str) -> None:
    assert api.chat(model=CHAT, messages=Script().messages).status == 200
    viewport = {"width": BETWEEN_MARGINS, "height": 900}
    person = Person(browser, member.url, locale=language, color_scheme="dark", viewport=viewport)
    person.bring(member.cookies)
    page = person.go("/console/bill")
    page.emulate_media(media="print", color_scheme="dark")

    def style(selector: str, name: str) -> str:
        return str(
            page.evaluate(f"([selector, name]) => ({STYLE})(selector, name)", [selector, name])
        )

    for hidden in ".top", ".menu", ".filters", ".links", "main > h1":
        assert style(hidden, "display") == "none", hidden
    for shown in ".bill h2", ".used td", ".balance th":
        assert style(shown, "color") == "rgb(0, 0, 0)"
    assert style("body", "backgroundColor") == "rgba(0, 0, 0, 0)"
    assert style("html", "colorScheme") == "light only"
    assert style(".used thead", "display") == "table-header-group"
    assert style(".used tr", "breakInside") == "avoid"
    assert style(".scroll", "overflowX") == "visible"
    assert style(".used .num", "whiteSpace") == "nowrap"
    assert style(".facts dd", "whiteSpace") == "normal"
    assert not person.is_wider_than_its_window()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert person.faults == []
