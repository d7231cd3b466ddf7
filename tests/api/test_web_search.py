"""Web search (section 5.4) over HTTP: options, sources, citations, status, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tests.conftest import QUICK
from tests.kit import message
from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Call, Script
from tests.kit.searxng import Searxng, searxng
from tests.kit.server import Server, free_port
from tests.kit.sse import Stream
from tests.kit.upstream import Upstream
from tests.pictures.render import data_url, encoded, written
from tests.responses import kit as responses

FOUND = [
    {"url": "https://one.example/a", "title": "甲报", "content": "西湖在杭州,面积约六平方公里。"},
    {"url": "https://two.example/b", "title": "乙报", "content": "西湖十景以断桥残雪闻名。"},
    {"url": "https://secret.example/c", "title": "内部", "content": "西湖的内部资料。"},
]
CITATION = re.compile(r"\^(\[\d+\])+\^")


@pytest.fixture(scope="module")
def engine() -> Iterator[Searxng]:
    with searxng() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    upstream: Upstream, engine: Searxng, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("searching")
    (data / "xinghe.toml").write_text(
        f"""
        [search]
        provider = "searxng"
        url = "{engine.url}"
        deadline = 1.5
        private = ["secret.example"]
        """,
        "utf-8",
    )
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(data, models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


@pytest.fixture
def asking(service: Server, engine: Searxng) -> Api:
    engine.found, engine.delay, engine.status = list(FOUND), 0.0, 200
    engine.queries.clear()
    return Api(service.url, service.token())


def question(script: Script) -> list[dict[str, str]]:
    """Plainly to be looked up; the upstream's script stands in the system message."""
    return [
        {"role": "system", "content": script.prompt},
        {"role": "user", "content": "今天西湖的新闻有哪些?"},
    ]


def wants(**options: Any) -> dict[str, Any]:
    return {"web_search": {"enable": True, **options}}


def carrying(stream: Stream) -> list[int]:
    """Which chunks with choices carry `search_results`; it is never null."""
    assert all(chunk.get("search_results", []) is not None for chunk in stream.chunks)
    return [at for at, chunk in enumerate(stream.chunks) if "search_results" in chunk]


@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", STRICT])
def test_trace(asking: Api, engine: Searxng, upstream: Upstream, mount: str) -> None:
    script = Script(["西湖", "在杭州。"])
    body = answered(
        asking.at(mount).chat(model=ABLE, messages=question(script), **wants(enable_trace=True))
    )
    assert body["search_results"] == [
        {"index": 1, "url": "https://one.example/a", "title": "甲报"},
        {"index": 2, "url": "https://two.example/b", "title": "乙报"},
    ]
    assert body["choices"][0]["message"]["content"] == "西湖在杭州。"
    assert len(engine.queries) >= 1
    read = upstream.received(script).body["messages"][-1]["content"]
    assert "六平方公里" in read
    assert "内部资料" in read
    details = body["usage"]["prompt_tokens_details"]
    assert 0 < details["search_tokens"] <= body["usage"]["prompt_tokens"]


def test_trace_on_a_stream(asking: Api) -> None:
    """In the first and the last chunk with content, and on the one that ends it."""
    script = Script(["一", "二", "三", "四"])
    stream = asking.stream(
        model=ABLE, messages=question(script), **wants(enable_trace=True, enable_status=True)
    )
    first, *_ = (chunk["choices"][0] for chunk in stream.chunks)
    assert (first["delta_tag"], first["delta"]["content"]) == ("search_status", "正在搜索")
    said = [
        at
        for at, chunk in enumerate(stream.chunks)
        if chunk["choices"]
        and chunk["choices"][0]["delta"]["content"]
        and "delta_tag" not in chunk["choices"][0]
    ]
    assert "".join(stream.chunks[at]["choices"][0]["delta"]["content"] for at in said) == "一二三四"
    assert carrying(stream) == [said[0], said[-1], said[-1] + 1]


