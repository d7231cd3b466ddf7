"""The playground's forms, of a browser without scripts: what is asked, refused, paid, escaped."""

from __future__ import annotations

import ast
import base64
import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.kit.api import Api
from tests.kit.raw import Connection
from tests.kit.visitor import Shown, Visitor

from xinghe.api.errors import Errors

ROOT = "/console/playground"
ASKED = {
    "embeddings": {"input": "推荐一些美食\n\n<b>给我</b>讲个故事"},
    "rerank": {"query": "怎样退款", "documents": "今天天气很好。\n<i>七天</i>内可以退款。"},
    "images": {"prompt": "一只白猫 <u>红帽子</u>"},
}
HOSTILE = '\'; rm -rf ~; echo "$HOME" `id` \\ </script> \x00\x1b[31m 名\u202e\u2028'
OURS = {"Sec-Fetch-Site": "same-origin"}


def submit(visitor: Visitor, name: str, **fields: str) -> Shown:
    page = visitor.get(f"{ROOT}/{name}")
    return visitor.submit(page, f"{ROOT}/{name}", **{**ASKED[name], **fields})


def entries(api: Api) -> list[dict[str, object]]:
    return list(api.get("/account/entries?kind=usage").json["data"])


def test_texts_are_shown_beside_each_other(member: Visitor, api: Api) -> None:
    page = submit(member, "embeddings")
    assert page.status == 200
    assert page.texts(".near tbody th") == ["1. 推荐一些美食", "2. <b>给我</b>讲个故事"]
    cells = [float(each) for each in page.texts(".near td")]
    assert (cells[0], cells[3]) == (1, 1)
    vectors = api.post("/embeddings", {"input": ["推荐一些美食", "<b>给我</b>讲个故事"]}).json
    one, other = (each["embedding"] for each in vectors["data"])
    cosine = sum(a * b for a, b in zip(one, other, strict=True))
    assert cells[1] == cells[2] == pytest.approx(cosine, abs=0.001)
    assert f"{len(one)} 维，{vectors['usage']['prompt_tokens']} Token" in page.text
    assert page.all("textarea")[0].text.strip() == ASKED["embeddings"]["input"]
    for entry in entries(api):
        assert f"花费 {-float(str(entry['amount'])):g} Token" in page.text
    assert {entry["token_name"] for entry in entries(api)} > {"playground"}


def test_documents_are_shown_in_their_order(member: Visitor, api: Api) -> None:
    page = submit(member, "rerank", top_n="2")
    documents = ASKED["rerank"]["documents"].split("\n")
    best = api.post("/rerank", {"query": "怎样退款", "documents": documents}).json["results"]
    assert page.texts("td.wrap") == [documents[each["index"]] for each in best]
    assert page.texts("td.num")[::2] == [f"{each['relevance_score']:.4f}" for each in best]
    assert len(submit(member, "rerank", top_n="1").all("td.wrap")) == 1


def test_images_are_shown_with_seeds_that_draw_them_again(member: Visitor, api: Api) -> None:
    page = submit(member, "images", n="2", seed="4294967295", size="768x768", style="Anime")
    assert page.texts("figcaption") == [
        f"768×768 · seed {seed} · 下载" for seed in ("4294967295", "0")
    ]
    assert page.all("[name=style] [selected]")[0].text == "Anime"
    with Connection(member.url) as connection:
        connection.request("GET", page.all("img")[-1].get("src"))
        drawn = connection.reply()
    again = {"seed": 0, "size": "768x768", "style": "Anime", "response_format": "b64_json"}
    answer = api.post(
        "/images/generations", {"model": "Stable-Diffusion-XL", **ASKED["images"], **again}
    )
    assert base64.b64decode(answer.json["data"][0]["b64_json"]) == drawn.body
    assert "花费 22,500 Token" in page.text


