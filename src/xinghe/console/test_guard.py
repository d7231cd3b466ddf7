"""What other sites can do to a signed-in browser: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.kit.raw import Connection
from tests.kit.server import Server
from tests.kit.visitor import Visitor


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", "a b", ""],
)
def test_an_unknown_host_is_refused(nobody: Visitor, host: str) -> None:
    page = nobody.get("/", {"Host": host})
    assert page.status in (400, 421)
    assert not page.document.forms


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:1", "[::1]:8000", "192.0.2.7", "LOCALHOST."]
)
def test_addresses_and_this_machine_are_known(nobody: Visitor, host: str) -> None:
    assert nobody.get("/", {"Host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site(member: Visitor, headers: dict[str, str]) -> None:
    mark = member.get("/console/").all("input[name=mark]")[0].get("value")
    page = member.post("/console/sign-out", {"mark": mark}, headers)
    assert page.status == 403
    assert member.get("/console/").path == "/console/"


@pytest.mark.parametrize("mark", ["", "0" * 32, "é", None])
def test_a_form_without_its_mark(member: Visitor, mark: str | None) -> None:
    fields = {} if mark is None else {"mark": mark}
    assert member.post("/console/sign-out", fields).status == 403
    assert member.get("/console/").path == "/console/"


def test_a_mark_of_another_browser(member: Visitor, nobody: Visitor) -> None:
    mark = nobody.get("/").all("input[name=mark]")[0].get("value")
    assert member.post("/console/sign-out", {"mark": mark}).status == 403


def test_every_answer_says_what_a_browser_may_do(nobody: Visitor) -> None:
    stylesheet = nobody.get("/").all("link[rel=stylesheet]")[0].get("href")
    for path in "/", "/console/", "/console/nowhere", stylesheet:
        headers = nobody.get(path, follow=False).reply.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


@pytest.mark.slow
def test_a_form_that_never_comes_is_waited_for_so_long(tmp_path: Path) -> None:
    settings = {"XINGHE_SERVER__BODY_TIMEOUT": "1"}
    with Server(tmp_path, settings=settings) as running, Connection(running.url, 30) as connection:
        connection.send(
            b"POST /console/sign-in/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nm"
        )
        assert connection.reply().status == 408
        assert connection.socket.recv(1) == b""


def test_too_large_a_form(nobody: Visitor) -> None:
    mark = nobody.get("/").all("input[name=mark]")[0].get("value")
    page = nobody.post("/console/sign-in/token", {"mark": mark, "token": "x" * 70_000})
    assert page.status == 413
    many = {"mark": mark} | {f"f{number}": "" for number in range(300)}
    assert nobody.post("/console/sign-in/token", many).status == 400


def test_the_overview_without_its_slash(member: Visitor) -> None:
    assert member.get("/console").path == "/console/"


def test_no_page_at_a_path(member: Visitor) -> None:
    page = member.get("/console/nowhere")
    assert page.status == 404
    assert page.texts(".top button") == ["退出登录"]
    assert member.post("/console/", {}).status == 405


def test_without_the_console_nothing_of_it_is_there(service: Server, nobody: Visitor) -> None:
    assert nobody.get("/consoles").reply.json["error"]