def test_citations(asking: Api) -> None:
    """Only of sources that may be named, in the documented form, with the sources cited."""
    script = Script(["西湖在杭州[1]。还有【9】", "断桥残雪^[2][3", "]^。"])
    body = answered(
        asking.chat(model=ABLE, messages=question(script), **wants(enable_citation=True))
    )
    text = body["choices"][0]["message"]["content"]
    assert "^[1]^" in text
    assert "^[2]^" in text
    assert "9" not in text
    assert "[3]" not in text
    assert [source["index"] for source in body["search_results"]] == [1, 2]


@pytest.mark.parametrize("wire", ["plain", "bytewise", "one_write"])
def test_no_citation_is_split(asking: Api, wire: Any) -> None:
    script = Script(["西湖在杭州^", "[", "1", "]", "[2]", "^", "。"], wire=wire)
    stream = asking.stream(
        model=ABLE, messages=question(script), **wants(enable_citation=True, enable_trace=True)
    )
    assert CITATION.search(stream.content)
    for choice in stream.choices:
        piece = CITATION.sub("", choice["delta"]["content"])
        assert not set("^[]") & set(piece), piece


@pytest.mark.parametrize("wire", ["plain", "bytewise"])
def test_in_anthropics_form(asking: Api, engine: Searxng, books: Books, wire: Any) -> None:
    """Search, results, and text whose blocks end with what they cite."""
    script = Script(["西湖在杭州^[1", "]^。", "断桥残雪[2]。", "完"], wire=wire)
    question_ = [{"role": "user", "content": "今天西湖的新闻有哪些?"}]
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    said = message.both(
        asking, model=ABLE, system=script.prompt, messages=question_, tools=[tool]
    )  # fmt: skip
    search, found, *texts = said["content"]
    assert (search["type"], search["name"]) == ("server_tool_use", "web_search")
    assert f"q={search['input']['query']}" in unquote_plus(engine.queries[0])
    assert found["tool_use_id"] == search["id"]
    results = [(each["type"], each["url"], each["title"]) for each in found["content"]]
    assert results == [
        ("web_search_result", "https://one.example/a", "甲报"),
        ("web_search_result", "https://two.example/b", "乙报"),
    ]
    cited = [[each["title"] for each in text.get("citations", ())] for text in texts]
    assert cited == [["甲报"], ["乙报"], []]
    assert "".join(text["text"] for text in texts) == "西湖在杭州。断桥残雪。完"
    assert said["usage"]["server_tool_use"]["web_search_requests"] == 1
    # A client that gives it back is understood.
    history = [*question_, {"role": "assistant", "content": said["content"]}]
    again = [*history, {"role": "user", "content": script.prompt}]
    message.answered(message.ask(asking, model=ABLE, messages=again))
    books.settled()


def test_in_anthropics_form_what_found_nothing(asking: Api, engine: Searxng) -> None:
    engine.found = []
    tool = {"type": "web_search_20260318", "name": "web_search"}
    said = message.both(
        asking, model=ABLE, system=Script(["好。"]).prompt, tools=[tool],
        messages=[{"role": "user", "content": "今天西湖的新闻有哪些?"}],
    )  # fmt: skip
    assert [each["type"] for each in said["content"]] == [
        "server_tool_use", "web_search_tool_result", "text",
    ]  # fmt: skip
    assert said["content"][1]["content"] == []


def test_in_anthropics_form_what_failed(asking: Api, engine: Searxng) -> None:
    engine.status = 500
    tool = {"type": "web_search_20260318", "name": "web_search"}
    said = message.both(
        asking, model=ABLE, system=Script(["好。"]).prompt, tools=[tool],
        messages=[{"role": "user", "content": "今天西湖的新闻有哪些?"}],
    )  # fmt: skip
    searched, found, text = said["content"]
    assert found["type"] == "web_search_tool_result"
    assert found["tool_use_id"] == searched["id"]
    assert found["content"] == {
        "type": "web_search_tool_result_error", "error_code": "unavailable",
    }  # fmt: skip
    assert text["text"] == "好。"
    again = [
        {"role": "user", "content": "今天西湖的新闻有哪些?"},
        {"role": "assistant", "content": said["content"]},
        {"role": "user", "content": Script(["又好。"]).prompt},
    ]
    message.answered(message.ask(asking, model=ABLE, messages=again))


