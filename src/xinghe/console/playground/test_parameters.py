"""The form has what the API takes, and the request as code is the request."""

from __future__ import annotations

import ast
import base64
import inspect
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from lxml import html
from openai.resources.chat import Completions
from tests.kit.models import ABLE, CHAT
from tests.kit.playing import PAGE, ask
from tests.kit.visitor import Visitor

from xinghe.api.chat.schema import ChatRequestOpenai, WebSearch
from xinghe.catalog import Capability
from xinghe.console.playground.parameters import (
    APART,
    OF_THE_PAGE,
    OTHER_NAMES,
    parameters,
)
from xinghe.console.playground.programs import NOT_OF_THE_CLIENT

CODE = "/console/playground/code"
NASTY = "a'b\"c\\d$(echo x)`y`\n<i>&amp;\u2028</code>é"
SINGLE = {"logit_bias", "functions", "web_search"}
"""What has one value only, or is an object whose fields stand on the page."""


def test_whatever_the_api_takes_has_a_field_or_a_reason() -> None:
    shown = {each.name for each in parameters()}
    taken = set(ChatRequestOpenai.__struct_fields__) | set(WebSearch.__struct_fields__)
    assert taken - shown == OF_THE_PAGE | APART | OTHER_NAMES | SINGLE


def test_every_field_has_its_range_and_says_what_it_is(member: Visitor) -> None:
    page = member.get(PAGE)
    field = page.all("input[name=temperature]")[0]
    assert (field.get("min"), field.get("max")) == ("0", "2")
    for each in parameters():
        assert each.about.chinese != each.about.english
        assert each.about.english or each.name in {"stop"}
    assert page.all("input[name='web_search.search_num']")[0].get("placeholder") == "10"


def test_the_page_knows_what_each_model_takes(member: Visitor) -> None:
    page = member.get(PAGE)

    def told(model: str) -> Any:
        return json.loads(page.all(f"option[value='{model}']")[0].get("data-about"))

    length = {"most": 2048, "default": 1024}
    assert told(CHAT) == {
        "ranges": {
            "max_completion_tokens": length,
            "thinking_budget": {"most": 2048, "default": 0},
        },
        "ignored": [],
        "able": sorted(Capability),
    }
    assert told(ABLE)["ranges"]["thinking_budget"] == {"most": 512, "default": 512}
    assert told(ABLE)["ignored"] == []
    assert "temperature" in told("deepseek-r1")["ignored"]


def test_the_programs_send_the_very_request(member: Visitor) -> None:
    body: dict[str, Any] = {
        "model": CHAT,
        "messages": [{"role": "user", "content": NASTY}],
        "stream": True,
        "temperature": 0.5,
        "penalty_score": 1.5,
        "web_search": {"enable": True},
        "tools": [{"type": "function", "function": {"name": "f", "description": NASTY}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    }
    reply = ask(member, msgspec.json.encode(body), CODE)
    assert reply.status == 200
    shown = html.fromstring(reply.text)
    texts = {
        name: shown.cssselect(f"#program-{name}")[0].text_content()
        for name in ("python", "node", "curl")
    }
    words = shlex.split(texts["curl"])
    assert json.loads(words[words.index("-d") + 1]) == body
    calls = [each for each in ast.walk(ast.parse(texts["python"])) if isinstance(each, ast.Call)]
    (call,) = [
        {each.arg: ast.literal_eval(each.value) for each in call.keywords}
        for call in calls
        if any(each.arg == "messages" for each in call.keywords)
    ]
    extra = call.pop("extra_body")
    assert call | extra == body
    for name in "python", "node":
        assert "tool_calls" in texts[name]  # which it prints
    assert '"content": ' in texts["node"] or "content: " in texts["node"]


def test_programs_read_pictures_from_their_files(member: Visitor, tmp_path: Path) -> None:
    name = 'it\'s $(touch x) "a".png'
    (tmp_path / name).write_bytes(b"picture")
    url = f"data:image/png;name={quote(name)};base64,"
    text = {"type": "text", "text": NASTY}

    def showing(*urls: str) -> dict[str, Any]:
        parts = [{"type": "image_url", "image_url": {"url": each}} for each in urls]
        return {"model": CHAT, "messages": [{"role": "user", "content": [text, *parts]}]}

    shown = html.fromstring(ask(member, msgspec.json.encode(showing(url, "data:,")), CODE).text)
    code = {
        name: shown.cssselect(f"#program-{name}")[0].text_content() for name in ("python", "curl")
    }
    sent = subprocess.run(
        ["bash", "-c", code["curl"].partition(" | \\\n")[0]],
        capture_output=True, cwd=tmp_path, check=True,
    ).stdout  # fmt: skip
    data = base64.b64encode(b"picture").decode()
    assert json.loads(sent) == showing(f"data:image/png;base64,{data}", "data:,")
    tree = ast.parse(code["python"])
    (reading,) = [
        [ast.literal_eval(each) for each in call.args]
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "picture"
    ]
    assert reading == [name, "image/png"]


def test_the_client_is_given_what_it_knows() -> None:
    known = set(inspect.signature(Completions.create).parameters)
    names = {each.within or each.name for each in parameters()}
    assert names - known == NOT_OF_THE_CLIENT


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"' + b"x" * 5_000_000 + b'"', 413),
    ],
)
def test_what_is_no_request(member: Visitor, body: bytes, status: int) -> None:
    assert ask(member, body, CODE).status == status
    assert ask(member, b"{}", CODE, X_Mark="0").status == 403
