"""The page of models: what may be called, and all about each."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from tests.kit.api import Api
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, DOWN, R1, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.visitor import Shown, Visitor

HOSTILE = "<script>alert('x')</script>\"&?#/a%2fb 模型"
LONG = "x" * 128
MORE = f"""
[models.{json.dumps(HOSTILE)}]
kind = "chat"
title = "</bdi><img src=x onerror=alert(1)>"
context = 8192
max_input = 64
output_max = 2048
output_default = 1024
deployment = "down"
fallback = ["scripted", "dull"]
[models."{LONG}"]
kind = "embedding"
deployment = "embedding"
max_input = 384
max_texts = 16
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Somebody at a service whose models.toml was written by somebody evil."""
    models = models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("hostile"), models=models + MORE) as it:
        visitor = Visitor(it.url)
        visitor.sign_in(it.token())
        yield visitor


def row(page: Shown, model: str) -> str:
    (found,) = [each for each in page.texts("tbody tr") if each.split()[0] == model]
    return found


def test_all_that_the_api_lists(member: Visitor, api: Api) -> None:
    page = member.get("/console/models")
    assert page.status == 200, page.text
    listed = [model["id"] for model in api.at("/v1").get("/models").json["data"]]
    assert page.texts("tbody th a") == listed
    assert page.all("nav a[aria-current=page]")[0].get("href") == "/console/models"


def test_what_a_row_tells(member: Visitor, api: Api) -> None:
    script = Script(pieces=["a"] * 5, rate=50.0)
    assert api.chat(model=R1, messages=script.messages).status == 200
    page = member.get("/console/models")
    told = row(page, "ernie-4.5-turbo-128k")
    for each in "可用", "联网搜索", "JSON Schema", "128K / 12K", "0.4 / 1.6":
        assert each in told
    assert "未就绪" in row(page, DOWN)
    assert "每张 20,000" in row(page, "Stable-Diffusion-XL")
    timed = api.get(f"/models/{R1}").json["xinghe"]
    assert f"{timed['tokens_per_second']:,}" in row(page, R1)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=SCRIPTED-a", [ABLE]),
        ("search=deepseek-r1&kind=chat&ability=tools", ["deepseek-r1-250528", "deepseek-r1"]),
        ("kind=image", ["Stable-Diffusion-XL"]),
        ("kind=embedding", ["embedding-v1", "bge-large-zh"]),
        ("kind=nothing", []),
        ("search=%00%F0%9F%98%80", []),
    ],
)
def test_filters(member: Visitor, query: str, expected: list[str]) -> None:
    page = member.get(f"/console/models?{query}")
    assert (page.status, page.texts("tbody th a")) == (200, expected)
    if not expected:
        assert "没有符合条件的模型" in page.text


def test_a_filter_stays_in_its_form(member: Visitor) -> None:
    page = member.get("/console/models?search=%22%3E%3Cb%3E&kind=chat&ability=tools")
    form = dict(page.all("main form")[0].form_values())
    assert form == {"search": '"><b>', "kind": "chat", "ability": "tools"}
    assert not page.all("main b")


def test_one_model(member: Visitor, service: Server) -> None:
    page = member.get(f"/console/models/{ABLE}")
    assert page.texts("h1") == [ABLE]
    assert page.texts("#limits + div tbody tr")[0] == "上下文（token） 32,768 32,768 131,072"
    abilities = " ".join(page.texts("#abilities + div tbody tr"))
    for each in "深度思考", "联网搜索 能 平台补上:平台搜索", "图片输入", "函数调用 能 模型自己":
        assert each.replace(":", "：") in abilities
    (snippet,) = page.texts("#snippet")
    assert f"{service.url}/v1/chat/completions" in snippet
    assert f'"model": "{ABLE}"' in snippet
    assert member.get("/console/models/deepseek-v3").texts("main p code")[:2] == [
        "frequency_penalty",
        "penalty_score",
    ]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("embedding-v1", ["embeddings", "16", "1,000", "0.25"]),
        ("Stable-Diffusion-XL", ["images/generations", "20,000"]),
    ],
)
def test_models_of_other_kinds(member: Visitor, model: str, told: list[str]) -> None:
    page = member.get(f"/console/models/{model}")
    assert page.status == 200
    for each in told:
        assert each in page.text


def test_the_snippet_is_a_call(member: Visitor, api: Api, service: Server) -> None:
    """What is pasted works, but for the token."""
    words = shlex.split(member.get(f"/console/models/{CHAT}").texts("#snippet")[0])
    assert words[1] == f"{service.url}/v1/chat/completions"
    reply = api.at("/v1").send("POST", "/chat/completions", words[-1].encode())
    assert reply.status == 200


def test_a_model_that_is_not_there(member: Visitor) -> None:
    page = member.get("/console/models/no-such")
    assert page.status == 404
    assert page.texts("[role=alert] code") == ["no-such"]
    assert page.texts("tbody th a")
    assert member.get("/console/models/").path == "/console/models"


def test_only_what_groups_allow(service: Server) -> None:
    service.run("member", "create", "pupil")
    visitor = Visitor(service.url)
    visitor.sign_in(service.token("--scope", "account.read", account="pupil"))
    for group, model, left in ("one", "deepseek-v3", ["deepseek-v3"]), ("two", "deepseek-r1", []):
        service.run("group", "create", group, "--model", model)
        service.run("group", "add", group, "pupil")
        assert visitor.get("/console/models").texts("tbody th a") == left
        assert visitor.get("/console/models/ernie-3.5-8k").status == 404
    assert "没有可以用的模型" in visitor.get("/console/models").text


def test_hostile_names(hostile: Visitor) -> None:
    page = hostile.get("/console/models")
    assert {HOSTILE, LONG} <= set(page.texts("tbody th a"))
    assert not page.all("main script, main img")
    (link,) = [a.get("href") for a in page.all("tbody th a") if HOSTILE in a.text_content()]
    assert link == "/console/models/" + quote(HOSTILE)
    one = hostile.get(link)
    assert (one.status, one.texts("h1")) == (200, [HOSTILE])
    assert not one.all("main script, main img")
    assert one.all("nav a[aria-current=page]")[0].get("href") == "/console/models"
    for switch in one.all(".switches a"):
        back = hostile.get(switch.get("href"))
        assert back.texts("h1") == [HOSTILE]
    assert hostile.get(f"/console/models/{LONG}").texts("h1") == [LONG]


def test_it_can_be_read_in_english(service: Server, member_token: str) -> None:
    visitor = Visitor(service.url, {"Accept-Language": "en"})
    visitor.sign_in(member_token)
    assert visitor.get("/console/models").texts("h1") == ["Models"]
    page = visitor.get(f"/console/models/{ABLE}")
    assert "results that the platform finds" in page.text


def test_who_stands_in_is_told_in_order(hostile: Visitor, member: Visitor) -> None:
    told = dict[str, str]()
    page = hostile.get("/console/models/" + quote(HOSTILE))
    for _ in ("in one language", "in the other"):
        language = page.all("html")[0].get("lang")
        (told[language],) = page.texts("#fallback")
        other = "zh" if language == "en" else "en"
        (switch,) = [a for a in page.all(".switches a") if a.get("lang", "").startswith(other)]
        page = hostile.get(switch.get("href"))
    assert told == {"zh-CN": "scripted/scripted、dull/dull", "en": "scripted/scripted, dull/dull"}
    assert not member.get(f"/console/models/{CHAT}").all("#fallback")


def test_it_needs_a_session(nobody: Visitor) -> None:
    for path in "/console/models", f"/console/models/{CHAT}":
        assert nobody.get(path).path == "/"