@pytest.mark.parametrize("include", [[], ["web_search_call.action.sources"]])
def test_as_an_item_of_a_response(
    asking: Api, engine: Searxng, books: Books, include: list[str]
) -> None:
    """Search, then the text, whose marks are its citations."""
    script = Script(["西湖在杭州^[1", "]^。", "断桥残雪[2]。"])
    asked: dict[str, Any] = {
        "model": ABLE,
        "instructions": script.prompt,
        "input": "今天西湖的新闻有哪些?",
        "include": include,
        "tools": [{"type": "web_search", "search_context_size": "low"}],
    }
    seen = responses.stream(asking, **asked)
    assert [each for each in seen.kinds if "web_search_call" in each] == [
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
    ]
    search, said = seen.last["output"]
    assert f"q={search['action']['query']}" in unquote_plus(engine.queries[0])
    sources = ["https://one.example/a", "https://two.example/b"]
    shown = [each["url"] for each in search["action"].get("sources", [])]
    assert shown == (sources if include else [])
    (part,) = said["content"]
    cited = part["annotations"]
    assert [each["url"] for each in cited] == sources
    assert [part["text"][each["start_index"] : each["end_index"]] for each in cited] == [
        "^[1]^", "^[2]^",
    ]  # fmt: skip
    added = seen.of("response.output_text.annotation.added")
    assert [each["annotation"] for each in added] == cited
    whole = responses.create(asking, **asked).json
    assert [each["type"] for each in whole["output"]] == ["web_search_call", "message"]
    assert whole["output"][1]["content"] == said["content"]
    # A client that gives it back is understood.
    again = Script()
    history = [*whole["output"], *responses.asking(again)]
    assert responses.create(asking, model=ABLE, input=history).status == 200
    books.settled()


def test_json_is_not_asked_for_citations(asking: Api, upstream: Upstream) -> None:
    """No filter could hold them to sources that exist, or a schema to its form."""
    script = Script(['{"湖": "西湖"}'])
    body = answered(
        asking.chat(
            model=ABLE, messages=question(script), response_format="json_object",
            **wants(enable_citation=True, enable_trace=True),
        )
    )  # fmt: skip
    assert len(body["search_results"]) == 2
    assert "^[1]^" not in upstream.received(script).body["messages"][-1]["content"]


def test_what_is_said_before_a_call_comes_before_it(asking: Api) -> None:
    script = Script(["西湖", "在杭州。"], calls=[Call("look", ['{"at":', "1}"])])
    tools = [{"type": "function", "function": {"name": "look"}}]
    stream = asking.stream(
        model=ABLE, messages=question(script), tools=tools, **wants(enable_trace=True)
    )
    assert stream.content == "西湖在杭州。"
    kinds = ["calls" if "tool_calls" in choice["delta"] else "text" for choice in stream.choices]
    assert [kind for kind, _ in groupby(kinds)] == ["text", "calls", "text"]
    assert carrying(stream) == [1, 2, len(kinds) - 1]
    assert stream.finish_reason == "function_call"


def test_a_picture_beside_a_search(asking: Api, engine: Searxng) -> None:
    """What it shows is no part of the query where the model that plans says nothing of it."""
    picture = {"url": data_url(encoded(written([(20, 30, "欢迎来到北京")], (340, 110))))}
    parts = [
        {"type": "image_url", "image_url": picture},
        {"type": "text", "text": "今天西湖的新闻有哪些?"},
    ]
    script = Script(["好。"])
    messages = [question(script)[0], {"role": "user", "content": parts}]
    body = answered(asking.chat(model=ABLE, messages=messages, **wants(enable_trace=True)))
    assert len(body["search_results"]) == 2
    assert all("今天西湖的新闻" in query for query in map(unquote_plus, engine.queries))
    assert all("图片" not in query for query in map(unquote_plus, engine.queries))


