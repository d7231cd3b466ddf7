"""A conversation in text: one answer in one piece, and the same as a stream."""

from __future__ import annotations

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import refused
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.responses.kit import create, stream


def test_one_answer(api: Api, books: Books) -> None:
    script = Script(prompt_tokens=7)
    reply = create(api, script)
    assert reply.status == 200, reply.text
    response, request_id = reply.json, reply.headers["x-request-id"]
    assert response["id"] == request_id.replace("as-", "resp_")
    assert response["object"] == "response"
    assert response["status"] == "completed"
    assert response["model"] == CHAT
    assert response["created_at"] <= response["completed_at"]
    (message,) = response["output"]
    assert message == {
        "id": message["id"],
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": script.text, "annotations": [], "logprobs": []}
        ],
    }
    assert message["id"].startswith("msg_")
    assert response["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 10,
    }
    assert books.usage(request_id)["prompt_tokens"] == 7
    books.settled()


def test_what_was_asked_is_told(api: Api) -> None:
    asked = {
        "instructions": "简短。",
        "metadata": {"课": "一"},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "parallel_tool_calls": False,
        "user": "某人",
    }
    response = create(api, Script(), **asked).json
    assert {name: response[name] for name in asked} == asked
    assert response["store"] is False
    assert response["previous_response_id"] is None
    assert response["tools"] == []
    assert response["tool_choice"] == "auto"
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    assert response["error"] is None
    assert response["incomplete_details"] is None


def test_a_stream(api: Api) -> None:
    script = Script(pieces=list("一二三"))
    seen = stream(api, script)
    assert seen.kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * len(seen.of("response.output_text.delta")),
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(each["delta"] for each in seen.of("response.output_text.delta")) == script.text
    created = seen.events[0]["response"]
    assert created["status"] == "in_progress"
    assert created["output"] == []
    assert created["usage"] is None
    assert seen.last["id"] == seen.headers["x-request-id"].replace("as-", "resp_")
    (item,) = seen.last["output"]
    assert seen.of("response.output_item.done")[0]["item"] == item
    assert item["content"][0]["text"] == script.text
    assert {each["item_id"] for each in seen.events if "item_id" in each} == {item["id"]}
    assert seen.last["usage"]["output_tokens"] == 3


def test_it_is_told_as_items(api: Api, upstream: Upstream) -> None:
    script = Script()
    items = [
        {"type": "message", "role": "developer", "content": "你是老师。"},
        {"role": "user", "content": [{"type": "input_text", "text": "一"}]},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "二", "annotations": []},
                {"type": "refusal", "refusal": "三"},
            ],
        },
        {"role": "user", "content": script.prompt},
    ]
    assert create(api, input=items, instructions="先。").status == 200
    sent = upstream.received(script).body["messages"]
    assert [(each["role"], each["content"]) for each in sent] == [
        ("system", "先。"),
        ("system", "你是老师。"),
        ("user", "一"),
        ("assistant", "二\n三"),
        ("user", script.prompt),
    ]


def test_an_answer_that_is_cut_off(api: Api) -> None:
    script = Script(finish="length")
    for response in (create(api, script).json, stream(api, script).last):
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["completed_at"] is None
        assert response["output"][0]["status"] == "incomplete"
    assert stream(api, script).kinds[-1] == "response.incomplete"


def test_a_refusal_of_the_model(api: Api) -> None:
    script = Script(pieces=["不", "行"], refuses=True)
    response = create(api, script).json
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "不行"}]
    seen = stream(api, script)
    assert "".join(each["delta"] for each in seen.of("response.refusal.delta")) == "不行"
    assert seen.of("response.refusal.done")[0]["refusal"] == "不行"
    assert seen.last["output"][0]["content"] == response["output"][0]["content"]


def test_more_tokens_than_the_model_has_are_brought_down(api: Api, upstream: Upstream) -> None:
    script = Script()
    reply = create(api, script, max_output_tokens=10**6)
    assert reply.headers["x-adjusted-parameters"] == "max_output_tokens=2048"
    assert upstream.received(script).body["max_tokens"] == 2048


def test_it_is_served_at_v1_alone(api: Api) -> None:
    for mount in (DOCUMENTED, ALIAS, "/v2"):
        reply = api.at(mount).post("/responses", {"model": CHAT, "input": "你好"})
        refused(reply, 404, "invalid_request_error", "no_such_path", "/v1 alone")
    assert api.at(STRICT).get("/responses").status == 405
    compact = api.at(STRICT).post("/responses/compact", {"model": CHAT})
    refused(compact, 404, "invalid_request_error", "no_such_path", "not served here")
