"""The way in: who may come, how, and who is kept out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from tests.kit.api import Api
from tests.kit.server import Server
from tests.kit.used import MICRO
from tests.kit.visitor import Visitor


def test_the_first_page_is_for_browsers_alone(nobody: Visitor, service: Server) -> None:
    page = nobody.get("/")
    assert (page.status, page.texts("h1")) == (200, ["星河大模型API"])
    for accepted in "application/json", "*/*":
        told = nobody.get("/", {"Accept": accepted})
        assert told.status == 404
        assert "/llm/lmapi/v3" in told.reply.json["error"]["message"]


def test_language_by_the_browser_and_then_by_choice(service: Server) -> None:
    visitor = Visitor(service.url, {"Accept-Language": "fr, en;q=0.8, zh;q=0.5"})
    assert visitor.get("/").texts("form button")[0] == "Sign in"
    chosen = visitor.get("/console/prefer?language=zh&next=/")
    assert chosen.texts("form button")[0] == "登录"
    assert visitor.get("/").document.get("lang") == "zh-CN"


def test_sign_in_by_access_token(member: Visitor, member_token: str) -> None:
    page = member.get("/console/")
    assert (page.status, page.path) == (200, "/console/")
    assert member_token not in page.reply.text
    assert member.get("/").path == "/console/"


def test_a_wrong_token(nobody: Visitor) -> None:
    page = nobody.sign_in("xh-0000000000-0")
    assert page.status == 401
    assert "登录没有成功" in page.text
    assert nobody.get("/console/").path == "/"


def test_whoever_is_not_signed_in_goes_on_where_he_wanted(
    nobody: Visitor, member_token: str
) -> None:
    asked = nobody.get("/console/?days=7")
    assert asked.path == "/"
    page = nobody.submit(asked, "/console/sign-in/token", token=member_token)
    assert page.url.endswith("/console/?days=7")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1", "/v1/x"],
)
def test_nobody_is_sent_elsewhere(nobody: Visitor, member_token: str, elsewhere: str) -> None:
    form = nobody.get("/")
    page = nobody.submit(form, "/console/sign-in/token", token=member_token, next=elsewhere)
    assert page.path == "/console/"


def test_signed_out_is_signed_out(member: Visitor, service: Server) -> None:
    session = member.cookies["xinghe-session"]
    assert Api(service.url, session).at("/v1").get("/account").status == 200
    page = member.submit(member.get("/console/"), "/console/sign-out")
    assert page.path == "/"
    assert "xinghe-session" not in member.cookies
    assert Api(service.url, session).at("/v1").get("/account").status == 401


def test_who_comes_in_signs_out_who_was_there_before(
    member: Visitor, make_member: Callable[[str], str], service: Server
) -> None:
    before = member.cookies["xinghe-session"]
    mark = member.get("/console/").all("input[name=mark]")[0].get("value")
    own = {"Origin": member.url}
    wrong = member.post("/console/sign-in/token", {"mark": mark, "token": "xh-1"}, own)
    assert (wrong.status, member.get("/console/").path) == (401, "/console/")
    other = {"mark": mark, "token": make_member("next at this browser")}
    assert member.post("/console/sign-in/token", other, own).path == "/console/"
    assert member.cookies["xinghe-session"] != before
    assert Api(service.url, before).at("/v1").get("/account").status == 401


@pytest.mark.slow
def test_a_link_that_comes_after_many_guesses_is_not_told_to_be_used(tmp_path: Path) -> None:
    with Server(tmp_path) as guessed:
        guessed.token()
        link = guessed.run("console", "link").strip()
        visitor = Visitor(guessed.url)
        page = visitor.get(link[link.index("/console/") :])
        for _ in range(120):
            if visitor.submit(page, "/console/link", code="A" * 22).status == 429:
                break
        refused = visitor.submit(page, "/console/link")
        assert refused.status == 429
        assert "没有被用掉" in refused.texts("[role=alert]")[0]


def test_a_link_signs_the_operator_in_once(service: Server, nobody: Visitor) -> None:
    link = service.run("console", "link").strip()
    path = link[link.index("/console/") :]
    for _ in range(2):  # to look at it uses nothing up
        shown = nobody.get(path)
        assert shown.texts("form button") == ["以管理员身份登录"]
    assert nobody.submit(shown, "/console/link").path == "/console/start"
    other = Visitor(service.url)
    again = other.submit(other.get(path), "/console/link")
    assert again.status == 401
    assert "已经用过" in again.text
    assert other.get("/console/").path == "/"


@pytest.mark.parametrize(("seconds", "status"), [(500, 200), (600, 401)])
def test_a_link_works_for_ten_minutes(
    service: Server, nobody: Visitor, seconds: int, status: int
) -> None:
    link = service.run("console", "link").strip()
    with closing(apsw.Connection(str(service.data / "xinghe.db"))) as connection:
        connection.setbusytimeout(20_000)
        connection.execute(
            "UPDATE sign_in_links SET expires_at = expires_at - ?", (seconds * MICRO,)
        )
    path = link[link.index("/console/") :]
    assert nobody.submit(nobody.get(path), "/console/link").status == status


def test_a_newer_link_ends_the_older(service: Server, nobody: Visitor) -> None:
    link = service.run("console", "link").strip()
    service.run("console", "link")
    again = nobody.submit(nobody.get(link[link.index("/console/") :]), "/console/link")
    assert again.status == 401


def test_the_cookies_are_for_nobody_else(nobody: Visitor, member_token: str) -> None:
    form = nobody.get("/")
    set_by = nobody.post(
        "/console/sign-in/token",
        dict(form.document.forms[1].form_values()) | {"token": member_token},
        follow=False,
    )
    lines = set_by.reply.headers["set-cookie"].splitlines()
    assert {line.partition("=")[0] for line in lines} == {"xinghe-session", "xinghe-secret"}
    for line in lines:
        assert "HttpOnly" in line
        assert "SameSite=lax" in line