@pytest.mark.parametrize(
    ("name", "field", "value", "code"),
    [
        ("embeddings", "input", "\n".join("abcdefghijklmnopq"), Errors.MALFORMED_JSON),
        ("embeddings", "input", " \n ", Errors.MALFORMED_JSON),
        ("embeddings", "input", "长" * 5000, Errors.CHARACTERS_TOO_LONG),
        ("embeddings", "dimensions", "7", Errors.MALFORMED_JSON),
        ("rerank", "query", "", Errors.MALFORMED_JSON),
        ("rerank", "documents", "一\n" * 101, Errors.MALFORMED_JSON),
        ("rerank", "top_n", "0", Errors.MALFORMED_JSON),
        ("rerank", "top_n", "1e999", Errors.MALFORMED_JSON),
        ("images", "prompt", " ", Errors.MALFORMED_JSON),
        ("images", "steps", "9", Errors.MALFORMED_JSON),
        ("images", "seed", "9" * 5000, Errors.MALFORMED_JSON),
        ("images", "cfg_scale", "NaN", Errors.MALFORMED_JSON),
        ("images", "size", "1x1", Errors.MALFORMED_JSON),
        ("images", "model", "no-such-model", Errors.NO_SUCH_MODEL),
    ],
)
def test_what_the_api_refuses_is_told_beside_the_form(
    member: Visitor, name: str, field: str, value: str, code: Errors
) -> None:
    page = submit(member, name, **{field: value})
    assert page.status == code.value.status
    (told,) = page.texts("[role=alert]")
    assert field in told
    assert "请求编号" in told
    for each, text in ASKED[name].items():
        if each != field:
            assert page.all(f"[name={each}]")[0].text.removeprefix("\n") == text
    if page.all(f"textarea[name={field}]"):
        assert page.all(f"[name={field}]")[0].text.strip() == value.strip()


def test_a_form_that_comes_twice_is_paid_once(member: Visitor, api: Api) -> None:
    page = member.get(f"{ROOT}/rerank")
    fields = dict(page.document.forms[1].form_values()) | ASKED["rerank"]
    with ThreadPoolExecutor(2) as pool:
        shown = [*pool.map(lambda _: member.post(f"{ROOT}/rerank", fields, OURS), range(2))]
    assert shown[0].texts("td") == shown[1].texts("td") != []
    assert sum("没有再计费" in each.text for each in shown) == 1
    assert len(entries(api)) == 1


def test_what_is_typed_is_text_in_each_language(member: Visitor) -> None:
    page = member.get(f"{ROOT}/rerank")
    fields = dict(page.document.forms[1].form_values())
    fields |= {"query": HOSTILE, "documents": "甲", "top_n": "1"}
    shown = member.post(f"{ROOT}/rerank/code", fields, OURS)
    python, _, curl = (each.text_content() for each in shown.all(".snippet code"))
    sent = shlex.split(curl.replace("\\\n", " "))
    body = {"model": "embedding-v1", "query": HOSTILE.strip(), "documents": ["甲"], "top_n": 1}
    assert json.loads(sent[sent.index("-d") + 1]) == body
    (dumped,) = re.findall(r"json\.dumps\((\{.*?\n    \})\)", python, re.DOTALL)
    assert ast.literal_eval(dumped) == body
    assert f"{member.url}/llm/lmapi/v3/rerank" in sent
    assert shown.all("[name=query]")[0].text.strip() == HOSTILE.replace("\x00", "\ufffd").strip()


def test_other_sites_and_strangers_ask_for_nothing(member: Visitor, nobody: Visitor) -> None:
    for name, typed in ASKED.items():
        page = member.get(f"{ROOT}/{name}")
        fields = dict(page.document.forms[1].form_values()) | typed
        for path in (f"{ROOT}/{name}", f"{ROOT}/{name}/code"):
            assert member.post(path, fields, {"Origin": "http://evil.example"}).status == 403
            assert member.post(path, fields | {"mark": "0" * 32}, OURS).status == 403
            mark = nobody.get("/").all("[name=mark]")[0].get("value")
            assert nobody.post(path, fields | {"mark": mark}, OURS).path == "/"
            part = nobody.post(path, fields | {"mark": mark}, {**OURS, "HX-Request": "true"})
            assert (part.status, part.all("form")) == (401, [])
            assert "登录已经结束" in part.text


def test_a_form_has_an_end(member: Visitor, nobody: Visitor) -> None:
    """A member's are larger: Chinese takes nine bytes a sign."""
    page = member.get(f"{ROOT}/rerank")
    fields = dict(page.document.forms[1].form_values()) | {"query": "问"}
    large = fields | {"documents": "\n".join(["字" * 1001] * 20)}
    assert "documents[0] has 1001" in member.post(f"{ROOT}/rerank", large, OURS).text
    assert nobody.post(f"{ROOT}/rerank", large, OURS).status == 413
    part = member.post(
        f"{ROOT}/rerank", fields | {"documents": "x" * 10**6}, {**OURS, "HX-Request": "true"}
    )
    assert (part.status, part.text) == (413, "表单太大了，至多 512 KiB。")
