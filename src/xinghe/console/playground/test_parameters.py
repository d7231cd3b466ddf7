"""The form has what the API takes, and the request as code is the request."""

from __future__ import annotations

import ast
import inspect
import json
import shlex
from typing import Any

import msgspec
import pytest
from lxml import html
from openai.resources.chat import Completions
from tests.kit.models import CHAT
from tests.kit.playing import PAGE, ask
from tests.kit.visitor import Visitor

from xinghe.api.chat.schema import ChatRequestOpenai, WebSearch
from xinghe.console.playground.parameters import (
    NOT_HERE,
    OF_THE_PAGE,
    OTHER_NAMES,
    parameters,
)
from xinghe.console.playground.programs import NOT_OF_THE_CLIENT

CODE = "/console/playground/code"
NASTY = "a'b\"c\\d$(echo x)`y`\n<i>&amp;\u2028</code>é"
SINGLE = {"n", "top_logprobs", "logprobs", "logit_bias", "functions", "web_search"}
"""What has one value only, or is an object whose fields stand on the page."""


def test_whatever_the_api_takes_has_a_field_or_a_reason() -> None:
    shown = {each.name for each in parameters()}
    taken = set(ChatRequestOpenai.__struct_fields__) | set(WebSearch.__struct_fields__)
    assert taken - shown == OF_THE_PAGE | NOT_HERE | OTHER_NAMES | SINGLE


def test_every_field_has_its_range_and_says_what_it_is(member: Visitor) -> None:
    page = member.get(PAGE)
    field = page.all("input[name=temperature]")[0]
    assert (field.get("min"), field.get("max")) == ("0", "2")
    for each in parameters():
        assert each.about.chinese != each.about.english
        assert each.about.english or each.name in {"stop"}
    about = json.loads(page.all(f"option[value={CHAT}]")[0].get("data-about"))
    assert about == {"most": 2048, "default": 1024, "ignored": [], "able": []}


def test_the_programs_send_the_very_request(member: Visitor) -> None:
    body: dict[str, Any] = {
        "model": CHAT,
        "messages": [{"role": "user", "content": NASTY}],
        "stream": True,
        "temperature": 0.5,
        "penalty_score": 1.5,
        "web_search": {"enable": True},
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
    assert '"content": ' in texts["node"] or "content: " in texts["node"]


def test_the_client_is_given_what_it_knows() -> None:
    known = set(inspect.signature(Completions.create).parameters)
    names = {each.within or each.name for each in parameters()}
    assert names - known == NOT_OF_THE_CLIENT


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b'"' + b"x" * 5_000_000 + b'"', 413)]
)
def test_what_is_no_request(member: Visitor, body: bytes, status: int) -> None:
    assert ask(member, body, CODE).status == status
    assert ask(member, b"{}", CODE, X_Mark="0").status == 403
