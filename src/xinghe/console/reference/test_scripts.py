"""With scripts: the search answers while one types, a language is chosen once."""

from __future__ import annotations

import pytest
from tests.kit.chromium import Person, chromium
from tests.kit.server import Server


@pytest.mark.slow
def test_finds_come_while_one_types_and_stay_in_the_address(service: Server) -> None:
    with chromium() as browser:
        person = Person(browser, service.url)
        page = person.go("/docs")
        asked = page.locator(".article input[name=q]")
        asked.press_sequentially("negative_prompt", delay=20)
        page.locator("#found a[href='/docs/images']").wait_for()
        assert page.url.endswith("/docs?q=negative_prompt")
        asked.fill("")
        page.locator("#found li").wait_for(state="detached")
        assert "没有找到" not in page.locator("#found").inner_text()
        assert person.faults == []


@pytest.mark.slow
def test_a_language_is_chosen_once_for_all_programs(service: Server) -> None:
    with chromium() as browser:
        person = Person(browser, service.url)
        page = person.go("/docs/chat")
        page.locator(".tabs > label", has_text="Node.js").first.click()
        shown = page.locator(".tab:visible code[id$=-node]")
        assert shown.count() == page.locator(".tabs").count() > 1
        page = person.go("/docs/rerank")
        assert page.locator(".tab:visible code").get_attribute("id") == "example-1-node"
        assert person.faults == []
