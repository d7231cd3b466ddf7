"""The reference: every operation, in both languages, made of the service's own documents."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from tests.kit.api import Api
from tests.kit.server import Server
from tests.kit.visitor import Visitor

from xinghe.api.errors import Errors
from xinghe.console.reference.contract import DIALECTS, DOCUMENTS
from xinghe.console.reference.shapes import Shapes


@pytest.fixture(scope="module")
def documents(service: Server) -> list[Any]:
    anybody = Api(service.url, None).at("")
    return [anybody.get(path).json for path in DOCUMENTS]


def operations(documents: list[Any]) -> list[tuple[str, str, Any]]:
    return [
        (method, path, described)
        for document in documents
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def slug(described: Any) -> str:
    name, _, dialect = described["operationId"].rpartition(".")
    return name if dialect in DIALECTS else str(described["operationId"])


def test_anybody_may_read_it(nobody: Visitor) -> None:
    page = nobody.get("/docs")
    assert (page.status, page.texts("h1")) == (200, ["接口文档"])
    assert Visitor(nobody.url, {"Accept-Language": "en"}).get("/docs").texts("h1") == [
        "API reference"
    ]


def test_every_operation_of_the_three_documents_has_a_page(
    nobody: Visitor, documents: list[Any]
) -> None:
    overview = nobody.get("/docs")
    linked = {each.get("href") for each in overview.all(".article a")}
    for method, path, described in operations(documents):
        assert f"/docs/{slug(described)}" in linked
        page = nobody.get(f"/docs/{slug(described)}")
        assert page.status == 200
        assert f"{method.upper()} {path}" in page.text
        assert len(page.all("h1")) == 1
        for parameter in described.get("parameters", ()):
            assert parameter["name"] in page.texts("tbody th code")


def test_every_field_of_a_body_stands_there_with_its_range(
    nobody: Visitor, documents: list[Any]
) -> None:
    page = nobody.get("/docs/chat")
    names = page.texts("tbody th code")
    for schema in "ChatRequestDocumented", "ChatRequestOpenai", "DocumentedMessage", "WebSearch":
        assert set(documents[0]["components"]["schemas"][schema]["properties"]) <= set(names)
    body = page.all("table.fields")[1]
    told = (" ".join(row.text_content().split()) for row in body.xpath("tbody/tr"))
    rows = {row.split()[0]: row for row in told}
    assert rows["model"].startswith("model 必填 string")
    ranges = ("/llm/lmapi/v3 0 – 1", "/v1 0 – 2", "/llm/lmapi/v3 0.95")
    assert all(each in rows["temperature"] for each in ranges)
    assert "采样温度" in rows["temperature"]
    assert '"low"' in rows["reasoning_effort"]
    assert "停止标识" in rows["stop"]
    assert rows["top_p"].count("0 – 1") == 1, "what both dialects allow is said once"


def test_objects_within_objects_are_folded_below_their_field(nobody: Visitor) -> None:
    page = nobody.get("/docs/chat")
    inner = page.all("details details details th code")
    assert {"url", "detail"} <= {each.text_content() for each in inner}
    assert not page.all("details[open] details[open]")


def test_an_object_that_holds_itself_ends() -> None:
    ref = {"$ref": "#/components/schemas/Tree"}
    tree = {"type": "object", "properties": {"below": {"type": "array", "items": ref}}}
    assert Shapes({"Tree": tree}).all["Tree"].fields[0].below == ("Tree",)


def test_who_may_ask(nobody: Visitor) -> None:
    assert "权限 model.call" in nobody.get("/docs/chat").text
    assert "权限 account.read" in nobody.get("/docs/usage").text
    assert "权限 admin" in nobody.get("/docs/members.list").text
    assert "不需要访问令牌" in nobody.get("/docs/auth.password").text
    assert "需要登录得到的会话" in nobody.get("/docs/auth.session").text


def test_a_stream_is_described(nobody: Visitor) -> None:
    page = nobody.get("/docs/chat")
    assert page.texts("#events") == ["流式事件"]
    assert "ChatCompletionChunk" in page.text
    assert not nobody.get("/docs/embeddings").all("#events")


def test_every_error_code_has_its_row_and_is_linked(nobody: Visitor) -> None:
    overview = nobody.get("/docs")
    anchors = {each.get("id") for each in overview.all("tr[id]")}
    assert anchors == {f"error-{each.value.code}" for each in Errors}
    linked = {each.get("href") for each in nobody.get("/docs/chat").all("td a")}
    assert "/docs#error-no_such_model" in linked
    assert linked <= {f"/docs#{each}" for each in anchors}


def test_the_page_knows_its_service_and_its_reader(
    nobody: Visitor, member: Visitor, service: Server
) -> None:
    for path in "/docs", "/docs/chat":
        assert f"{service.url}/llm/lmapi/v3" in nobody.get(path).text
        assert member.get(path).all(".article a[href='/console/tokens']")
        assert not nobody.get(path).all(".article a[href='/console/tokens']")


def test_an_operation_that_there_is_not(nobody: Visitor) -> None:
    page = nobody.get("/docs/no-such-thing")
    assert (page.status, page.texts("h1")) == (404, ["没有这个操作"])


@pytest.mark.slow
def test_the_first_view_of_an_operation_is_quick(nobody: Visitor) -> None:
    taken = []
    nobody.get("/docs/auth.ways")  # its template is compiled with the first
    for link in nobody.get("/docs").all(".contents li a"):
        before = time.perf_counter()
        nobody.get(link.get("href"))
        taken.append(time.perf_counter() - before)
    assert statistics.median(taken) < 0.1