def test_citations_that_nobody_asked_for(asking: Api) -> None:
    body = answered(
        asking.chat(model=ABLE, messages=question(Script(["西湖在杭州^[1]^。"])), **wants())
    )
    assert body["choices"][0]["message"]["content"] == "西湖在杭州。"
    assert "search_results" not in body


@pytest.mark.parametrize("broken", ["slow", "failing", "empty"])
def test_search_that_fails_costs_no_answer(asking: Api, engine: Searxng, broken: str) -> None:
    engine.delay = 5.0 if broken == "slow" else 0.0
    engine.status = 500 if broken == "failing" else 200
    if broken == "empty":
        engine.found = []
    body = answered(
        asking.chat(
            model=ABLE,
            messages=question(Script(["好。"])),
            **wants(enable_trace=True, enable_citation=True),
        )
    )
    assert body["choices"][0]["message"]["content"] == "好。"
    assert body["search_results"] == []  # asked for, and none: the client knows
    stream = asking.stream(
        model=ABLE, messages=question(Script(["好。"])), **wants(enable_status=True)
    )
    told = [choice["delta"]["content"] for choice in stream.choices if "delta_tag" in choice]
    assert told == ["正在搜索", "未搜索到相关结果" if broken == "empty" else "搜索未成功"]
    assert stream.choices[-1]["finish_reason"] == "normal"
    assert carrying(stream) == []


@pytest.mark.parametrize("text", ["你好", "1+1=?"])
def test_no_search_where_none_is_needed(asking: Api, engine: Searxng, text: str) -> None:
    stream = asking.stream(
        model=ABLE,
        messages=[{"role": "user", "content": text}],
        **wants(enable_trace=True, enable_status=True),
    )
    assert engine.queries == []
    assert stream.finish_reason == "normal"
    assert all("delta_tag" not in choice for choice in stream.choices)
    assert carrying(stream) == []


def test_not_enabled(asking: Api, engine: Searxng) -> None:
    options = {"web_search": {"enable": False, "enable_trace": True}}
    body = answered(asking.chat(model=ABLE, messages=question(Script(["好。"])), **options))
    assert "search_results" not in body
    assert engine.queries == []


def test_both_spellings(asking: Api, upstream: Upstream) -> None:
    for options in (
        {"search_num": 5, "reference_num": 1},
        {"search_number": 5, "reference_number": 1},
        {"search_num": 5, "search_number": 5, "reference_num": 1},
    ):
        script = Script(["好。"])
        body = answered(
            asking.chat(
                model=ABLE, messages=question(script), **wants(enable_trace=True, **options)
            )
        )
        assert len(body["search_results"]) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"search_num": 0}, "28"),
        ({"search_num": 29}, "28"),
        ({"reference_number": 29}, "28"),
        ({"search_num": 3, "reference_num": 4}, "the search_num"),
        ({"reference_number": 11}, "web_search.reference_number is 11"),
        ({"search_num": 3, "search_number": 4}, "alias"),
        ({"reference_num": "x"}, "reference_num"),
        ({"enable_trace": 1}, "web_search.enable_trace"),
        ({"enable": "yes"}, "web_search.enable"),
    ],
)
def test_what_cannot_be_meant(asking: Api, options: dict[str, Any], says: str) -> None:
    malformed(asking.chat(model=ABLE, **wants(**options)), says)


def test_unknown_option_is_named(asking: Api) -> None:
    reply = asking.chat(model=ABLE, web_search={"enable": False, "depth": 3})
    answered(reply)
    assert reply.headers["x-ignored-parameters"] == "web_search.depth"


def test_model_without_search(asking: Api) -> None:
    refused(
        asking.chat(model=CHAT, **wants()), 401, "access_denied", "no_parameter_permission",
        CHAT, "web_search.enable", param="web_search.enable",
    )  # fmt: skip
