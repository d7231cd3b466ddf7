"""Tokens in a browser: to revoke one is asked once more; no page of them keeps anybody out."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.kit.api import Api
from tests.kit.chromium import Person, chromium
from tests.kit.visitor import Visitor

TOKENS = "/console/tokens"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def test_to_revoke_is_asked_once_more(browser: Browser, member: Visitor, api: Api) -> None:
    admin = api.at("/admin/v1")
    me = admin.get("/tokens/" + str(api.token).split("-")[1]).json["member"]
    made = admin.post(f"/members/{me}/tokens", {"name": "旧脚本"}).json
    person = Person(browser, member.url)
    person.bring(member.cookies)
    page = person.go(TOKENS)
    revoke = page.get_by_role("button", name="吊销 旧脚本")
    page.once("dialog", lambda dialog: dialog.dismiss())
    revoke.click()
    assert admin.get(f"/tokens/{made['id']}").json["state"] == "active"
    page.once("dialog", lambda dialog: dialog.accept())
    revoke.click()
    page.get_by_text("已吊销的令牌（1）").wait_for()
    assert admin.get(f"/tokens/{made['id']}").json["state"] == "revoked"
    assert person.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 360])
def test_no_page_of_tokens_keeps_anybody_out(
    browser: Browser, member: Visitor, api: Api, width: int
) -> None:
    token = str(api.token).split("-")[1]
    admin = api.at("/admin/v1")
    day = {"token": token, "unit": "tokens", "amount": 10**9, "per": "day"}
    assert admin.post("/budgets", day).status == 200
    body = json.dumps({"name": "W" * 64}).encode()
    assert admin.send("PATCH", f"/tokens/{token}", body).status == 200
    assert api.chat(model="ernie-3.5-8k").status == 200
    scheme = "light" if width > 1000 else "dark"
    viewport = {"width": width, "height": 900}
    person = Person(browser, member.url, color_scheme=scheme, viewport=viewport)
    person.bring(member.cookies)
    for path in (TOKENS, f"{TOKENS}/new", f"{TOKENS}/{token}"):
        page = person.go(path)
        if path.endswith("new"):
            page.get_by_label("只有选中的").check()
        assert person.barriers() == [], path
        assert not person.is_wider_than_its_window(), path
    assert person.faults == []
