"""Sign-in at a real OpenID provider, as a browser does it: there, back, and in."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.api.auth.conftest import PASSWORD, PUBLIC
from tests.api.auth.visitor import Visitor
from tests.kit.expect import refused
from tests.kit.openid import Browser, OpenIDProvider
from tests.kit.raw import Reply
from tests.kit.server import Server

NOT_LET_IN = (401, "invalid_request_error", "invalid_iam_token", "IAM Certification failed")


def begin(visitor: Visitor) -> str:
    """Where the browser is sent."""
    reply = visitor.get("/oidc/start")
    assert reply.status == 303, reply.text
    return reply.headers["location"]


def there(visitor: Visitor, provider: OpenIDProvider, name: str) -> str:
    """Go to the provider and sign in; the query with which it sends back to the service."""
    back = provider.sent_back(begin(visitor), name, Browser())
    assert back.startswith(f"{PUBLIC}/auth/v1/oidc/callback?")
    return urlsplit(back).query


def returned(visitor: Visitor, query: str) -> Reply:
    return visitor.get(f"/oidc/callback?{query}")


def go(visitor: Visitor, provider: OpenIDProvider, name: str) -> None:
    """There and back."""
    reply = returned(visitor, there(visitor, provider, name))
    assert reply.status == 303, reply.text
    assert reply.headers["location"] == "/console/#signin=oidc"


def test_a_member_links_his_identity_and_comes_in_by_it(
    visitor: Visitor, provider: OpenIDProvider, service: Server, member: str
) -> None:
    go(visitor, provider, "bob")
    refused(visitor.post("/oidc/session"), *NOT_LET_IN, "nobody here is known by this identity")
    made = visitor.come_in("/password", name=member, password=PASSWORD)
    go(visitor, provider, "bob")
    assert visitor.post("/me/identity").json == {"object": "done"}
    other = Visitor(visitor.url)
    other.come_in("/token", token=service.token())
    go(other, provider, "bob")
    refused(other.post("/me/identity"), 401, "access_denied", "no_parameter_permission", "again")
    later = Visitor(visitor.url)
    go(later, provider, "bob")
    assert later.come_in("/oidc/session")["member"] == made["member"]
    assert later.get("/session").json["method"] == "oidc"


def test_an_answer_counts_in_the_browser_that_asked(
    visitor: Visitor, provider: OpenIDProvider
) -> None:
    query = there(visitor, provider, "alice")
    victim = Visitor(visitor.url)
    refused(returned(victim, query), *NOT_LET_IN, "begin it again")
    begin(victim)
    refused(returned(victim, query), *NOT_LET_IN, "begin it again")
    refused(victim.post("/oidc/session"), *NOT_LET_IN)
    assert returned(visitor, query).status == 303


def test_a_code_is_used_once(visitor: Visitor, provider: OpenIDProvider) -> None:
    go(visitor, provider, "alice")
    kept = visitor.cookie
    assert visitor.post("/oidc/session").status in {200, 401}
    refused(visitor.post("/oidc/session"), *NOT_LET_IN)  # the browser has none any more
    visitor.cookie = kept
    refused(visitor.post("/oidc/session"), *NOT_LET_IN)  # and the provider takes none again


@pytest.mark.parametrize(
    "change",
    [
        {"state": ["wrong"]},
        {"state": []},
        {"iss": ["https://evil.example"]},
    ],
)
def test_answers_that_are_not_the_providers(
    visitor: Visitor, provider: OpenIDProvider, change: dict[str, list[str]]
) -> None:
    told = parse_qs(there(visitor, provider, "alice")) | change
    refused(returned(visitor, urlencode(told, doseq=True)), *NOT_LET_IN)


@pytest.mark.parametrize("query", ["", "code=a&code=b", "code=%FF", "&".join("a" * 30), "code"])
def test_what_is_no_answer_at_all(visitor: Visitor, query: str) -> None:
    begin(visitor)
    assert returned(visitor, query).status in {400, 401}


@pytest.mark.parametrize(
    "told",
    [
        {"error": "access_denied", "error_description": "<script>alert(1)</script>"},
        {"code": ""},
        {"code": "x" * 3000},
        {"code": "a\r\nSet-Cookie: b=c"},
        {"code": "码"},
    ],
)
def test_whoever_the_provider_refuses_goes_back_without(
    visitor: Visitor, told: dict[str, str]
) -> None:
    state = parse_qs(urlsplit(begin(visitor)).query)["state"]
    reply = returned(visitor, urlencode({"state": state[0], **told}))
    assert reply.status == 303
    assert reply.headers["location"] == "/console/#signin=refused"
    refused(visitor.post("/oidc/session"), *NOT_LET_IN)


def test_where_a_browser_goes_on_to_is_the_operators_to_say(visitor: Visitor) -> None:
    for extra in ("?return_to=https://evil.example", "?redirect_uri=https://evil.example"):
        asked = parse_qs(urlsplit(visitor.get(f"/oidc/start{extra}").headers["location"]).query)
        assert asked["redirect_uri"] == [f"{PUBLIC}/auth/v1/oidc/callback"]


def test_the_cookie_is_for_no_script_and_no_other_site(visitor: Visitor) -> None:
    cookie = visitor.get("/oidc/start").headers["set-cookie"]
    fields = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert fields == {"httponly", "samesite=lax", "path=/", "max-age=600"}


def test_two_cookies_of_the_name_are_none(visitor: Visitor, provider: OpenIDProvider) -> None:
    go(visitor, provider, "alice")
    visitor.cookie = f"{visitor.cookie}; xinghe-oidc={'A' * 43}.Y29kZQ"
    refused(visitor.post("/oidc/session"), *NOT_LET_IN)


@pytest.mark.parametrize("value", ["", "x", "A" * 43 + ".", "A" * 43 + "._", "é" * 43, "A" * 9000])
def test_what_is_no_cookie_of_ours(visitor: Visitor, value: str) -> None:
    visitor.cookie = f"xinghe-oidc={value}"
    refused(visitor.post("/oidc/session"), *NOT_LET_IN)


def test_neither_code_nor_secret_is_in_the_log(
    visitor: Visitor, provider: OpenIDProvider, service: Server
) -> None:
    query = parse_qs(there(visitor, provider, "alice"))
    secret = visitor.cookie.partition("=")[2]
    returned(visitor, urlencode(query, doseq=True))
    visitor.post("/oidc/session")
    log = service.log.read_text("utf-8")
    values: list[Any] = [query["code"][0], query["state"][0], secret]
    assert not any(value in log for value in values)
