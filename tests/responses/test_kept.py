"""What is kept: only where the operator wants it and the client asks, and it is a member's own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import apsw
import pytest
from openai import OpenAI

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.script import Call, Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.responses.kit import another, asking, create, stream, streaming

KEEPING = {
    "XINGHE_RESPONSES__KEEP": "true",
    "XINGHE_RESPONSES__MAX_BYTES": "64000",
    "XINGHE_SERVER__MAX_BODY_VALUES": "1000",
    "XINGHE_SEARCH__DOCUMENTATION": "false",
}
GONE = (404, "invalid_request_error", "no_such_object")


@pytest.fixture(scope="module")
def keeper(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("kept"), models=models, settings=KEEPING) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def mine(keeper: Server) -> Api:
    return Api(keeper.url, keeper.token(), STRICT)


@pytest.fixture
def asked_once(mine: Api) -> str:
    return str(kept(mine)["id"])


def kept(api: Api, script: Script | None = None, **fields: Any) -> dict[str, Any]:
    reply = create(api, script or Script(), store=True, **fields)
    assert reply.status == 200, reply.text
    assert reply.json["store"] is True
    response: dict[str, Any] = reply.json
    return response


def test_it_is_given_again(mine: Api) -> None:
    response = kept(mine, metadata={"课": "一"})
    again = mine.get(f"/responses/{response['id']}")
    assert again.status == 200
    assert again.json == response


def test_a_stream_is_kept(mine: Api) -> None:
    seen = stream(mine, Script(), store=True)
    assert seen.events[0]["response"]["store"] is True
    assert mine.get(f"/responses/{seen.last['id']}").json == seen.last


def test_it_is_not_streamed_again(mine: Api) -> None:
    response = kept(mine)
    path = f"/responses/{response['id']}"
    malformed(mine.get(f"{path}?stream=true"), "stream", param="stream")
    assert mine.get(f"{path}?stream=false&upstream=true").json == response


def test_to_cancel_one_that_has_ended_shows_it(mine: Api) -> None:
    response = kept(mine)
    reply = mine.post(f"/responses/{response['id']}/cancel", {})
    assert reply.status == 200
    assert reply.json == response


def test_not_unless_the_client_asks(mine: Api) -> None:
    response = create(mine, Script()).json
    assert response["store"] is False
    refused(mine.get(f"/responses/{response['id']}"), *GONE, response["id"])


def test_not_unless_the_operator_wants_it(api: Api) -> None:
    response = create(api, Script(), store=True).json
    assert response["store"] is False
    refused(api.at(STRICT).get(f"/responses/{response['id']}"), *GONE, "responses.keep")
    reply = create(api, Script(), previous_response_id=response["id"])
    malformed(reply, response["id"], param="previous_response_id")


def test_a_conversation_goes_on(mine: Api, upstream: Upstream) -> None:
    first = kept(mine, Script(pieces=["一"]), instructions="先。")
    second = kept(mine, Script(pieces=["二"]), previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]
    third = Script()
    create(mine, third, previous_response_id=second["id"], instructions="后。")
    sent = upstream.received(third).body["messages"]
    # The instructions of one response are not those of the next.
    assert [each["role"] for each in sent] == ["system", *["user", "assistant"] * 2, "user"]
    assert [each["content"] for each in sent if each["role"] != "user"] == ["后。", "一", "二"]


def test_a_call_is_answered_by_id_alone(mine: Api, upstream: Upstream) -> None:
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    script = Script(pieces=[], calls=[Call("f", ["{}"], id="c1")], finish="tool_calls")
    first = kept(mine, script, model="scripted-able", tools=tools)
    (call,) = first["output"]
    answer = Script()
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "好"}
    reply = create(
        mine,
        model="scripted-able",
        tools=tools,
        previous_response_id=first["id"],
        input=[output, *asking(answer)],
    )
    assert reply.status == 200, reply.text
    sent = upstream.received(answer).body["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "tool", "user"]
    assert sent[2]["content"] == "好"


def test_an_item_is_referred_to(mine: Api, upstream: Upstream) -> None:
    response = kept(mine, Script(pieces=["从前"]))
    (item,) = response["output"]
    script = Script()
    items = [{"type": "item_reference", "id": item["id"]}, *asking(script)]
    assert create(mine, input=items).status == 200
    sent = upstream.received(script).body["messages"]
    assert sent[0] == {"role": "assistant", "content": "从前"}
    wrong = [{"id": item["id"] + "9"}, *asking(script)]
    reply = create(mine, input=wrong)
    refused(reply, 400, "invalid_request_error", "invalid_messages", "input[0]", param="input")


def test_deleted(mine: Api) -> None:
    first = kept(mine)
    second = kept(mine, previous_response_id=first["id"])
    gone = mine.send("DELETE", f"/responses/{first['id']}")
    assert gone.status == 200
    assert gone.json == {"id": first["id"], "object": "response", "deleted": True}
    refused(mine.send("DELETE", f"/responses/{first['id']}"), *GONE)
    refused(mine.get(f"/responses/{first['id']}"), *GONE)
    # What goes on from it is there, but nothing can go on from that.
    assert mine.get(f"/responses/{second['id']}").status == 200
    reply = create(mine, Script(), previous_response_id=second["id"])
    malformed(reply, second["id"], first["id"], param="previous_response_id")


def test_of_another_member(mine: Api, keeper: Server) -> None:
    response, stranger = kept(mine), another(keeper)
    path = f"/responses/{response['id']}"
    for method in ("GET", "DELETE"):
        refused(stranger.send(method, path), *GONE)
    refused(stranger.post(f"{path}/cancel", {}), *GONE)
    malformed(
        create(stranger, Script(), previous_response_id=response["id"]),
        param="previous_response_id",
    )
    assert mine.get(path).status == 200


def test_by_a_token_for_other_models(mine: Api, keeper: Server) -> None:
    response = kept(mine)
    limited = mine.bearing(keeper.token("--model", "ernie-3.5-8k"))
    refused(limited.get(f"/responses/{response['id']}"), *GONE)


def test_they_go_with_their_member(keeper: Server) -> None:
    name = f"leaving-{secrets.token_hex(4)}"
    keeper.run("member", "create", name)
    leaving = Api(keeper.url, keeper.token(account=name), STRICT)
    response = kept(leaving)
    assert leaving.get(f"/responses/{response['id']}").status == 200
    assert rows(keeper, response["id"]) == 1
    keeper.run("member", "delete", name, "--yes")
    assert rows(keeper, response["id"]) == 0


def test_the_oldest_go_where_there_are_too_many(mine: Api, keeper: Server) -> None:
    long = "长" * 2000
    made = [kept(mine, metadata={"n": str(n)}, instructions=long)["id"] for n in range(12)]
    assert mine.get(f"/responses/{made[-1]}").status == 200
    refused(mine.get(f"/responses/{made[0]}"), *GONE)
    size = "SELECT sum(size) FROM kept_responses"
    (total,) = query(keeper, size)
    assert total <= 64000
    # What alone would take more than an eighth of it is not kept.
    items = [{"role": "user", "content": "长" * 4000}, *asking(Script())]
    response = create(mine, input=items, store=True).json
    assert response["store"] is False


def test_what_failed_is_not_kept(mine: Api) -> None:
    script = Script(pieces=list("一二三"), rate=20, fault="reset", after=2)
    seen = stream(mine, script, store=True)
    assert seen.last["status"] == "failed"
    refused(mine.get(f"/responses/{seen.last['id']}"), *GONE)


def test_what_its_client_left_is_not_kept(mine: Api, upstream: Upstream, keeper: Server) -> None:
    script = Script(pieces=["字"] * 2000, rate=10)
    with streaming(mine, input=asking(script), store=True) as (_, live):
        name = next(live)["response"]["id"]
    assert upstream.received(script).done.wait(60)
    Books(keeper).settled()
    refused(mine.get(f"/responses/{name}"), *GONE)


def rows(server: Server, name: str) -> int:
    (count,) = query(server, "SELECT count(*) FROM kept_responses WHERE name = ?", name)
    return int(count)


def query(server: Server, sql: str, *values: str) -> tuple[Any, ...]:
    path = str(server.data / "xinghe.db")
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        rows: list[tuple[Any, ...]] = list(connection.execute(sql, values))
    return rows[0]


def listed(api: Api, name: str, query: str = "order=asc") -> dict[str, Any]:
    reply = api.get(f"/responses/{name}/input_items?{query}")
    assert reply.status == 200, reply.text
    found: dict[str, Any] = reply.json
    assert found["object"] == "list"
    ids = [each["id"] for each in found["data"]]
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    return found


def test_what_it_was_asked_is_listed(mine: Api) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    said = [
        {"role": "developer", "content": "规则"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "嗯"}]},
        call,
        {"type": "function_call_output", "call_id": "c", "output": "二"},
        *asking(Script(["三"])),
    ]
    first = kept(mine, input=said)
    items = listed(mine, first["id"])["data"]
    assert [each["type"] for each in items] == [
        "message", "message", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    assert items[0]["content"] == [{"type": "input_text", "text": "规则"}]
    assert items[1]["content"] == [
        {"type": "output_text", "text": "嗯", "annotations": [], "logprobs": []}
    ]
    assert call.items() <= items[2].items()
    assert items[3]["output"] == "二"
    assert items[4]["role"] == "user"
    assert len({each["id"] for each in items}) == 5
    second = kept(mine, previous_response_id=first["id"])
    whole = listed(mine, second["id"], "order=asc&include[]=a&include[]=b&limit=100")["data"]
    assert whole[:5] == items
    assert whole[5] == first["output"][0]
    assert [each["role"] for each in whole[5:]] == ["assistant", "user"]


def test_pages_of_it(mine: Api) -> None:
    texts = [f"第{number}" for number in range(23)]
    said = [{"role": "user", "content": text} for text in texts] + asking(Script())
    name = kept(mine, input=said)["id"]
    newest = listed(mine, name, "")
    assert (len(newest["data"]), newest["has_more"]) == (20, True)
    rest = listed(mine, name, f"after={newest['last_id']}")
    assert (len(rest["data"]), rest["has_more"]) == (4, False)
    assert listed(mine, name, f"after={rest['last_id']}")["data"] == []
    found = [each["content"][0]["text"] for each in (*newest["data"], *rest["data"])][::-1]
    assert found[:23] == texts
    with OpenAI(base_url=mine.url + STRICT, api_key=mine.token, max_retries=0) as client:
        typed = [*client.responses.input_items.list(name, order="asc", limit=7)]
    assert len(typed) == 24
    for each, text in zip(typed, texts, strict=False):
        assert each.type == "message"
        assert each.role == "user"
        assert each.content[0].type == "input_text"
        assert each.content[0].text == text


def test_pages_of_items_with_ids_of_the_client_s(mine: Api) -> None:
    """One that stands twice, or is too long to be asked for, is none."""
    ids = ["a", "a", "b" * 300, "a"]
    said = [{"role": "user", "content": f"第{at}", "id": own} for at, own in enumerate(ids)]
    name = kept(mine, input=said + asking(Script()))["id"]
    found, after, more = list[dict[str, Any]](), "", True
    while more:
        page = listed(mine, name, f"order=asc&limit=1{after}")
        found += page["data"]
        assert len(found) <= 5
        after, more = f"&after={page['last_id']}", page["has_more"]
    assert [each["content"][0]["text"] for each in found[:4]] == ["第0", "第1", "第2", "第3"]
    assert found[0]["id"] == "a"


def test_a_conversation_of_more_than_a_body_may_hold(mine: Api) -> None:
    """What the model does not read has no tokens that would bound it."""
    said = [{"type": "web_search_call"}] * 250
    name = kept(mine, input=[*said, *asking(Script())])["id"]
    for _ in range(3):
        more = [*said, *asking(Script())]
        name = kept(mine, input=more, previous_response_id=name)["id"]
    assert len(listed(mine, name, "limit=100")["data"]) == 100
    reply = create(mine, previous_response_id=name)
    malformed(reply, "at most 1000", param="previous_response_id")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
        ("order=up", "order"), ("after=msg_x", "after"), ("after=%00", "after"),
        ("after=", "after"), ("limit=1&limit=2", "limit"), ("after=" + "a" * 300, "after"),
    ],
)  # fmt: skip
def test_a_wrong_page_is_named(mine: Api, asked_once: str, query: str, param: str) -> None:
    malformed(mine.get(f"/responses/{asked_once}/input_items?{query}"), param, param=param)


def test_only_its_member_sees_what_it_was_asked(mine: Api, keeper: Server, asked_once: str) -> None:
    path = f"/responses/{asked_once}/input_items"
    refused(another(keeper).get(path), *GONE)
    refused(mine.get("/responses/resp_0000000000/input_items"), *GONE)
    refused(mine.at("/llm/lmapi/v3").get(path), 404, "invalid_request_error", "no_such_path")
    assert mine.send("DELETE", f"/responses/{asked_once}").status == 200
    refused(mine.get(path), *GONE)
