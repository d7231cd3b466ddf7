"""What an engine reads of a conversation in Anthropic's form."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.api.test_pictures import plain
from tests.kit.api import Api
from tests.kit.message import answered, ask, malformed, refused
from tests.kit.models import ABLE, CHAT, VISION
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.pictures.render import data_url

PNG = plain(56, 28)
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "北京"}}
CALL = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"北京"}'},
}


def image(**source: Any) -> dict[str, Any]:
    given = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    return {"type": "image", "source": source or given}


def result(content: Any = "晴", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **more}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def says(role: str, *content: Any) -> dict[str, Any]:
    return {"role": role, "content": content[0] if content and content[0] == "" else [*content]}


def read(api: Api, upstream: Upstream, *messages: Any, model: str = ABLE) -> list[dict[str, Any]]:
    """What the upstream is sent behind the system prompt, which is the script."""
    script = Script()
    answered(ask(api, model=model, system=script.prompt, messages=list(messages)))
    rest: list[dict[str, Any]]
    system, *rest = upstream.received(script).body["messages"]
    assert system == {"role": "system", "content": script.prompt}
    return rest


def test_system_in_blocks(api: Api, upstream: Upstream) -> None:
    script = Script()
    blocks = [text(script.prompt), text("简短。", cache_control={"type": "ephemeral"})]
    reply = ask(api, system=blocks)
    answered(reply)
    first, _ = upstream.received(script).body["messages"]
    assert first["content"] == f"{script.prompt}\n简短。"
    assert reply.headers["x-ignored-parameters"] == "cache_control"


def test_texts(api: Api, upstream: Upstream) -> None:
    turns = [says("user", text("一"), text("二")), {"role": "assistant", "content": "好"}]
    assert read(api, upstream, *turns, {"role": "user", "content": "三"}) == [
        {"role": "user", "content": "一\n二"},
        {"role": "assistant", "content": "好"},
        {"role": "user", "content": "三"},
    ]


def test_messages_of_one_role_are_one(api: Api, upstream: Upstream) -> None:
    """Texts of an assistant are one text, as its citations have cut it."""
    said = read(
        api, upstream,
        says("user", text("一")), says("user", text("二")),
        says("assistant", text("上半句,")), says("assistant", text("下半句。")),
        {"role": "system", "content": "注意。"},
        says("user", text("三")),
    )  # fmt: skip
    assert [(each["role"], each["content"]) for each in said] == [
        ("user", "一\n二"), ("assistant", "上半句,下半句。"), ("system", "注意。"), ("user", "三"),
    ]  # fmt: skip


def test_the_last_message_may_be_an_assistants(api: Api, upstream: Upstream) -> None:
    said = read(api, upstream, says("user", text("一")), says("assistant", text("答案是(")))
    assert said[-1] == {"role": "assistant", "content": "答案是("}


def test_an_answer_that_was_withheld_is_taken_back(api: Api, upstream: Upstream) -> None:
    said = read(
        api, upstream, says("user", text("一")), says("assistant"), says("user", text("二"))
    )
    assert [each["content"] for each in said] == ["一", "二"]


def test_thoughts_and_searches_are_taken_back(api: Api, upstream: Upstream) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    said = read(
        api, upstream,
        says("user", text("一")),
        says(
            "assistant",
            {"type": "thinking", "thinking": "先想", "signature": "whatever"},
            {"type": "redacted_thinking", "data": "xyz"},
            search, found, text("好", citations=[]),
        ),
        says("user", text("二")),
    )  # fmt: skip
    assert said[1] == {"role": "assistant", "content": "好", "reasoning_content": "先想"}


def test_tools_round_trip(api: Api, upstream: Upstream) -> None:
    said = read(
        api, upstream,
        says("user", text("天气?")),
        says("assistant", text("我查。"), USE),
        says("user", text("快点"), result([text("晴"), text("20 度")])),
    )  # fmt: skip
    assert said[1] == {"role": "assistant", "content": "我查。", "tool_calls": [CALL]}
    assert said[2] == {"role": "tool", "content": "晴\n20 度", "tool_call_id": "toolu_1"}
    assert said[3] == {"role": "user", "content": "快点"}


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (result("坏了", is_error=True), "Error: 坏了"),
        (result(None), ""),
        ({"type": "tool_result", "tool_use_id": "toolu_1"}, ""),
    ],
)
def test_results(api: Api, upstream: Upstream, block: Any, content: str) -> None:
    said = read(api, upstream, says("user", text("?")), says("assistant", USE), says("user", block))
    assert said[1]["content"] is None
    assert said[2]["content"] == content


def test_pictures(api: Api, upstream: Upstream) -> None:
    said = read(api, upstream, says("user", image(), text("这是什么?")), model=VISION)
    picture, asked = said[0]["content"]
    assert picture["image_url"]["url"] == data_url(PNG, "image/png")
    assert asked["text"] == "这是什么?"


def test_a_picture_that_a_tool_returned_follows_it(api: Api, upstream: Upstream) -> None:
    said = read(
        api, upstream,
        says("user", text("?")), says("assistant", USE),
        says("user", result([text("截图:"), image()]), text("看")),
        model=VISION,
    )  # fmt: skip
    assert said[2]["content"] == "截图:\n[image: it follows]"
    whose, picture, asked = said[3]["content"]
    assert whose["text"] == "[toolu_1]"
    assert picture["image_url"]["url"] == data_url(PNG, "image/png")
    assert asked["text"] == "看"


def test_a_picture_that_cannot_be_read_is_named(api: Api) -> None:
    broken = image(type="base64", media_type="image/png", data="AAAA")
    behind = [says("user", text("?")), says("assistant", USE)]
    messages = [*behind, says("user", result([image(), broken]))]
    malformed(ask(api, messages=messages), "messages[2].content[0].content[1].source: ")
    url = image(type="url", url="http://127.0.0.1/x.png")
    malformed(ask(api, messages=[says("user", url)]), "messages[0].content[0].source: ")


FAULTS = [
    ([says("user", {"type": "document", "source": {}})],
     'messages[0].content[0].type is "document", allowed: text'),
    ([says("user", {"type": "hologram"})], 'messages[0].content[0].type is "hologram"'),
    ([says("user", {"text": "x"})], "messages[0].content[0].type is null"),
    ([says("user", {"type": "image", "source": {"type": "file", "file_id": "x"}})],
     'messages[0].content[0].source.type is "file", allowed: base64 or url'),
    ([says("user", text(5))], "messages[0].content[0].text is 5, allowed: a string"),  # type: ignore[arg-type]
    ([says("user", USE)], "messages[0].content[0] is tool_use in a message of user"),
    ([says("assistant", image())], "messages[0].content[0] is image in a message of assistant"),
    ([says("assistant", result())], "messages[0].content[0] is tool_result"),
    ([says("user", result())], 'messages[0].content[0].tool_use_id is "toolu_1"'),
    ([says("user", text("?")), says("assistant", USE)], "messages[1].content[0].id", "the end"),
    ([says("user", text("?")), says("assistant", USE), says("user", text("?"))],
     "messages[1].content[0].id", "before the end"),
    ([says("user", text("?")), says("assistant", USE), {"role": "system", "content": "x"}],
     "messages[1].content[0].id", "before messages[2]"),
    ([says("user", text("?")), says("assistant", USE, USE)], "messages[1].content[1].id"),
    ([says("user", text("?")), says("assistant", USE), says("user", result(), result())],
     "messages[2].content[1].tool_use_id"),
    ([says("user", text("?")), says("assistant", {**USE, "input": "x"})],
     'messages[1].content[0].input is "x", allowed: an object'),
    ([says("user", text("?")), says("assistant", USE), says("user", result([USE]))],
     'messages[2].content[0].content[0].type is "tool_use", allowed: text or image'),
    ([{"role": "tool", "content": "x"}], 'messages[0].role is "tool", allowed: user, assistant'),
    ([{"role": "user"}], "messages[0].content is null"),
    ([says("assistant")], "messages hold nothing"),
    ([], "messages must not be empty"),
    (None, "messages must not be empty"),
    ("你好", 'messages is "你好", allowed: a list'),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=[str(at) for at in range(len(FAULTS))])
def test_what_is_wrong_is_named(api: Api, fault: tuple[Any, ...]) -> None:
    messages, *said = fault
    malformed(ask(api, messages=messages), *said)


def test_what_the_model_lacks_is_named(api: Api) -> None:
    messages = [says("user", text("?")), says("assistant", USE), says("user", result())]
    reply = ask(api, model="scripted-dull", messages=messages)
    malformed(reply, "messages[1].content[0] is not supported", "scripted-dull", "tools")


def test_more_than_the_model_reads(api: Api) -> None:
    long = [{"role": "user", "content": "很长" * 200}]
    malformed(ask(api, model="scripted-tight", messages=long), "the max input characters is 256")
    refused(
        ask(api, model=CHAT, messages=[says("user", text("x" * 70_000))]),
        400, "invalid_request_error", "max input characters",
    )  # fmt: skip


def test_arguments_are_what_was_sent(api: Api, upstream: Upstream) -> None:
    given = {"a": [1, 2.5, None, {"b": "\u2028\n"}], "c": True}
    use = {**USE, "input": given}
    said = read(
        api, upstream, says("user", text("?")), says("assistant", use), says("user", result())
    )
    assert json.loads(said[1]["tool_calls"][0]["function"]["arguments"]) == given
