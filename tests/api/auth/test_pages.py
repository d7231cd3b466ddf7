"""The pages on which a browser comes in: from an OpenID provider, by an invitation."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.api.auth.conftest import PASSWORD
from tests.api.auth.test_oidc import go
from tests.api.auth.visitor import Visitor as Program
from tests.kit.openid import Browser, OpenIDProvider
from tests.kit.server import Server
from tests.kit.visitor import Shown, Visitor


@pytest.fixture
def browser(service: Server) -> Visitor:
    return Visitor(service.url)


def there_and_back(browser: Visitor, provider: OpenIDProvider, name: str) -> Shown:
    away = browser.get("/auth/v1/oidc/start", follow=False).reply.headers["location"]
    back = urlsplit(provider.sent_back(away, name, Browser()))
    return browser.get(f"{back.path}?{back.query}")


def test_a_member_comes_back_from_the_provider(
    browser: Visitor, provider: OpenIDProvider, visitor: Program, code: str
) -> None:
    go(visitor, provider, "alice")
    if visitor.post("/oidc/session").status == 401:  # nobody has joined as alice before
        go(visitor, provider, "alice")
        visitor.come_in("/oidc/session", invitation=code, name="alice of the provider")
    shown = there_and_back(browser, provider, "alice")
    assert (shown.path, "统一身份认证已经完成" in shown.text) == ("/", True)
    browser.submit(shown, "/console/sign-in/oidc")
    assert browser.get("/console/").texts(".who") == ["alice of the provider"]
    assert browser.cookies.keys() == {"xinghe-session", "xinghe-secret"}  # the code is used up


def test_who_is_invited_joins_and_a_member_joins_once_more(
    browser: Visitor, service: Server, code: str
) -> None:
    page = browser.get(f"/console/join?invitation={code}")
    assert page.texts("label") == ["名字", "密码"]
    short = browser.submit(page, "/console/join", name="受邀者", password="short")
    assert short.status == 400
    assert short.all("input[name=name]")[0].get("value") == "受邀者"
    assert browser.submit(short, "/console/join", name="受邀者", password=PASSWORD).status in (
        200,
        404,
    )
    assert browser.get("/console/").texts(".who") == ["受邀者"]
    again = browser.get(f"/console/join?invitation={code}")
    assert again.texts("form.card button") == ["加入这个组"]


def test_an_invitation_that_is_none(browser: Visitor) -> None:
    page = browser.submit(
        browser.get("/console/join?invitation=nothing"),
        "/console/join",
        name="nobody",
        password=PASSWORD,
    )
    assert page.status == 400
    assert "这个邀请不存在" in page.text
