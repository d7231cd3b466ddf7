"""The newcomer's page: a token, its snippets, a first answer."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tests.kit.api import Api
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.kit.visitor import Shown, Visitor

START, RUN = "/console/start", "/console/start/run"
HTMX = {"HX-Request": "true", "Accept": "text/html, text/event-stream"}


def token_of(page: Shown) -> str:
    return str(page.all("#secret")[0].text_content())


@pytest.fixture
def begun(member: Visitor) -> Shown:
    """The page, on which a token has just been made."""
    return member.submit(member.get(START), START)


def streamed(member: Visitor, page: Shown, **fields: str) -> Shown:
    """What htmx is sent when the form is submitted."""
    form = next(form for form in page.document.forms if form.get("action") == RUN)
    return member.post(RUN, dict(form.form_values()) | fields, HTMX)


def messages(answer: Shown) -> list[str]:
    """The HTML of each event."""
    events = answer.reply.text.split("\n\n")
    assert events.pop() == ""
    return ["\n".join(line.removeprefix("data: ") for line in each.split("\n")) for each in events]


def test_three_clicks_from_the_link_to_the_answer(service: Server, nobody: Visitor) -> None:
    link = service.run("console", "link").strip()
    page = nobody.submit(nobody.get(link[link.index("/console/") :]), "/console/link")
    page = nobody.submit(page, START)
    page = nobody.submit(page, RUN)
    assert page.texts("#answer-text") == ["你好。"]


def test_a_token_is_shown_this_once(service: Server, member: Visitor, api: Api) -> None:
    before = member.get(START)
    assert "xh-…" in before.texts("#snippet-curl")[0]
    assert all(
        button.get("disabled") is not None for button in before.all(f'[action="{RUN}"] button')
    )
    page = member.submit(before, START)
    token = token_of(page)
    assert re.fullmatch(r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}", token)
    assert page.reply.headers["cache-control"] == "no-store"
    assert all(token in text for text in page.texts(".tab code[id]"))
    assert token not in member.get(START).reply.text
    mine = Api(service.url, token)
    assert mine.at("/v1").get("/account").json["name"] == api.at("/v1").get("/account").json["name"]
    assert (
        mine.at("/admin/v1").get("/tokens/" + token.split("-")[1]).status == 401
    )  # no scope for that


def test_only_models_that_answer_questions_are_offered(begun: Shown, api: Api) -> None:
    offered = [each.get("value") for each in begun.all("select[name=model] option")]
    kinds = {
        each["id"]: each["xinghe"]["kind"] for each in api.at("/v1").get("/models").json["data"]
    }
    assert offered == [name for name, kind in kinds.items() if kind == "chat"]
    assert begun.all("select[name=model] option[selected]")[0].get("value") == "ernie-3.5-8k"
    assert len(offered) < len(kinds)


def test_without_scripts_the_answer_comes_with_the_page(
    member: Visitor, begun: Shown, api: Api
) -> None:
    question = Script(pieces=["<b>天", "气</b>\n", "很好"], prompt_tokens=11).prompt
    page = member.submit(begun, RUN, model=CHAT, question=question)
    assert page.status == 200
    assert page.all("#answer-text")[0].text_content() == "<b>天气</b>\n很好"
    link = page.all("#answer-end a")[0].get("href")
    request = (
        api.at("/v1").get("/account/requests/" + link.removeprefix("/console/usage/requests/")).json
    )
    assert request["outcome"] == "charged"
    facts = page.texts("#answer-end dd")
    assert facts[0] == "scripted/scripted"  # what really answers
    assert facts[1] == f"{request['prompt_tokens']} / {request['completion_tokens']}"
    assert facts[2] == str(request["cost"])
    assert request["token"] == token_of(begun).split("-")[1]
    # The token is still in the form, so that it can be run again, and in what may be copied.
    assert token_of(page) == token_of(begun)
    assert question in page.document.xpath("//textarea")[0].value


def test_with_scripts_it_comes_piece_by_piece(member: Visitor, begun: Shown, api: Api) -> None:
    script = Script(pieces=["<i>一", "二\n\n", "三"], thoughts=["想"], rate=5)
    answer = streamed(member, begun, model="scripted-able", question=script.prompt)
    assert answer.reply.headers["content-type"].startswith("text/event-stream")
    first, *pieces, last = messages(answer)
    assert 'id="answer-text"' in first
    assert len(pieces) >= 2
    assert '"scripted-able"' in unescape(first)  # the snippets ask the same from now on
    assert script.id in first
    assert "&lt;i&gt;" in "".join(pieces)
    assert "<i>" not in answer.reply.text
    told = re.findall(
        r'#answer-text" hx-swap="beforeend">(.*?)</hx-partial>', "\0".join(pieces), re.S
    )
    assert "".join(told).replace("&lt;", "<").replace("&gt;", ">") == script.text
    link = re.search(r'href="/console/usage/requests/([^"]+)"', last)
    assert link
    cost = api.at("/v1").get(f"/account/requests/{link[1]}").json["cost"]
    assert f"<dd>{cost}</dd>" in last
    served_by = api.at("/v1").get("/models/scripted-able").json["xinghe"]["served_by"]
    assert f"<bdi>{served_by}</bdi>" in last


@pytest.mark.parametrize(
    ("budget", "status", "says"),
    [
        ({"unit": "tokens", "amount": 0, "per": "total"}, 403, "余额或预算不够"),
        ({"unit": "requests", "amount": 0, "per": "total"}, 429, "预算用完了"),
    ],
)
def test_what_is_used_up_is_said_in_words(
    service: Server,
    operator: Visitor,
    begun: Shown,
    member: Visitor,
    budget: Any,
    status: int,
    says: str,
) -> None:
    token = token_of(begun)
    admin = Api(service.url, service.token("--scope", "admin"))
    made = admin.at("/admin/v1").post("/budgets", budget | {"token": token.split("-")[1]})
    assert made.status == 200, made.json
    page = member.submit(begun, RUN)
    assert page.status == status
    assert says in page.texts("#answer-end")[0]
    assert page.texts("#answer-text") == [""]
    assert says in messages(streamed(member, begun))[-1]


@pytest.mark.parametrize(
    ("script", "status", "says"),
    [
        (Script(fault="status"), 503, "部署现在都够不着"),
        (Script(fault="truncate", after=2), 500, "回答没有完成"),
    ],
)
def test_a_model_that_fails_is_told(
    member: Visitor, begun: Shown, script: Script, status: int, says: str
) -> None:
    page = member.submit(begun, RUN, model=CHAT, question=script.prompt)
    assert page.status == status
    assert says in page.texts("#answer-end")[0]
    assert script.id not in page.texts("#answer-end")[0]
    assert says in messages(streamed(member, begun, model=CHAT, question=script.prompt))[-1]


def test_a_wrong_token_or_model_is_told(member: Visitor, begun: Shown) -> None:
    page = member.submit(begun, RUN, token=token_of(begun)[:-1] + "_")
    assert (page.status, "令牌未知" in page.text) == (401, True)
    for token in ("", "é 中文\r\nX-Y: 1", "x" * 50_000):
        page = member.submit(begun, RUN, token=token)
        assert (page.status, "令牌未知" in page.text) == (401, True)
    page = member.submit(begun, RUN, model="<none>")
    assert (page.status, "没有这个模型" in page.text) == (404, True)


def test_whose_session_has_ended_signs_in_on_a_page_of_its_own(
    member: Visitor, begun: Shown
) -> None:
    """And not within the part of the page that waits for the answer."""
    del member.cookies["xinghe-session"]
    answer = streamed(member, begun)
    assert answer.reply.headers["hx-redirect"].startswith("/?next=")
    assert answer.reply.text == ""


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_whoever_leaves_stops_the_answer(
    upstream: Upstream, member: Visitor, begun: Shown, api: Api, headers: dict[str, str]
) -> None:
    script = Script(pieces=["说"] * 300, rate=20)
    form = next(form for form in begun.document.forms if form.get("action") == RUN)
    body = urlencode(dict(form.form_values()) | {"model": CHAT, "question": script.prompt}).encode()
    sent = {
        "Host": urlsplit(member.url).netloc,
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": len(body),
        "Cookie": "; ".join(f"{name}={value}" for name, value in member.cookies.items()),
    } | headers
    head = f"POST {RUN} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in sent.items()) + "\r\n"
    host, port = urlsplit(member.url).netloc.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body)
        wait_for(lambda: upstream.attempts(script) and upstream.received(script).sent > 3)
    assert upstream.received(script).done.wait(5)
    received = upstream.received(script)
    assert received.gone_at is not None
    assert received.sent < 200


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("question", ["你好", "a'b\"c\\d$(echo x)`y`\n<i>&amp;\u2028</code>"])
def test_the_snippets_run_as_they_are_shown(member: Visitor, begun: Shown, question: str) -> None:
    page = member.submit(begun, RUN, question=question)
    text = {name: page.all(f"#snippet-{name}")[0].text_content() for name in ("python", "curl")}
    command = ["bash", "-c", text["curl"].replace("curl ", "curl -sS ", 1)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert '"content":"你好。"' in told.stdout
    if question == "你好":  # to import the client takes a second
        command = [sys.executable, "-c", text["python"]]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        assert told.stdout == "你好。"
    else:
        compile(text["python"], "snippet", "exec")


@pytest.mark.slow
def test_the_snippet_of_node_runs_as_it_is_shown(begun: Shown, tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not on PATH")
    (said,) = [each for each in begun.texts(".tab code:not([id])") if each.startswith("npm ")]
    assert said == "npm install openai"
    install = [npm, "install", "--no-save", "--no-audit", "--no-fund", "openai"]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    (tmp_path / "ask.mjs").write_text(begun.all("#snippet-node")[0].text_content(), "utf-8")
    told = subprocess.run(
        [node, "ask.mjs"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    assert told.stdout == "你好。"


def test_whoever_may_make_none_uses_his_own(service: Server, nobody: Visitor) -> None:
    token = service.token()
    nobody.sign_in(token)
    page = nobody.get(START)
    assert [form.get("action") for form in page.document.forms if START in form.get("action")] == [
        RUN
    ]
    page = nobody.submit(page, RUN, token=token)
    assert page.texts("#answer-text") == ["你好。"]


def test_in_english(begun: Shown, member: Visitor) -> None:
    page = Visitor(member.url, {"Accept-Language": "en"})
    page.cookies = member.cookies
    shown = page.get(START)
    assert shown.texts("h1") == ["Quick start"]
    assert "capital of China" in shown.document.xpath("//textarea")[0].value
    assert not re.search("[\u4e00-\u9fff]", shown.text.replace("中文", ""))


def test_a_token_is_made_by_a_form_of_ours_alone(member: Visitor) -> None:
    assert member.post(START, {}).status == 403
    assert member.post(RUN, {"token": "x"}).status == 403
