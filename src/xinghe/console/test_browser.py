"""One path of a newcomer through the pages in a real browser: no errors, no barriers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.kit.chromium import Person, chromium
from tests.kit.server import Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def test_the_operator_comes_in_by_his_link(browser: Browser, service: Server) -> None:
    person = Person(browser, service.url)
    link = service.run("console", "link").strip()
    page = person.go(link[link.index("/console/") :])
    assert person.barriers() == []
    page.get_by_role("button", name="以管理员身份登录").click()
    page.wait_for_url("**/console/start")
    page.get_by_role("link", name="总览", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "总览"
    assert person.barriers() == []
    assert person.faults == []


def test_a_member_signs_in_and_out_by_keyboard(
    browser: Browser, service: Server, member_token: str
) -> None:
    person = Person(browser, service.url, locale="en-GB")
    page = person.go("/")
    assert person.barriers() == []
    page.get_by_label("Access token").focus()
    page.keyboard.type(member_token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(service.url + "/")
    assert person.faults == []
